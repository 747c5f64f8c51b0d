//! Tickets, and what becomes of them: bytes go straight to the object store.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::json;
use tokio::sync::Semaphore;
use tracing::Instrument;

use super::assembly::Assembly;
use super::assets::{AssetError, AssetView, Views};
use super::auth::Caller;
use super::inspection::Inspection;
use super::layout::Place;
use super::links::LinkError;
use super::multipart::{Assembled, PartsPage, PartsQuery};
use super::ports::{
    AssetStore, Clock, InsertTerms, Inserted, Limit, Meter, NamedCall, ObjectLocation, ObjectStore, PartTag,
    Presigned, StoreError, StoredPart, TicketOutcome, Update, UploadTerms,
};
use super::relocation::{RELEASE_PATIENCE, Relocation};
use crate::media::{
    Asset, AssetId, IdempotencyKey, InvalidField, PartPlan, Periods, Quota, Rejection, Status, Tenant,
    Timestamp, UploadPolicy, UploadRequest, Usage,
};

/// How often a change is tried again because somebody else was faster.
pub(super) const ATTEMPTS: usize = 16;

/// How many uploads are put together from their parts at the same time.
const ASSEMBLIES: usize = 8;
/// How many uploads' parts are listed at the same time.
const LISTINGS: usize = 32;

/// Hands tickets out and finalizes them; with files that come in parts, [`multipart`](super::multipart)
/// goes on.
#[derive(Clone)]
pub struct Uploads {
    pub(super) assets: Arc<dyn AssetStore>,
    pub(super) objects: Arc<dyn ObjectStore>,
    pub(super) views: Views,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) relocation: Relocation,
    inspection: Inspection,
    policy: UploadPolicy,
    pub(super) periods: Periods,
    quota: Quota,
    pub(super) meter: Arc<dyn Meter>,
    pub(super) assembly: Assembly<(AssetId, Arc<Vec<PartTag>>), Assembled>,
    pub(super) listings: Arc<Semaphore>,
}

/// An upload that may be made.
#[derive(Debug)]
pub struct Ticket {
    /// The asset, PENDING.
    pub asset_id: AssetId,
    /// What to send.
    pub sending: Sending,
    /// The full key in the bucket.
    pub storage_key: String,
    /// How long the ticket is good.
    pub expires_in_seconds: u64,
}

/// How a file is sent.
#[derive(Debug)]
pub enum Sending {
    /// By this request.
    Whole(Presigned),
    /// In parts.
    Parts {
        /// How it is cut.
        plan: PartPlan,
        /// The first parts.
        page: PartsPage,
    },
}

impl Uploads {
    /// Joins the parts. `quota` holds for tenants that have none of their own.
    #[must_use]
    #[allow(clippy::too_many_arguments, reason = "each is another part")]
    pub fn new(
        assets: Arc<dyn AssetStore>,
        objects: Arc<dyn ObjectStore>,
        views: Views,
        clock: Arc<dyn Clock>,
        policy: UploadPolicy,
        periods: Periods,
        quota: Quota,
        meter: Arc<dyn Meter>,
    ) -> Self {
        let inspection = Inspection::new(Arc::clone(&objects), Arc::clone(&clock), periods.clone());
        let relocation =
            Relocation::new(Arc::clone(&assets), Arc::clone(&objects), Arc::clone(&clock), periods.clone());
        let (assembly, listings) = (Assembly::new(ASSEMBLIES), Arc::new(Semaphore::new(LISTINGS)));
        Self {
            assets,
            objects,
            views,
            clock,
            relocation,
            inspection,
            policy,
            periods,
            quota,
            meter,
            assembly,
            listings,
        }
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
        let (outcome, ticket) = match self.ticket_for(caller, request, key).await {
            Ok((ticket, first)) => {
                (if first { TicketOutcome::Created } else { TicketOutcome::Repeated }, Ok(ticket))
            }
            Err(error @ (UploadError::Field(_) | UploadError::OtherCall)) => {
                (TicketOutcome::Refused, Err(error))
            }
            Err(error @ UploadError::OverQuota { .. }) => {
                self.meter.limit(Limit::Quota);
                (TicketOutcome::OverQuota, Err(error))
            }
            Err(error @ UploadError::Store(_)) => return Err(error),
        };
        self.meter.ticket(outcome);
        ticket
    }

