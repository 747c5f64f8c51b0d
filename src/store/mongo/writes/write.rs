//! What can be written of an asset.

use mongodb::bson::{Document, doc};

use super::super::calls::Call;
use super::super::ids::{IdRecord, row};
use super::super::record::AssetRecord;
use super::super::usage::Delta;
use crate::media::{Asset, AssetId, Quota};
use crate::service::ports::{Inserted, StoreError, Update};

/// A change of an asset, with what changes in the same transaction.
pub enum Write {
    /// A new asset.
    Insert(Box<Insertion>),
    /// An asset in the place of its last revision.
    Replace(Box<Replacement>),
    /// An asset that goes for good.
    Remove(Box<Removal>),
}

/// What came of a write.
#[derive(Debug)]
pub enum Outcome {
    /// Of an insertion.
    Inserted(Inserted),
    /// Of an insertion: there is a call of its name, whose result is to be read.
    Called,
    /// Of a replacement or a removal.
    Updated(Update),
}

/// A new asset.
pub struct Insertion {
    pub asset: Asset,
    pub record: AssetRecord,
    pub id: IdRecord,
    pub call: Option<Call>,
    pub quota: Quota,
    delta: Delta,
}

/// An asset in the place of its last revision.
pub struct Replacement {
    /// Matches the revision that is replaced.
    pub before: Document,
    pub record: Document,
    pub asset: Asset,
    /// Whether it is due at another time.
    pub due_moves: bool,
    delta: Delta,
}

/// An asset that goes for good.
pub struct Removal {
    /// Matches the revision that is removed.
    pub before: Document,
    pub asset: Asset,
    delta: Delta,
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

impl Replacement {
    /// From one state to the next.
    pub fn new(before: &Asset, after: &Asset) -> Result<Self, StoreError> {
        let record = mongodb::bson::serialize_to_document(&AssetRecord::of(after)?);
        Ok(Self {
            before: as_it_was(before)?,
            record: record.map_err(StoreError::corrupt)?,
            asset: after.clone(),
            due_moves: before.due_at != after.due_at,
            delta: Delta::between(Some(before), Some(after)),
        })
    }

    /// Whether nothing else changes with the asset.
    pub fn is_alone(&self) -> bool {
        !self.due_moves && self.delta.is_none()
    }
}

impl Removal {
    /// Of an asset as it is.
    pub fn new(asset: Asset) -> Result<Self, StoreError> {
        Ok(Self { before: as_it_was(&asset)?, delta: Delta::between(Some(&asset), None), asset })
    }
}

impl Write {
    /// The asset's id.
    pub fn id(&self) -> AssetId {
        match self {
            Self::Insert(insertion) => insertion.asset.id,
            Self::Replace(replacement) => replacement.asset.id,
            Self::Remove(removal) => removal.asset.id,
        }
    }

    /// What it changes of its tenant's usage.
    pub fn delta(&self) -> &Delta {
        match self {
            Self::Insert(insertion) => &insertion.delta,
            Self::Replace(replacement) => &replacement.delta,
            Self::Remove(removal) => &removal.delta,
        }
    }

    /// What its caller is told once it is committed.
    pub fn done(&self) -> Outcome {
        match self {
            Self::Insert(_) => Outcome::Inserted(Inserted::New),
            Self::Replace(_) | Self::Remove(_) => Outcome::Updated(Update::Done),
        }
    }
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
