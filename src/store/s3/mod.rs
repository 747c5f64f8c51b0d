//! Objects in S3, or in whatever speaks as S3 does, by the official SDK.
//!
//! 1. [`S3`]: the port [`ObjectStore`]. `client`: how it is connected.
//! 2. `presign`: requests for others to send. Nothing is asked of S3 for them.
//! 3. `read`: what is stored, whole or in part. `copy`: from place to place. `parts`: files that come in parts.
//!    `versions`: buckets that keep what is removed.
//! 4. [`provision`]: makes a bucket ready to be a tenant's.
//! 5. `trace`: which trace a request belongs to. `owner`: whose the buckets must be.
//! 6. [`failure`]: what has failed, in one line.

mod client;
mod copy;
pub mod failure;
mod owner;
mod parts;
mod presign;
pub mod provision;
mod read;
mod trace;
mod versions;

use async_trait::async_trait;

use self::failure::failed;
use crate::media::{ContentType, Stored, Timestamp};
use crate::service::ports::{
    ByteRange, Completion, ObjectBody, ObjectLocation, ObjectStore, PartTag, PartTerms, PartsId, Presigned,
    StoreError, StoredPart, UploadTerms,
};

pub use client::{ConnectError, S3, S3Options};
pub use owner::{AccountId, InvalidAccountId};

#[async_trait]
impl ObjectStore for S3 {
    async fn presign_put(
        &self,
        location: &ObjectLocation,
        terms: &UploadTerms,
        now: Timestamp,
        expires_in_seconds: u64,
    ) -> Result<Presigned, StoreError> {
        presign::put(self, location, terms, now, expires_in_seconds).await
    }

    async fn presign_get(
        &self,
        location: &ObjectLocation,
        now: Timestamp,
        expires_in_seconds: u64,
    ) -> Result<Presigned, StoreError> {
        presign::get(self, location, now, expires_in_seconds).await
    }

    async fn head(&self, location: &ObjectLocation) -> Result<Option<Stored>, StoreError> {
        read::head(self, location).await
    }

    async fn get(
        &self,
        location: &ObjectLocation,
        range: Option<ByteRange>,
    ) -> Result<Option<ObjectBody>, StoreError> {
        read::get(self, location, range).await
    }

    async fn delete(&self, location: &ObjectLocation) -> Result<(), StoreError> {
        let call = self.client.delete_object().bucket(&location.bucket).key(&location.key);
        call.send().await.map(drop).map_err(failed("removing", location, self))
    }

    async fn put_tombstone(&self, location: &ObjectLocation) -> Result<(), StoreError> {
        read::put_tombstone(self, location).await
    }

    async fn list(&self, bucket: &str, prefix: &str) -> Result<Option<Vec<String>>, StoreError> {
        read::list(self, bucket, prefix).await.map(Some)
    }

    async fn keeps_versions(&self, bucket: &str) -> Result<bool, StoreError> {
        versions::are_kept(self, bucket).await
    }

    async fn restore_versions(&self, file: &ObjectLocation, prefix: &str) -> Result<(), StoreError> {
        versions::restore(self, file, prefix).await
    }

    async fn delete_versions(&self, bucket: &str, prefix: &str) -> Result<(), StoreError> {
        versions::remove(self, bucket, prefix).await
    }

    async fn copy(&self, from: &ObjectLocation, to: &ObjectLocation) -> Result<bool, StoreError> {
        copy::copy(self, from, to).await
    }

    async fn begin_parts(
        &self,
        location: &ObjectLocation,
        content_type: &ContentType,
    ) -> Result<PartsId, StoreError> {
        parts::begin(self, location, content_type).await
    }

    async fn presign_part(
        &self,
        location: &ObjectLocation,
        upload: &PartsId,
        part: PartTerms,
        now: Timestamp,
        expires_in_seconds: u64,
    ) -> Result<Presigned, StoreError> {
        presign::part(self, location, upload, part, now, expires_in_seconds).await
    }

    async fn parts(
        &self,
        location: &ObjectLocation,
        upload: &PartsId,
    ) -> Result<Option<Vec<StoredPart>>, StoreError> {
        parts::list(self, location, upload).await
    }

    async fn complete_parts(
        &self,
        location: &ObjectLocation,
        upload: &PartsId,
        parts: &[PartTag],
    ) -> Result<Completion, StoreError> {
        parts::complete(self, location, upload, parts).await
    }

    async fn abort_parts(&self, location: &ObjectLocation, upload: &PartsId) -> Result<(), StoreError> {
        parts::abort(self, location, upload).await
    }
}
