//! Objects in S3, or in whatever speaks as S3 does, by the official SDK.
//!
//! 1. [`S3`]: the port [`ObjectStore`]. `client`: how it is connected.
//! 2. `presign`: requests for others to send. Nothing is asked of S3 for them.
//! 3. `read`: what is stored, whole or in part. `copy`: from place to place.
//! 4. [`provision`]: makes a bucket ready to be a tenant's.
//! 5. [`failure`]: what has failed, in one line.

mod client;
mod copy;
pub mod failure;
mod presign;
pub mod provision;
mod read;

use async_trait::async_trait;

use self::failure::failed;
use crate::media::{Stored, Timestamp};
use crate::service::ports::{
    ByteRange, ObjectBody, ObjectLocation, ObjectStore, Presigned, StoreError, UploadTerms,
};

pub use client::{ConnectError, S3, S3Options};

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

    async fn copy(&self, from: &ObjectLocation, to: &ObjectLocation) -> Result<bool, StoreError> {
        copy::copy(self, from, to).await
    }
}
