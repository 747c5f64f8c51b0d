//! The object store, counted.

use async_trait::async_trait;

use super::Metered;
use crate::media::{ContentType, Stored, Timestamp};
use crate::service::ports::{
    ByteRange, Completion, ObjectBody, ObjectLocation, ObjectOperation, ObjectStore, PartTag, PartTerms,
    PartsId, Presigned, StoreError, StoredPart, UploadTerms,
};

#[async_trait]
impl ObjectStore for Metered<dyn ObjectStore> {
    async fn presign_put(
        &self,
        location: &ObjectLocation,
        terms: &UploadTerms,
        now: Timestamp,
        expires_in_seconds: u64,
    ) -> Result<Presigned, StoreError> {
        let call = self.store.presign_put(location, terms, now, expires_in_seconds);
        self.timed(ObjectOperation::PresignPut, call).await
    }

    async fn presign_get(
        &self,
        location: &ObjectLocation,
        now: Timestamp,
        expires_in_seconds: u64,
    ) -> Result<Presigned, StoreError> {
        let call = self.store.presign_get(location, now, expires_in_seconds);
        self.timed(ObjectOperation::PresignGet, call).await
    }

    async fn head(&self, location: &ObjectLocation) -> Result<Option<Stored>, StoreError> {
        self.timed(ObjectOperation::Head, self.store.head(location)).await
    }

    async fn get(
        &self,
        location: &ObjectLocation,
        range: Option<ByteRange>,
    ) -> Result<Option<ObjectBody>, StoreError> {
        self.timed(ObjectOperation::Get, self.store.get(location, range)).await
    }

    async fn delete(&self, location: &ObjectLocation) -> Result<(), StoreError> {
        self.timed(ObjectOperation::Delete, self.store.delete(location)).await
    }

    async fn put_tombstone(&self, location: &ObjectLocation) -> Result<(), StoreError> {
        self.timed(ObjectOperation::PutTombstone, self.store.put_tombstone(location)).await
    }

    async fn list(&self, bucket: &str, prefix: &str) -> Result<Option<Vec<String>>, StoreError> {
        self.timed(ObjectOperation::List, self.store.list(bucket, prefix)).await
    }

    async fn keeps_versions(&self, bucket: &str) -> Result<bool, StoreError> {
        self.timed(ObjectOperation::KeepsVersions, self.store.keeps_versions(bucket)).await
    }

    async fn restore_versions(&self, file: &ObjectLocation, prefix: &str) -> Result<(), StoreError> {
        self.timed(ObjectOperation::RestoreVersions, self.store.restore_versions(file, prefix)).await
    }

    async fn delete_versions(&self, bucket: &str, prefix: &str) -> Result<(), StoreError> {
        self.timed(ObjectOperation::DeleteVersions, self.store.delete_versions(bucket, prefix)).await
    }

    async fn copy(&self, from: &ObjectLocation, to: &ObjectLocation) -> Result<bool, StoreError> {
        self.timed(ObjectOperation::Copy, self.store.copy(from, to)).await
    }

    async fn begin_parts(
        &self,
        location: &ObjectLocation,
        content_type: &ContentType,
    ) -> Result<PartsId, StoreError> {
        self.timed(ObjectOperation::BeginParts, self.store.begin_parts(location, content_type)).await
    }

    async fn presign_part(
        &self,
        location: &ObjectLocation,
        upload: &PartsId,
        part: PartTerms,
        now: Timestamp,
        expires_in_seconds: u64,
    ) -> Result<Presigned, StoreError> {
        let call = self.store.presign_part(location, upload, part, now, expires_in_seconds);
        self.timed(ObjectOperation::PresignPart, call).await
    }

    async fn parts(
        &self,
        location: &ObjectLocation,
        upload: &PartsId,
    ) -> Result<Option<Vec<StoredPart>>, StoreError> {
        self.timed(ObjectOperation::ListParts, self.store.parts(location, upload)).await
    }

    async fn complete_parts(
        &self,
        location: &ObjectLocation,
        upload: &PartsId,
        parts: &[PartTag],
    ) -> Result<Completion, StoreError> {
        let call = self.store.complete_parts(location, upload, parts);
        self.timed(ObjectOperation::CompleteParts, call).await
    }

    async fn abort_parts(&self, location: &ObjectLocation, upload: &PartsId) -> Result<(), StoreError> {
        self.timed(ObjectOperation::AbortParts, self.store.abort_parts(location, upload)).await
    }
}