    /// The ticket, and whether it is the first one of its call.
    async fn ticket_for(
        &self,
        caller: &Caller,
        request: UploadRequest,
        key: Option<IdempotencyKey>,
    ) -> Result<(Ticket, bool), UploadError> {
        let now = self.clock.now();
        let call = key.map(|key| Ok::<_, StoreError>((fingerprint(&request)?, key))).transpose()?;
        let upload = self.policy.check(request)?;
        let plan = self.policy.parts.plan(upload.size_bytes);
        let mut periods = self.periods.clone();
        if plan.is_some() {
            periods.ticket_seconds = self.policy.parts.seconds;
        }
        let expires_at = Timestamp::from_seconds(now.seconds()).plus_seconds(periods.ticket_seconds);
        let call = call.map(|(fingerprint, key)| NamedCall { key, fingerprint, expires_at });
        let (id, place) = (AssetId::generate(), self.views.place(&caller.tenant));
        let key = place
            .asset_key(&caller.tenant, id, &upload.filename, self.views.entrance(upload.visibility))
            .map_err(|error| InvalidField::new("/filename", error.to_string()))?;
        let location = place.location(&key);
        let asset = Asset::pending(id, caller.tenant.id.clone(), key, upload, now, &periods);
        let terms = InsertTerms { call, quota: caller.tenant.quota.or(self.quota), now };
        let (asset, ready, inserted) = match plan {
            Some(plan) => {
                let (asset, inserted) = self.begin(&location, asset, plan, &terms).await?;
                (asset, None, inserted)
            }
            None => {
                let ticket = self.ticket_of(location.clone(), &asset, &[], now).await?;
                let inserted = self.assets.insert(&asset, &terms).await?;
                (asset, Some(ticket), inserted)
            }
        };
        match inserted {
            Inserted::New => match ready {
                Some(ticket) => Ok((ticket, true)),
                None => Ok((self.ticket_of(location, &asset, &[], now).await?, true)),
            },
            Inserted::OverQuota(usage) => Err(UploadError::OverQuota { usage, quota: terms.quota }),
            Inserted::Taken => Err(StoreError::corrupt("a fresh id is taken").into()),
            Inserted::Before { asset, fingerprint } => {
                if terms.call.is_none_or(|call| call.fingerprint != fingerprint) {
                    return Err(UploadError::OtherCall);
                }
                let first = self.assets.find(&caller.tenant.id, asset).await?;
                let first = first.ok_or_else(|| StoreError::corrupt("the asset of a call isn't there"))?;
                let location = place.location(&first.key);
                let stored = match &first.parts {
                    Some(parts) => self.stored(&location, parts).await?.unwrap_or_default(),
                    None => Vec::new(),
                };
                Ok((self.ticket_of(location, &first, &stored, now).await?, false))
            }
        }
    }

    /// The ticket of an asset. That of a file sent whole is the same whenever it is made: it begins when the
    /// asset did.
    async fn ticket_of(
        &self,
        location: ObjectLocation,
        asset: &Asset,
        stored: &[StoredPart],
        now: Timestamp,
    ) -> Result<Ticket, StoreError> {
        let begins = asset.created_at;
        let lives = asset.ticket_expires_at.seconds().saturating_sub(begins.seconds());
        let sending = match &asset.parts {
            Some(parts) => {
                let page = self.page(&location, (asset, parts), stored, PartsQuery::first(), now).await?;
                Sending::Parts { plan: PartPlan::of(asset.size_bytes, parts), page }
            }
            None => {
                let terms = UploadTerms {
                    content_type: asset.content_type.clone(),
                    size_bytes: asset.size_bytes,
                    checksum: asset.checksum.clone(),
                };
                Sending::Whole(self.objects.presign_put(&location, &terms, begins, lives).await?)
            }
        };
        let passed = now.seconds().saturating_sub(begins.seconds());
        let expires_in_seconds = lives.saturating_sub(passed);
        Ok(Ticket { asset_id: asset.id, sending, storage_key: location.key, expires_in_seconds })
    }

