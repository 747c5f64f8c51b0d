//! Reading and changing what is stored.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::Instrument;

use super::auth::Caller;
use super::cursor::{Cursors, WrongCursor};
use super::delivery::{Delivery, Target};
use super::layout::Place;
use super::links::{Link, LinkError};
use super::ports::{AssetFilter, AssetStore, Clock, ListPosition, ObjectStore, StoreError, Update};
use super::relocation::{Destination, MOVE_PATIENCE, RELEASE_PATIENCE, Relocation, patched};
use super::uploads::ATTEMPTS;
use crate::media::{
    Asset, AssetId, InvalidField, Periods, Quota, Status, StatusConflict, Tenant, Timestamp,
    TooManyDerivatives, Usage, Visibility,
};

/// An asset as its tenant sees it.
#[derive(Debug, Clone)]
pub struct AssetView {
    /// The asset.
    pub asset: Asset,
    /// Its full key in the bucket.
    pub storage_key: String,
    /// Its link, once READY, for callers who may have it.
    pub link: Option<Link>,
}

/// Makes views of assets. Decides for all routes whether a view has a link: only its caller's scopes say so, not what the
/// route is for.
#[derive(Clone)]
pub struct Views {
    delivery: Delivery,
}

impl Views {
    /// Joins the parts.
    #[must_use]
    pub fn new(delivery: Delivery) -> Self {
        Self { delivery }
    }

    /// Returns the visibility under which an upload is stored until it is verified. Files of that visibility are served
    /// by signature only.
    pub(super) fn entrance(&self, visibility: Visibility) -> Visibility {
        if self.delivery.is_open() { Visibility::Private } else { visibility }
    }

    /// Where a tenant's media lies.
    #[must_use]
    pub fn place(&self, tenant: &Tenant) -> Place {
        self.delivery.place(tenant)
    }

    /// One asset.
    ///
    /// # Errors
    /// Where its link can't be made.
    pub async fn view(&self, caller: &Caller, asset: Asset) -> Result<AssetView, LinkError> {
        let place = self.place(&caller.tenant);
        let link = if has_link(caller, &asset) {
            Some(self.delivery.link(self.target(&place, &asset)?).await?)
        } else {
            None
        };
        Ok(AssetView { storage_key: place.storage_key(&asset.key), asset, link })
    }

    /// Many assets; what isn't cached is signed in parallel.
    ///
    /// # Errors
    /// Where a link can't be made.
    pub async fn views(&self, caller: &Caller, assets: Vec<Asset>) -> Result<Vec<AssetView>, LinkError> {
        let place = self.place(&caller.tenant);
        let linked = assets.iter().filter(|asset| has_link(caller, asset));
        let targets = linked.map(|asset| self.target(&place, asset));
        let mut links = self.delivery.links(targets.collect::<Result<_, _>>()?).await?.into_iter();
        let mut view = |asset: Asset| {
            let made = if has_link(caller, &asset) { links.next().transpose()? } else { None };
            let link = made.map(|made| made.link);
            Ok(AssetView { storage_key: place.storage_key(&asset.key), link, asset })
        };
        assets.into_iter().map(&mut view).collect()
    }

    fn target(&self, place: &Place, asset: &Asset) -> Result<Target, LinkError> {
        self.delivery.asset_file(place, asset.visibility, asset.key.clone(), None)
    }
}

/// Returns whether a caller gets an asset's link with it.
fn has_link(caller: &Caller, asset: &Asset) -> bool {
    asset.is_servable() && caller.scopes.may_fetch(asset.visibility)
}

/// Reads and changes assets.
pub struct Assets {
    store: Arc<dyn AssetStore>,
    views: Views,
    clock: Arc<dyn Clock>,
    cursors: Cursors,
    periods: Periods,
    quota: Quota,
    relocation: Relocation,
}

/// A page of a list.
#[derive(Debug)]
pub struct AssetPage {
    /// The assets, newest first.
    pub items: Vec<AssetView>,
    /// Where the next page begins; `None` after the last one.
    pub next_cursor: Option<String>,
}

/// What is to be changed.
#[derive(Debug, Clone, Default)]
pub struct AssetPatch {
    /// Who may read it from now on.
    pub visibility: Option<Visibility>,
    /// A merge patch (RFC 7396) of its metadata.
    pub metadata: Option<Map<String, Value>>,
}

