//! The store of tenants.
//!
//! A group is a tenant only where no other group has one of its names: `_id`, `apiKey`, or `key`, which names its root and
//! its bucket. Two groups with one `key` would read and sign each other's files, so neither is served. Both are looked
//! at whenever the store is asked for a tenant, which [`CachedTenants`](crate::service::tenant_cache::CachedTenants)
//! does once a minute for each; a unique index (`indexes`) keeps such groups from being made, where there can be one.

use async_trait::async_trait;
use futures_util::TryStreamExt;
use mongodb::bson::{Document, doc};

use super::connection_permits::{Owner, Work};
use super::{Mongo, group};
use crate::media::{Tenant, TenantId};
use crate::service::ports::{ApiKey, StoreError, TenantStore};

/// The collection of the control plane that has the tenants.
pub const GROUPS: &str = "groups";

/// The projection of a group to the members that make it a tenant.
pub fn members() -> Document {
    doc! { "key": 1, "tier": 1, "dbKey": 1, "apiKey": 1, "frozen": 1, "mediaProfile": 1, "mediaQuota": 1 }
}

/// How many groups an error names.
pub const NAMED: usize = 3;

/// More than one group answers to one name: whose it is can't be said, so it is nobody's.
#[derive(Debug, thiserror::Error)]
#[error("more than one group has {0}")]
struct Ambiguous(String);

#[async_trait]
impl TenantStore for Mongo {
    async fn find(&self, id: &TenantId) -> Result<Option<Tenant>, StoreError> {
        let ids = group::ids(id);
        self.find_group(doc! { "_id": { "$in": ids } }, || format!("the _id {id}")).await
    }

    async fn find_by_api_key(&self, key: &ApiKey) -> Result<Option<Tenant>, StoreError> {
        if key.expose().is_empty() {
            return Ok(None);
        }
        let shown = || "the same apiKey as another one".to_owned();
        self.find_group(doc! { "apiKey": key.expose() }, shown).await
    }
}

impl Mongo {
    async fn find_group(
        &self,
        filter: Document,
        shown: impl Fn() -> String,
    ) -> Result<Option<Tenant>, StoreError> {
        let cluster = &self.0.cluster;
        let (groups, same_key): (Vec<Document>, Vec<Document>) = cluster
            .control(Owner::Stranger, Work::Read, |database| async move {
                let groups = database.collection::<Document>(GROUPS);
                let find = |filter, members, limit| {
                    groups.find(filter).projection(members).limit(limit).max_time(cluster.max_time())
                };
                let found: Vec<Document> = find(filter, members(), 2).await?.try_collect().await?;
                let same_key = match found.as_slice() {
                    [group] if group.contains_key("key") => {
                        let filter = doc! { "key": group.get("key") };
                        find(filter, doc! { "_id": 1 }, NAMED as i64).await?.try_collect().await?
                    }
                    _ => Vec::new(),
                };
                Ok((found, same_key))
            })
            .await?;
        let group = match groups.as_slice() {
            [] => return Ok(None),
            [group] => group,
            _ => return Err(StoreError::corrupt(Ambiguous(shown()))),
        };
        if same_key.len() > 1 {
            let ids: Vec<String> = same_key.iter().map(group::shown_id).collect();
            let key = group.get("key").map(ToString::to_string).unwrap_or_default();
            let said =
                format!("the key {key}: {}; none of them is served until each has its own", ids.join(", "));
            return Err(StoreError::corrupt(Ambiguous(said)));
        }
        let tenant = group::tenant(group, &cluster.options().control_database)?;
        self.0.databases.learn(&tenant);
        Ok(Some(tenant))
    }
}
