//! Tickets, and what becomes of them: bytes go straight to the object store.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::json;

use super::assets::{AssetView, Views};
use super::auth::Caller;
use super::inspection::Inspection;
use super::layout::Place;
use super::links::LinkError;
use super::ports::{
    AssetStore, Clock, InsertTerms, Inserted, NamedCall, ObjectLocation, ObjectStore, Presigned, StoreError,
    UploadTerms,
};
use crate::media::{
    Asset, AssetId, IdempotencyKey, InvalidField, Periods, Quota, Rejection, Status, Timestamp, UploadPolicy,
    UploadRequest, Usage,
};

/// How often a change is tried again because somebody else was faster.
pub(super) const ATTEMPTS: usize = 16;

/// Hands tickets out and finalizes them.
pub struct Uploads {
    assets: Arc<dyn AssetStore>,
    objects: Arc<dyn ObjectStore>,
    views: Views,
    clock: Arc<dyn Clock>,
    inspection: Inspection,
    policy: UploadPolicy,
    periods: Periods,
    quota: Quota,
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
    /// Joins the parts. `quota` holds for tenants that have none of their own.
    #[must_use]
    pub fn new(
        assets: Arc<dyn AssetStore>,
        objects: Arc<dyn ObjectStore>,
        views: Views,
        clock: Arc<dyn Clock>,
        policy: UploadPolicy,
        periods: Periods,
        quota: Quota,
    ) -> Self {
        let inspection = Inspection::new(Arc::clone(&objects), Arc::clone(&clock), periods.clone());
        Self { assets, objects, views, clock, inspection, policy, periods, quota }
    }

    /// A ticket for one file. A call with a key gives the ticket of the first call with that key, for
    /// as long as that ticket lives: the same asset, the same request to send.
    ///
    /// # Errors
    /// Where the file isn't allowed, the key's first call asked for something else, or a store can't
    /// answer.
    pub async fn ticket(
        &self,
        caller: &Caller,
        request: UploadRequest,
        key: Option<IdempotencyKey>,
    ) -> Result<Ticket, UploadError> {
        let now = self.clock.now();
        let expires_at = Timestamp::from_seconds(now.seconds()).plus_seconds(self.periods.ticket_seconds);
        let call = key.map(|key| Ok::<_, StoreError>((fingerprint(&request)?, key))).transpose()?;
        let call = call.map(|(fingerprint, key)| NamedCall { key, fingerprint, expires_at });
        let upload = self.policy.check(request)?;
        let (id, place) = (AssetId::generate(), self.views.place(&caller.tenant));
        let key = place
            .asset_key(&caller.tenant, id, &upload.filename, upload.visibility)
            .map_err(|error| InvalidField::new("/filename", error.to_string()))?;
        let asset = Asset::pending(id, caller.tenant.id.clone(), key, upload, now, &self.periods);
        let ticket = self.ticket_of(&place, &asset, now).await?;
        let terms = InsertTerms { call, quota: caller.tenant.quota.or(self.quota), now };
        match self.assets.insert(&asset, &terms).await? {
            Inserted::New => Ok(ticket),
            Inserted::OverQuota(usage) => Err(UploadError::OverQuota { usage, quota: terms.quota }),
            Inserted::Taken => Err(StoreError::corrupt("a fresh id is taken").into()),
            Inserted::Before { asset, fingerprint } => {
                if terms.call.is_none_or(|call| call.fingerprint != fingerprint) {
                    return Err(UploadError::OtherCall);
                }
                let first = self.assets.find(&caller.tenant.id, asset).await?;
                let first = first.ok_or_else(|| StoreError::corrupt("the asset of a call isn't there"))?;
                Ok(self.ticket_of(&place, &first, now).await?)
            }
        }
    }

    /// The ticket of an asset, the same whenever it is made: it begins when the asset did.
    async fn ticket_of(&self, place: &Place, asset: &Asset, now: Timestamp) -> Result<Ticket, StoreError> {
        let terms = UploadTerms {
            content_type: asset.content_type.clone(),
            size_bytes: asset.size_bytes,
            checksum: asset.checksum.clone(),
        };
        let location = place.location(&asset.key);
        let begins = asset.created_at;
        let lives = asset.ticket_expires_at.seconds().saturating_sub(begins.seconds());
        let presigned = self.objects.presign_put(&location, &terms, begins, lives).await?;
        let passed = now.seconds().saturating_sub(begins.seconds());
        let expires_in_seconds = lives.saturating_sub(passed);
        Ok(Ticket { asset_id: asset.id, presigned, storage_key: location.key, expires_in_seconds })
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
                Status::Pending => match self.inspection.look(&location, asset).await? {
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
}

/// SHA-256 of what a request asks for, in whatever order its members come.
fn fingerprint(request: &UploadRequest) -> Result<[u8; 32], StoreError> {
    let mut members = json!([
        request.filename,
        request.content_type,
        request.size_bytes,
        request.visibility,
        request.checksum,
        request.metadata,
    ]);
    members.sort_all_objects();
    let text = serde_json::to_vec(&members).map_err(StoreError::corrupt)?;
    digest(&SHA256, &text).as_ref().try_into().map_err(StoreError::corrupt)
}

/// Why there is no ticket.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The request has a member that is wrong.
    #[error(transparent)]
    Field(#[from] InvalidField),
    /// The key belongs to a call that asked for something else.
    #[error("the idempotency key was used for another request")]
    OtherCall,
    /// The tenant has no room for the file.
    #[error("the tenant's quota is used up")]
    OverQuota {
        /// What it has.
        usage: Usage,
        /// What it may have.
        quota: Quota,
    },
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