/// An asset that is deleted, and the task that moves its objects out of reach.
#[derive(Debug)]
pub struct Deletion {
    work: JoinHandle<Result<bool, AssetError>>,
    repeated: bool,
}

impl Deletion {
    /// Waits until its objects are out of reach, for so long; whether they are.
    ///
    /// # Errors
    /// [`AssetError::NotFound`] where somebody else has deleted it meanwhile; where a store can't answer: what is left
    /// to be done is done by the lifecycle worker, or when the asset is deleted once more.
    pub async fn finished(self, patience: Duration) -> Result<bool, AssetError> {
        let Ok(done) = timeout(patience, self.work).await else { return Ok(false) };
        match done.map_err(StoreError::unavailable)?? {
            true if self.repeated => Err(AssetError::NotFound),
            done => Ok(done),
        }
    }
}

/// Which revision of an asset a change was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Whichever it has.
    Any,
    /// One of these.
    Revisions(Vec<u64>),
}

impl Expected {
    fn check(&self, asset: &Asset) -> Result<(), AssetError> {
        match self {
            Self::Revisions(revisions) if !revisions.contains(&asset.revision) => Err(AssetError::Stale),
            _ => Ok(()),
        }
    }
}

impl Assets {
    /// The longest page.
    pub const MAX_PAGE: usize = 200;
    /// The page where nothing is said.
    pub const DEFAULT_PAGE: usize = 50;

    /// Joins the parts. `quota` holds for tenants that have none of their own.
    #[must_use]
    pub fn new(
        store: Arc<dyn AssetStore>,
        objects: Arc<dyn ObjectStore>,
        views: Views,
        clock: Arc<dyn Clock>,
        cursors: Cursors,
        periods: Periods,
        quota: Quota,
    ) -> Self {
        let relocation = Relocation::new(Arc::clone(&store), objects, Arc::clone(&clock), periods.clone());
        Self { store, views, clock, cursors, periods, quota, relocation }
    }

