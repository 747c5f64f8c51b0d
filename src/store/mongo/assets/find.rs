//! The ways to read assets: each one query, on one index.

use futures_util::TryStreamExt;
use mongodb::bson::{Document, doc};
use mongodb::options::Hint;

use super::super::Mongo;
use super::super::connection_permits::{Owner, Permit, Work};
use super::super::ids::texts;
use super::super::indexes::{ASSETS, LIST, LIST_STATUS, LIST_TYPE, LIST_VISIBILITY, USAGE};
use super::super::record::{AssetRecord, date_or_last};
use super::super::usage::{self, UsageRecord};
use crate::media::{Asset, AssetId, TenantId, Usage};
use crate::service::ports::{AssetFilter, ListPosition, StoreError};

impl Mongo {
    /// Many assets.
    pub(super) async fn find_many_in(
        &self,
        database: &str,
        tenant: &TenantId,
        ids: &[AssetId],
    ) -> Result<Vec<Asset>, StoreError> {
        let permit = self.0.cluster.permit(Owner::Tenant(tenant.clone()), Work::Read).await?;
        self.find_with(permit, database, tenant, ids).await
    }

    /// Like [`Mongo::find_many_in`], with a permit that the caller has already.
    pub(in super::super) async fn find_with(
        &self,
        permit: Permit,
        database: &str,
        tenant: &TenantId,
        ids: &[AssetId],
    ) -> Result<Vec<Asset>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let cluster = &self.0.cluster;
        let filter = doc! { "_id": { "$in": texts(ids) }, "groupID": tenant.as_str() };
        let found: Vec<AssetRecord> = cluster
            .tenant_with(permit, database, |database| async move {
                let assets = database.collection::<AssetRecord>(ASSETS);
                assets.find(filter).max_time(cluster.max_time()).await?.try_collect().await
            })
            .await?;
        found.into_iter().map(AssetRecord::asset).collect()
    }

    /// A page of a list.
    pub(super) async fn list_in(
        &self,
        database: &str,
        tenant: &TenantId,
        filter: &AssetFilter,
        after: Option<ListPosition>,
        limit: usize,
    ) -> Result<Vec<Asset>, StoreError> {
        // To the server, 0 is no limit.
        let Some(limit) = i64::try_from(limit).ok().filter(|limit| *limit > 0) else {
            return Ok(Vec::new());
        };
        let (filter, index) = listed(tenant, filter, after);
        let cluster = &self.0.cluster;
        let page: Vec<AssetRecord> = cluster
            .tenant(tenant, Work::List, database, |database| async move {
                let assets = database.collection::<AssetRecord>(ASSETS);
                let page = assets.find(filter).sort(doc! { "createdAt": -1, "_id": -1 }).limit(limit);
                let page = page.hint(Hint::Name(index.to_owned())).max_time(cluster.max_time());
                page.await?.try_collect().await
            })
            .await?;
        page.into_iter().map(AssetRecord::asset).collect()
    }

    /// What a tenant has.
    pub(super) async fn usage_in(&self, database: &str, tenant: &TenantId) -> Result<Usage, StoreError> {
        let cluster = &self.0.cluster;
        let filter = usage::of(tenant);
        let found = cluster
            .tenant(tenant, Work::Read, database, |database| async move {
                let usage = database.collection::<UsageRecord>(USAGE);
                usage.find_one(filter).max_time(cluster.max_time()).await
            })
            .await?;
        Ok(found.unwrap_or_default().usage())
    }
}

/// What a list holds, and the index that it walks: that of the narrowest of its filters.
fn listed(tenant: &TenantId, filter: &AssetFilter, after: Option<ListPosition>) -> (Document, &'static str) {
    let mut query = doc! { "groupID": tenant.as_str(), "deleted": false };
    let mut index = LIST;
    if let Some(visibility) = filter.visibility {
        query.insert("visibility", visibility.as_str());
        index = LIST_VISIBILITY;
    }
    if let Some(status) = filter.status {
        query.insert("status", status.as_str());
        index = LIST_STATUS;
    }
    if let Some(content_type) = &filter.content_type {
        query.insert("contentType", content_type.as_str());
        index = LIST_TYPE;
    }
    if let Some(ListPosition { created_at, id }) = after {
        let at = date_or_last(created_at);
        query.insert("createdAt", doc! { "$lte": at });
        query.insert(
            "$or",
            [doc! { "createdAt": { "$lt": at } }, doc! { "createdAt": at, "_id": { "$lt": id.to_string() } }]
                .to_vec(),
        );
    }
    (query, index)
}
