//! The ways to change assets.

use async_trait::async_trait;
use mongodb::bson::{Document, doc};
use mongodb::error::Error;
use mongodb::options::Hint;

use super::super::Mongo;
use super::super::calls::Call;
use super::super::error;
use super::super::ids::{IdRecord, row};
use super::super::indexes::{ASSETS, ID};
use super::super::record::AssetRecord;
use super::super::transaction::{Attempt, Change, End};
use super::super::usage::Delta;
use crate::media::{Asset, Quota};
use crate::service::ports::{Inserted, StoreError, Update};

/// A new asset.
pub struct Insertion {
    asset: Asset,
    record: AssetRecord,
    id: IdRecord,
    call: Option<Call>,
    quota: Quota,
    delta: Delta,
}

/// What came of trying to put an asset in.
pub enum Tried {
    /// It was decided.
    Done(Inserted),
    /// There is a call of this name: it is to be read what came of it.
    Called,
}

impl Insertion {
    /// An asset to be put into a database.
    pub fn new(asset: &Asset, database: &str, call: Option<Call>, quota: Quota) -> Result<Self, StoreError> {
        Ok(Self {
            asset: asset.clone(),
            record: AssetRecord::of(asset)?,
            id: IdRecord::of(asset, database),
            call,
            quota,
            delta: Delta::between(None, Some(asset)),
        })
    }
}

#[async_trait]
impl Change for Insertion {
    type Outcome = Tried;

    async fn attempt(&self, at: &mut Attempt<'_>) -> Result<End<Tried>, Error> {
        if let Some(call) = &self.call
            && !call.remember(at).await?
        {
            return Ok(End::Undo(Tried::Called));
        }
        if !self.delta.is_none() {
            let Some(after) = self.delta.add(at, &self.asset.tenant).await? else { return Ok(End::Again) };
            let before = self.delta.before(after);
            if !self.quota.has_room(&before, self.asset.size_bytes) {
                return Ok(End::Undo(Tried::Done(Inserted::OverQuota(before))));
            }
        }
        if !self.id.insert(at).await? {
            return Ok(End::Undo(Tried::Done(Inserted::Taken)));
        }
        let assets = at.tenants.collection::<AssetRecord>(ASSETS);
        match assets.insert_one(&self.record).session(&mut *at.session).await {
            Err(error) if error::is_duplicate(&error) => Ok(End::Undo(Tried::Done(Inserted::Taken))),
            inserted => inserted.map(|_| End::Commit(Tried::Done(Inserted::New))),
        }
    }
}

/// An asset in the place of its last revision.
pub struct Replacement {
    before: Document,
    record: AssetRecord,
    asset: Asset,
    delta: Delta,
    due_moves: bool,
}

impl Replacement {
    /// From one state to the next.
    pub fn new(before: &Asset, after: &Asset) -> Result<Self, StoreError> {
        Ok(Self {
            before: as_it_was(before)?,
            record: AssetRecord::of(after)?,
            asset: after.clone(),
            delta: Delta::between(Some(before), Some(after)),
            due_moves: before.due_at != after.due_at,
        })
    }
}

#[async_trait]
impl Change for Replacement {
    type Outcome = Update;

    async fn attempt(&self, at: &mut Attempt<'_>) -> Result<End<Update>, Error> {
        let assets = at.tenants.collection::<Document>(ASSETS);
        let record = mongodb::bson::serialize_to_document(&self.record)?;
        let replace = assets.find_one_and_replace(self.before.clone(), record);
        let replace = replace.projection(doc! { "_id": 1 }).hint(by_id()).max_time(at.max_time);
        if replace.session(&mut *at.session).await?.is_none() {
            return Ok(End::Undo(Update::Stale));
        }
        if !self.delta.is_none() && self.delta.add(at, &self.asset.tenant).await?.is_none() {
            return Ok(End::Again);
        }
        if self.due_moves {
            IdRecord::move_due(at, &self.asset).await?;
        }
        Ok(End::Commit(Update::Done))
    }
}

/// An asset that goes for good.
pub struct Removal {
    before: Document,
    asset: Asset,
    delta: Delta,
}

impl Removal {
    /// Of an asset as it is.
    pub fn new(asset: Asset) -> Result<Self, StoreError> {
        Ok(Self { before: as_it_was(&asset)?, delta: Delta::between(Some(&asset), None), asset })
    }
}

#[async_trait]
impl Change for Removal {
    type Outcome = Update;

    async fn attempt(&self, at: &mut Attempt<'_>) -> Result<End<Update>, Error> {
        let assets = at.tenants.collection::<Document>(ASSETS);
        let remove = assets.find_one_and_delete(self.before.clone()).projection(doc! { "_id": 1 });
        if remove.hint(by_id()).max_time(at.max_time).session(&mut *at.session).await?.is_none() {
            return Ok(End::Undo(Update::Stale));
        }
        if !self.delta.is_none() && self.delta.add(at, &self.asset.tenant).await?.is_none() {
            return Ok(End::Again);
        }
        IdRecord::remove(at, &self.asset).await?;
        Ok(End::Commit(Update::Done))
    }
}

impl Mongo {
    /// Replaces an asset where nothing else changes with it.
    pub(super) async fn replace(
        &self,
        database: &str,
        replacement: &Replacement,
    ) -> Result<Update, StoreError> {
        let cluster = &self.0.cluster;
        let replaced = cluster
            .tenant(database, |database| async move {
                let record = mongodb::bson::serialize_to_document(&replacement.record)?;
                let assets = database.collection::<Document>(ASSETS);
                let replace = assets.find_one_and_replace(replacement.before.clone(), record);
                replace.projection(doc! { "_id": 1 }).hint(by_id()).max_time(cluster.max_time()).await
            })
            .await?;
        Ok(if replaced.is_some() { Update::Done } else { Update::Stale })
    }
}

fn by_id() -> Hint {
    Hint::Name(ID.to_owned())
}

/// Matches an asset as it was read: its revision, and beside it what the tenant's usage depends on, should an
/// asset have been removed and put in again meanwhile.
fn as_it_was(asset: &Asset) -> Result<Document, StoreError> {
    let whole = |number| i64::try_from(number).map_err(StoreError::corrupt);
    let mut filter = row(asset.id, &asset.tenant);
    filter.extend(doc! {
        "revision": whole(asset.revision)?,
        "status": asset.status.as_str(),
        "deleted": asset.deleted_at.is_some(),
        "sizeBytes": whole(asset.size_bytes)?,
    });
    Ok(filter)
}
