//! What a tenant has: a document of its own, updated in each transaction that changes the counts. What is READY is
//! kept in the tenant's group too (`mediaUsage`), where Vivreal's services look for it.
//!
//! Both are changed by how much, never set: others count there as well.

use mongodb::bson::{Document, doc};
use mongodb::error::Error;
use mongodb::options::{Hint, ReturnDocument};
use serde::{Deserialize, Serialize};

use super::indexes::USAGE;
use super::tenants::GROUPS;
use super::writes::Attempt;
use super::{error, group};
use crate::media::{Asset, Tally, TenantId, Usage};

/// A document of `media_usage`.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct UsageRecord {
    #[serde(default)]
    ready: TallyRecord,
    #[serde(default)]
    pending: TallyRecord,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct TallyRecord {
    #[serde(default)]
    count: i64,
    #[serde(default)]
    bytes: i64,
}

/// By how much a change changes what its tenant has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delta {
    ready: (i64, i64),
    pending: (i64, i64),
}

impl Delta {
    /// From one state of an asset to another; `None` is not being there.
    pub fn between(before: Option<&Asset>, after: Option<&Asset>) -> Self {
        let tallies = |asset: Option<&Asset>| asset.map(Asset::tallies).unwrap_or_default();
        let ((ready_before, pending_before), (ready, pending)) = (tallies(before), tallies(after));
        Self { ready: less(ready, ready_before), pending: less(pending, pending_before) }
    }

    /// Whether nothing changes.
    pub fn is_none(&self) -> bool {
        *self == Self { ready: (0, 0), pending: (0, 0) }
    }

    /// The sum of several.
    pub fn sum<'a>(deltas: impl IntoIterator<Item = &'a Self>) -> Self {
        let add = |(count, bytes): (i64, i64), (more, larger): (i64, i64)| {
            (count.saturating_add(more), bytes.saturating_add(larger))
        };
        let none = Self { ready: (0, 0), pending: (0, 0) };
        deltas.into_iter().fold(none, |sum, delta| Self {
            ready: add(sum.ready, delta.ready),
            pending: add(sum.pending, delta.pending),
        })
    }

    /// Returns the usage after this change.
    pub fn after(&self, before: Usage) -> Usage {
        let add = |tally: Tally, (count, bytes): (i64, i64)| Tally {
            count: tally.count.saturating_add_signed(count),
            bytes: tally.bytes.saturating_add_signed(bytes),
        };
        Usage { ready: add(before.ready, self.ready), pending: add(before.pending, self.pending) }
    }

    /// What was there before this was added.
    pub fn before(&self, after: Usage) -> Usage {
        let back = |(count, bytes): (i64, i64)| (count.saturating_neg(), bytes.saturating_neg());
        Self { ready: back(self.ready), pending: back(self.pending) }.after(after)
    }

    /// Adds it to what a tenant has; gives what that is then. `None` where another node has made the tenant's
    /// first document meanwhile.
    pub async fn add(&self, at: &mut Attempt<'_>, tenant: &TenantId) -> Result<Option<Usage>, Error> {
        let usage = at.tenants.collection::<UsageRecord>(USAGE);
        let add = doc! { "$inc": {
            "ready.count": self.ready.0, "ready.bytes": self.ready.1,
            "pending.count": self.pending.0, "pending.bytes": self.pending.1,
        } };
        let update = usage
            .find_one_and_update(of(tenant), add)
            .upsert(true)
            .return_document(ReturnDocument::After)
            .max_time(at.max_time)
            .session(&mut *at.session);
        match update.await {
            Err(error) if error::is_duplicate(&error) => Ok(None),
            after => Ok(Some(after?.unwrap_or_default().usage())),
        }
    }

    /// Adds what is READY to `mediaUsage` of the tenant's group.
    pub async fn add_to_group(&self, at: &mut Attempt<'_>, tenant: &TenantId) -> Result<(), Error> {
        if self.ready == (0, 0) {
            return Ok(());
        }
        let groups = at.control.collection::<Document>(GROUPS);
        // One of another shape is somebody else's: it isn't touched, and doesn't stand in the way.
        let is_missing_or = |member: &str, kind: &str| {
            doc! { "$or": [{ member: { "$exists": false } }, { member: { "$type": kind } }] }
        };
        let filter = doc! { "_id": { "$in": group::ids(tenant) }, "$and": [
            is_missing_or("mediaUsage", "object"),
            is_missing_or("mediaUsage.count", "number"),
            is_missing_or("mediaUsage.bytes", "number"),
        ] };
        let add = doc! { "$inc": { "mediaUsage.count": self.ready.0, "mediaUsage.bytes": self.ready.1 } };
        let update = groups
            .find_one_and_update(filter, add)
            .projection(doc! { "_id": 1 })
            .hint(Hint::Keys(doc! { "_id": 1 }))
            .max_time(at.max_time)
            .session(&mut *at.session);
        if update.await?.is_none() {
            tracing::warn!(%tenant, "mediaUsage of the group isn't {{count, bytes}}, both of them numbers: it isn't kept");
        }
        Ok(())
    }
}

impl UsageRecord {
    /// What the tenant has. Less than nothing is nothing.
    pub fn usage(self) -> Usage {
        Usage { ready: self.ready.tally(), pending: self.pending.tally() }
    }
}

impl TallyRecord {
    fn tally(self) -> Tally {
        let positive = |number| u64::try_from(number).unwrap_or(0);
        Tally { count: positive(self.count), bytes: positive(self.bytes) }
    }
}

/// The document of a tenant.
pub fn of(tenant: &TenantId) -> Document {
    doc! { "groupID": tenant.as_str() }
}

fn less(after: Tally, before: Tally) -> (i64, i64) {
    let less = |after: u64, before: u64| {
        let far = i64::try_from(after.abs_diff(before)).unwrap_or(i64::MAX);
        if after < before { far.saturating_neg() } else { far }
    };
    (less(after.count, before.count), less(after.bytes, before.bytes))
}