    /// A page of the tenant's assets, newest first.
    ///
    /// # Errors
    /// Where the cursor isn't one of this tenant's, or a store can't answer.
    pub async fn list(
        &self,
        caller: &Caller,
        filter: AssetFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<AssetPage, AssetError> {
        let tenant = &caller.tenant.id;
        let after = cursor.map(|cursor| self.cursors.read(tenant, cursor)).transpose()?;
        let limit = limit.clamp(1, Self::MAX_PAGE);
        let mut assets = self.store.list(tenant, &filter, after, limit + 1).await?;
        let more = assets.len() > limit;
        assets.truncate(limit);
        let last = assets.last().map(|asset| ListPosition { created_at: asset.created_at, id: asset.id });
        let next_cursor = last.filter(|_| more).map(|position| self.cursors.write(tenant, position));
        Ok(AssetPage { items: self.views.views(caller, assets).await?, next_cursor })
    }

    /// One asset; a deleted one for as long as its objects are on their way out of reach.
    ///
    /// # Errors
    /// Where it isn't there, or a store can't answer.
    pub async fn find(&self, caller: &Caller, id: AssetId) -> Result<AssetView, AssetError> {
        let asset = self.store.find(&caller.tenant.id, id).await?.ok_or(AssetError::NotFound)?;
        if asset.deleted_at.is_some() && !asset.is_deleting() {
            return Err(AssetError::NotFound);
        }
        Ok(self.views.view(caller, asset).await?)
    }

    /// Changes an asset. If its visibility is named, the object lies where that wants it before this returns: a move that
    /// is under way is waited for, and one that was cut off is finished.
    ///
    /// # Errors
    /// Where it isn't there, the change isn't allowed, or a store can't answer.
    pub async fn patch(
        &self,
        caller: &Caller,
        id: AssetId,
        expected: &Expected,
        patch: AssetPatch,
    ) -> Result<AssetView, AssetError> {
        for _ in 0..ATTEMPTS {
            let mut before = self.read(caller, id).await?;
            expected.check(&before)?;
            if patch.visibility.is_some() && before.is_held(self.clock.now()) {
                self.wait(caller, id).await?;
                continue;
            }
            // Reject an invalid patch before anything is moved.
            patched(&before, patch.metadata.as_ref())?;
            if patch.visibility.is_some() && before.hold.is_some() {
                // Finish a move or a restore that was interrupted.
                match self.end_move(&caller.tenant, before).await? {
                    Some(moved) => before = moved,
                    None => continue,
                }
            }
            if let Some(visibility) = patch.visibility
                && visibility != before.visibility
            {
                match self.relocate(&caller.tenant, before, visibility, patch.metadata.clone()).await? {
                    Some(moved) => return Ok(self.views.view(caller, moved).await?),
                    None => continue,
                }
            }
            let metadata = patched(&before, patch.metadata.as_ref())?;
            let after = before.described(metadata, self.clock.now())?;
            if self.store.update(&after).await? == Update::Done {
                return Ok(self.views.view(caller, after).await?);
            }
        }
        Err(AssetError::Contended)
    }

    /// The asset, moved to where another visibility wants it; `None` where somebody else was faster.
    async fn relocate(
        &self,
        tenant: &Tenant,
        before: Asset,
        visibility: Visibility,
        metadata: Option<Map<String, Value>>,
    ) -> Result<Option<Asset>, AssetError> {
        let place = self.views.place(tenant);
        let key = place
            .asset_key(tenant, before.id, &before.filename, visibility)
            .map_err(|error| InvalidField::new("/visibility", error.to_string()))?;
        if before.status != Status::Ready {
            return Err(StatusConflict { status: before.status }.into());
        }
        let Some(held) = self.relocation.claim(before).await? else { return Ok(None) };
        let (relocation, to) = (self.relocation.clone(), Destination { visibility, key, metadata });
        let moving = async move { relocation.run(&place, held, to).await };
        let moving = tokio::spawn(moving.in_current_span());
        moving.await.map_err(StoreError::unavailable)?.map(Some)
    }

    /// Finishes a move that was cut off. Returns the asset, or `None` if somebody else was faster.
    async fn end_move(&self, tenant: &Tenant, before: Asset) -> Result<Option<Asset>, AssetError> {
        let Some(held) = self.relocation.claim(before).await? else { return Ok(None) };
        let (relocation, place) = (self.relocation.clone(), self.views.place(tenant));
        let moving = async move { relocation.end_move(&place, &held).await };
        tokio::spawn(moving.in_current_span()).await.map_err(StoreError::unavailable)?.map(Some)
    }

    /// Waits until nobody holds an asset, but not for long.
    async fn wait(&self, caller: &Caller, id: AssetId) -> Result<(), AssetError> {
        match self.relocation.until_released(&caller.tenant.id, id, MOVE_PATIENCE).await? {
            true => Ok(()),
            false => Err(AssetError::Contended),
        }
    }

    /// Deletes an asset: links to it end at once. The task that moves its objects out of reach goes on when its caller
    /// gives up waiting. Of an asset that is being deleted already, the work is joined, or done where it was cut off.
    ///
    /// # Errors
    /// Where it isn't there, or the store can't answer.
    pub async fn delete(
        &self,
        caller: &Caller,
        id: AssetId,
        expected: &Expected,
    ) -> Result<Deletion, AssetError> {
        for _ in 0..ATTEMPTS {
            let asset = self.store.find(&caller.tenant.id, id).await?.ok_or(AssetError::NotFound)?;
            let now = self.clock.now();
            let (free, hold) = (!asset.is_held(now), self.relocation.hold());
            let changed = if asset.deleted_at.is_none() {
                expected.check(&asset)?;
                let deleted = asset.deleted(&self.periods, now);
                if free { deleted.claimed(hold) } else { deleted }
            } else if asset.is_deleting() {
                if !free {
                    return Ok(Deletion { work: self.removal(caller, id, None), repeated: true });
                }
                asset.held(hold, now)
            } else {
                return Err(AssetError::NotFound);
            };
            if self.store.update(&changed).await? == Update::Done {
                let mine = free.then_some(changed);
                return Ok(Deletion { work: self.removal(caller, id, mine), repeated: false });
            }
        }
        Err(AssetError::Contended)
    }

    /// The task that moves a deleted asset's objects out of reach: at once where it is held for that, otherwise when
    /// it is released.
    fn removal(
        &self,
        caller: &Caller,
        id: AssetId,
        held: Option<Asset>,
    ) -> JoinHandle<Result<bool, AssetError>> {
        let (relocation, place) = (self.relocation.clone(), self.views.place(&caller.tenant));
        let tenant = caller.tenant.id.clone();
        let work = async move {
            let mut held = held;
            for _ in 0..ATTEMPTS {
                if let Some(held) = &held {
                    return relocation.discard(&place, held).await.map(|_| true);
                }
                if !relocation.until_released(&tenant, id, RELEASE_PATIENCE).await? {
                    return Ok(false);
                }
                let asset = relocation.store.find(&tenant, id).await?;
                let Some(asset) = asset.filter(Asset::is_deleting) else { return Ok(true) };
                if asset.is_held(relocation.clock.now()) {
                    continue;
                }
                held = relocation.claim(asset).await?;
            }
            Ok(false)
        };
        tokio::spawn(work.in_current_span())
    }

    /// Brings a deleted asset back, as it was, within the days that deleted ones are kept. Its objects are back
    /// before it is.
    ///
    /// # Errors
    /// Where it isn't there, isn't deleted or was deleted too long ago, or a store can't answer.
    pub async fn restore(&self, caller: &Caller, id: AssetId) -> Result<AssetView, AssetError> {
        for _ in 0..ATTEMPTS {
            let asset = self.store.find(&caller.tenant.id, id).await?.ok_or(AssetError::NotFound)?;
            let now = self.clock.now();
            let Some(deleted_at) = asset.deleted_at else {
                // A restore may have been interrupted before it had cleared the trash.
                if asset.hold.is_none() {
                    return Err(AssetError::NotDeleted);
                }
                if asset.is_held(now) {
                    self.wait(caller, id).await?;
                } else if let Some(restored) = self.end_move(&caller.tenant, asset).await? {
                    return Ok(self.views.view(caller, restored).await?);
                }
                continue;
            };
            let in_time = self.periods.restorable_until(&asset).is_some_and(|until| now < until);
            if asset.purging || !in_time {
                return Err(AssetError::Gone { deleted_at });
            }
            if asset.is_held(now) {
                self.wait(caller, id).await?;
                continue;
            }
            let Some(held) = self.relocation.claim(asset.returning()).await? else { continue };
            let (relocation, place) = (self.relocation.clone(), self.views.place(&caller.tenant));
            let moving = async move { relocation.bring_back(&place, &held).await };
            let restored =
                tokio::spawn(moving.in_current_span()).await.map_err(StoreError::unavailable)??;
            return Ok(self.views.view(caller, restored).await?);
        }
        Err(AssetError::Contended)
    }

    /// What the tenant has, and how much it may.
    ///
    /// # Errors
    /// Where the store can't answer.
    pub async fn usage(&self, caller: &Caller) -> Result<(Usage, Quota), AssetError> {
        let usage = self.store.usage(&caller.tenant.id).await?;
        Ok((usage, caller.tenant.quota.or(self.quota)))
    }

    async fn read(&self, caller: &Caller, id: AssetId) -> Result<Asset, AssetError> {
        let asset = self.store.find(&caller.tenant.id, id).await?;
        asset.filter(|asset| asset.deleted_at.is_none()).ok_or(AssetError::NotFound)
    }
}

impl From<TooManyDerivatives> for AssetError {
    fn from(error: TooManyDerivatives) -> Self {
        InvalidField::new("/metadata/derivatives", error.to_string()).into()
    }
}

impl From<WrongCursor> for AssetError {
    fn from(error: WrongCursor) -> Self {
        Self::Cursor(error)
    }
}

/// Why an asset can't be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum AssetError {
    /// There is no such asset of this tenant.
    #[error("there is no such asset")]
    NotFound,
    /// The page that is asked for isn't one of this tenant's.
    #[error("the cursor is no nextCursor of this list")]
    Cursor(WrongCursor),
    /// Something in the request is wrong.
    #[error(transparent)]
    Field(#[from] InvalidField),
    /// Its state doesn't allow the change.
    #[error(transparent)]
    Status(#[from] StatusConflict),
    /// It has been changed since its caller read it.
    #[error("the asset has been changed meanwhile")]
    Stale,
    /// It isn't deleted.
    #[error("the asset isn't deleted")]
    NotDeleted,
    /// It was deleted too long ago.
    #[error("the asset was deleted too long ago")]
    Gone {
        /// When.
        deleted_at: Timestamp,
    },
    /// Others keep changing it.
    #[error("the asset is being changed by others")]
    Contended,
    /// Its link can't be made.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A store can't answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}
