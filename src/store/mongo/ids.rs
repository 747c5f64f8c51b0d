//! `media_ids` of the control plane: whose an id is, where its asset lies, and when that is due. The one place
//! where nothing has to be known of a tenant. A row is written, changed and removed in the transaction that does
//! so to its asset.

use futures_util::TryStreamExt;
use mongodb::bson::{Bson, DateTime, Document, doc};
use mongodb::options::Hint;
use serde::{Deserialize, Serialize};

use super::Mongo;
use super::connection_permits::{Owner, Permit, Work};
use super::indexes::{ASSETS, DUE, IDS};
use super::record::{date_or_last, timestamp};
use crate::media::{Asset, AssetId, TenantId, Timestamp};
use crate::service::ports::{Due, StoreError};

/// A document of `media_ids`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdRecord {
    /// The asset's id.
    #[serde(rename = "_id")]
    pub id: AssetId,
    /// Its tenant.
    #[serde(rename = "groupID")]
    pub group_id: TenantId,
    /// The database in which it lies.
    pub db_key: String,
    /// When it is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_at: Option<DateTime>,
}

/// Only the id.
#[derive(Deserialize)]
struct IdAlone {
    #[serde(rename = "_id")]
    id: AssetId,
}

impl IdRecord {
    /// Where an asset is to lie.
    pub fn of(asset: &Asset, database: &str) -> Self {
        Self {
            id: asset.id,
            group_id: asset.tenant.clone(),
            db_key: database.to_owned(),
            due_at: asset.due_at.map(date_or_last),
        }
    }

    /// The statement of an `update` that sets an asset's due time.
    pub fn due_statement(asset: &Asset) -> Bson {
        let change = match asset.due_at {
            Some(due_at) => doc! { "$set": { "dueAt": date_or_last(due_at) } },
            None => doc! { "$unset": { "dueAt": "" } },
        };
        doc! { "q": row(asset.id, &asset.tenant), "u": change, "hint": { "_id": 1 } }.into()
    }

    /// The statement of a `delete` that removes an asset's row.
    pub fn removal_statement(asset: &Asset) -> Bson {
        doc! { "q": row(asset.id, &asset.tenant), "limit": 1, "hint": { "_id": 1 } }.into()
    }
}

impl Mongo {
    /// Reads the rows of these ids, with a permit that the caller has already.
    pub(super) async fn rows_with(
        &self,
        permit: Permit,
        ids: &[AssetId],
    ) -> Result<Vec<IdRecord>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let cluster = &self.0.cluster;
        cluster
            .control_with(permit, |database| async move {
                let rows = database.collection::<IdRecord>(IDS);
                let found = rows.find(doc! { "_id": { "$in": texts(ids) } }).max_time(cluster.max_time());
                found.await?.try_collect().await
            })
            .await
    }

    /// Which of these ids are taken.
    pub(super) async fn taken(&self, ids: &[AssetId]) -> Result<Vec<AssetId>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let cluster = &self.0.cluster;
        let found: Vec<IdAlone> = cluster
            .control(Owner::Stranger, Work::Read, |database| async move {
                let rows = database.collection::<IdAlone>(IDS);
                let found = rows.find(doc! { "_id": { "$in": texts(ids) } }).projection(doc! { "_id": 1 });
                found.max_time(cluster.max_time()).await?.try_collect().await
            })
            .await?;
        Ok(found.into_iter().map(|row| row.id).collect())
    }

    /// What is due, the longest due first.
    pub(super) async fn due_rows(
        &self,
        now: Timestamp,
        after: Option<&Due>,
        limit: usize,
    ) -> Result<Vec<Due>, StoreError> {
        let Some(limit) = i64::try_from(limit).ok().filter(|limit| *limit > 0) else {
            return Ok(Vec::new());
        };
        let mut filter = doc! { "dueAt": { "$lte": date_or_last(now) } };
        if let Some(after) = after {
            let at = date_or_last(after.at);
            filter = doc! {
                "dueAt": { "$lte": date_or_last(now), "$gte": at },
                "$or": [{ "dueAt": { "$gt": at } }, { "dueAt": at, "_id": { "$gt": after.id.to_string() } }],
            };
        }
        let cluster = &self.0.cluster;
        let rows: Vec<IdRecord> = cluster
            .control(Owner::Node, Work::Read, |database| async move {
                let rows = database.collection::<IdRecord>(IDS);
                let due = rows.find(filter).sort(doc! { "dueAt": 1, "_id": 1 }).limit(limit);
                let due = due.hint(Hint::Name(DUE.to_owned())).max_time(cluster.max_time());
                due.await?.try_collect().await
            })
            .await?;
        let due = rows
            .into_iter()
            .filter_map(|row| Some(Due { at: timestamp(row.due_at?)?, tenant: row.group_id, id: row.id }));
        Ok(due.collect())
    }

    /// Removes the row of an asset that isn't there.
    pub(super) async fn forget_row(&self, due: &Due) -> Result<(), StoreError> {
        let Some(place) = self.place_of(due.id).await?.filter(|place| place.group_id == due.tenant) else {
            return Ok(());
        };
        let cluster = &self.0.cluster;
        let filter = row(due.id, &due.tenant);
        let there = cluster
            .tenant(&due.tenant, Work::Read, &place.db_key, |database| async move {
                let assets = database.collection::<Document>(ASSETS);
                let find = assets.find_one(filter).projection(doc! { "_id": 1 });
                find.max_time(cluster.max_time()).await
            })
            .await?;
        if there.is_some() {
            return Ok(());
        }
        let mut filter = row(due.id, &due.tenant);
        filter.insert("dueAt", date_or_last(due.at));
        cluster
            .control(Owner::Node, Work::Write, |database| async move {
                let ids = database.collection::<Document>(IDS);
                let remove = ids.find_one_and_delete(filter).projection(doc! { "_id": 1 });
                remove.hint(Hint::Keys(doc! { "_id": 1 })).max_time(cluster.max_time()).await
            })
            .await?;
        Ok(())
    }
}

/// The filter for a tenant's asset. `_id` comes first, as some servers only try the first member's index.
pub fn row(id: AssetId, tenant: &TenantId) -> Document {
    doc! { "_id": id.to_string(), "groupID": tenant.as_str() }
}

/// Ids as they are written.
pub fn texts(ids: &[AssetId]) -> Vec<Bson> {
    ids.iter().map(|id| id.to_string().into()).collect()
}
