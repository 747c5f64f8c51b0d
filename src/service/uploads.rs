//! Tickets, and what becomes of them: bytes go straight to the object store.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;

use super::assets::{AssetView, Views};
use super::auth::Caller;
use super::links::LinkError;
use super::ports::{
    AssetStore, ByteRange, Clock, ObjectLocation, ObjectStore, Presigned, StoreError, UploadTerms,
};
use crate::media::{
    Asset, AssetId, HEAD_BYTES, InvalidField, Rejection, Status, UploadPolicy, UploadRequest,
};

/// How often a change is tried again because somebody else was faster.
pub(super) const ATTEMPTS: usize = 16;

/// Hands tickets out and finalizes them.
pub struct Uploads {
    assets: Arc<dyn AssetStore>,
    objects: Arc<dyn ObjectStore>,
    views: Views,
    clock: Arc<dyn Clock>,
    policy: UploadPolicy,
    ticket_seconds: u64,
}

/// An upload that may be made.
#[derive(Debug)]
pub struct Ticket {
    /// The asset, PENDING.
    pub asset_id: AssetId,
    /// The request to send.
    pub presigned: Presigned,
    /// The full key in the bucket.
    pub storage_key: String,
    /// How long the ticket is good.
    pub expires_in_seconds: u64,
}

impl Uploads {
    /// Joins the parts.
    #[must_use]
    pub fn new(
        assets: Arc<dyn AssetStore>,
        objects: Arc<dyn ObjectStore>,
        views: Views,
        clock: Arc<dyn Clock>,
        policy: UploadPolicy,
        ticket_seconds: u64,
    ) -> Self {
        Self { assets, objects, views, clock, policy, ticket_seconds }
    }

    /// A ticket for one file.
    ///
    /// # Errors
    /// Where the file isn't allowed, or a store can't answer.
    pub async fn ticket(&self, caller: &Caller, request: UploadRequest) -> Result<Ticket, UploadError> {
        let upload = self.policy.check(request)?;
        let (id, now) = (AssetId::generate(), self.clock.now());
        let place = self.views.place(&caller.tenant);
        let key = place
            .asset_key(&caller.tenant, id, &upload.filename, upload.visibility)
            .map_err(|error| InvalidField::new("/filename", error.to_string()))?;
        let terms = UploadTerms {
            content_type: upload.content_type.clone(),
            size_bytes: upload.size_bytes,
            checksum: upload.checksum.clone(),
        };
        let location = place.location(&key);
        let presigned = self.objects.presign_put(&location, &terms, now, self.ticket_seconds).await?;
        let asset = Asset::pending(id, caller.tenant.id.clone(), key, upload, now, self.ticket_seconds);
        if !self.assets.insert(&asset).await? {
            return Err(StoreError::corrupt("a fresh id is taken").into());
        }
        Ok(Ticket {
            asset_id: id,
            presigned,
            storage_key: location.key,
            expires_in_seconds: self.ticket_seconds,
        })
    }

    /// Looks at what was uploaded and makes the asset READY, or REJECTED for good. Safe to repeat
    /// and to race: there is one transition, and the same answer for all.
    ///
    /// # Errors
    /// Where nothing was uploaded, or something else than promised.
    pub async fn finalize(&self, caller: &Caller, id: AssetId) -> Result<AssetView, FinalizeError> {
        for _ in 0..ATTEMPTS {
            let asset = self.assets.find(&caller.tenant.id, id).await?;
            let asset = asset.filter(|asset| asset.deleted_at.is_none()).ok_or(FinalizeError::NotFound)?;
            let location = self.views.place(&caller.tenant).location(&asset.key);
            let changed = match asset.status {
                Status::Ready => return Ok(self.views.view(&caller.tenant, asset).await?),
                Status::Expired => return Err(FinalizeError::Expired),
                Status::Rejected => return Err(self.reject(&location, asset).await?),
                Status::Pending => match self.inspect(&location, asset).await? {
                    Some(changed) => changed,
                    // Somebody faster may have rejected the asset and removed its object.
                    None if self.is_pending(caller, id).await? => return Err(FinalizeError::NotUploaded),
                    None => continue,
                },
            };
            // Whoever was faster decided; the next round gives its answer.
            self.assets.update(&changed).await?;
        }
        Err(FinalizeError::Store(StoreError::unavailable("the asset is being changed by others")))
    }

    /// The asset after a look at the object; `None` where there is no object.
    async fn inspect(&self, location: &ObjectLocation, asset: Asset) -> Result<Option<Asset>, FinalizeError> {
        let Some(stored) = self.objects.head(location).await? else { return Ok(None) };
        let now = self.clock.now();
        let changed = match asset.mismatch(&stored) {
            Some(rejection) => asset.rejected(rejection, now),
            None => {
                let Some(head) = self.head(location).await? else { return Ok(None) };
                match asset.masquerade(&head) {
                    Some(rejection) => asset.rejected(rejection, now),
                    None => {
                        let dimensions = asset.content_type.is_image().then(|| dimensions(&head)).flatten();
                        asset.ready(dimensions, now)
                    }
                }
            }
        };
        changed.map(Some).map_err(|_| FinalizeError::Expired)
    }

    async fn is_pending(&self, caller: &Caller, id: AssetId) -> Result<bool, StoreError> {
        let asset = self.assets.find(&caller.tenant.id, id).await?;
        Ok(asset.is_some_and(|asset| asset.status == Status::Pending && asset.deleted_at.is_none()))
    }

    /// The object of a rejected asset goes, also where an earlier call was cut off before it went.
    async fn reject(&self, location: &ObjectLocation, asset: Asset) -> Result<FinalizeError, StoreError> {
        self.objects.delete(location).await?;
        let unknown = || Rejection { what: String::new(), expected: String::new(), found: String::new() };
        Ok(FinalizeError::Rejected(asset.rejection.unwrap_or_else(unknown)))
    }

    /// The first bytes of the object: enough for its type, and for a picture's width and height.
    async fn head(&self, location: &ObjectLocation) -> Result<Option<Vec<u8>>, StoreError> {
        let range = Some(ByteRange::FromTo(0, HEAD_BYTES - 1));
        let Some(object) = self.objects.get(location, range).await? else { return Ok(None) };
        let parts: Vec<Bytes> = object.bytes.try_collect().await.map_err(StoreError::unavailable)?;
        Ok(Some(parts.concat()))
    }
}

/// Width and height of a picture, where its header names both.
fn dimensions(head: &[u8]) -> Option<(u32, u32)> {
    let size = imagesize::blob_size(head).ok()?;
    u32::try_from(size.width).ok().zip(u32::try_from(size.height).ok())
}

/// Why there is no ticket.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The request has a member that is wrong.
    #[error(transparent)]
    Field(#[from] InvalidField),
    /// A store can't answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an asset isn't READY.
#[derive(Debug, thiserror::Error)]
pub enum FinalizeError {
    /// There is no such asset of this tenant.
    #[error("there is no such asset")]
    NotFound,
    /// The object isn't there yet.
    #[error("nothing has been uploaded yet")]
    NotUploaded,
    /// Something else was uploaded; the asset is REJECTED.
    #[error("the upload's {} is {} where {} was promised", .0.what, .0.found, .0.expected)]
    Rejected(Rejection),
    /// The ticket ran out unused.
    #[error("the upload's ticket has expired")]
    Expired,
    /// The link can't be made.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A store can't answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}