    /// Looks at what was uploaded and makes the asset READY, or REJECTED for good. Safe to repeat
    /// and to race: there is one transition, and the same answer for all.
    ///
    /// # Errors
    /// Where nothing was uploaded, or something else than promised.
    pub async fn finalize(&self, caller: &Caller, id: AssetId) -> Result<AssetView, FinalizeError> {
        let asset = self.settle(&caller.tenant, id).await?;
        Ok(self.views.view(caller, asset).await?)
    }

    /// The asset, READY.
    pub(super) async fn settle(&self, tenant: &Tenant, id: AssetId) -> Result<Asset, FinalizeError> {
        for _ in 0..ATTEMPTS {
            let asset = self.assets.find(&tenant.id, id).await?;
            let asset = asset.filter(|asset| asset.deleted_at.is_none()).ok_or(FinalizeError::NotFound)?;
            let place = self.views.place(tenant);
            let in_parts = asset.parts.is_some();
            let changed = match asset.status {
                Status::Ready => return Ok(asset),
                Status::Expired => return Err(FinalizeError::Expired),
                Status::Rejected => return Err(self.reject(&place, asset).await?),
                Status::Pending if asset.is_held(self.clock.now()) => {
                    // Another call moves it.
                    match self.relocation.until_released(&tenant.id, id, RELEASE_PATIENCE).await? {
                        true => continue,
                        false => break,
                    }
                }
                Status::Pending => {
                    match self.inspection.look(&place.location(&asset.key), asset.clone()).await? {
                        Some(changed) => changed,
                        // Somebody faster may have rejected the asset and removed its object.
                        None if !self.is_pending(tenant, id).await? => continue,
                        None if in_parts => return Err(FinalizeError::NotCompleted),
                        None => return Err(FinalizeError::NotUploaded),
                    }
                }
            };
            if changed.status == Status::Ready && asset.is_staged() {
                self.publish(place, asset, changed.dimensions()).await?;
                continue;
            }
            // Whoever was faster decided; the next round gives its answer.
            if self.assets.update(&changed).await? == Update::Done {
                let rejected = changed.status == Status::Rejected;
                self.meter.ticket(if rejected { TicketOutcome::Rejected } else { TicketOutcome::Finalized });
            }
        }
        Err(FinalizeError::Store(StoreError::unavailable("the asset is being changed by others")))
    }

    /// Moves the file of a PENDING asset, which has been looked at, to where it is served, and makes the asset READY.
    /// What became of it where somebody else was faster, the asset says. The work goes on when its caller gives up
    /// waiting.
    async fn publish(
        &self,
        place: Place,
        asset: Asset,
        dimensions: Option<(u32, u32)>,
    ) -> Result<(), StoreError> {
        let Some(held) = self.relocation.claim(asset).await? else { return Ok(()) };
        let relocation = self.relocation.clone();
        let moving = async move { relocation.publish(&place, held, dimensions).await };
        match tokio::spawn(moving.in_current_span()).await.map_err(StoreError::unavailable)? {
            Ok(_) => self.meter.ticket(TicketOutcome::Finalized),
            Err(AssetError::Store(error)) => return Err(error),
            Err(error) => tracing::debug!(%error, "the upload isn't published"),
        }
        Ok(())
    }

    async fn is_pending(&self, tenant: &Tenant, id: AssetId) -> Result<bool, StoreError> {
        let asset = self.assets.find(&tenant.id, id).await?;
        Ok(asset.is_some_and(|asset| asset.status == Status::Pending && asset.deleted_at.is_none()))
    }

    /// The object of a rejected asset goes, also where an earlier call was cut off before it went, and its ticket can
    /// put no other one in its place.
    async fn reject(&self, place: &Place, asset: Asset) -> Result<FinalizeError, StoreError> {
        self.give_place_up(place, &asset).await?;
        let unknown = || Rejection { what: String::new(), expected: String::new(), found: String::new() };
        Ok(FinalizeError::Rejected(asset.rejection.unwrap_or_else(unknown)))
    }

    /// Removes what a ticket has brought, and keeps out what it may still bring.
    pub(super) async fn give_place_up(&self, place: &Place, asset: &Asset) -> Result<(), StoreError> {
        let leave = self.relocation.vacancy(asset);
        self.relocation.files.vacate_file(place, &asset.key, leave).await
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
    /// Its parts haven't been put together yet.
    #[error("the upload's parts haven't been put together yet")]
    NotCompleted,
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
