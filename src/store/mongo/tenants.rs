//! The store of tenants.

use async_trait::async_trait;
use futures_util::TryStreamExt;
use mongodb::bson::{Document, doc};

use super::{Mongo, group};
use crate::media::{Tenant, TenantId};
use crate::service::ports::{ApiKey, StoreError, TenantStore};

/// The collection of the control plane that has the tenants.
pub const GROUPS: &str = "groups";

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
        let members = doc! {
            "key": 1, "tier": 1, "dbKey": 1, "apiKey": 1, "frozen": 1, "mediaProfile": 1, "mediaQuota": 1,
        };
        let groups: Vec<Document> = cluster
            .control(|database| async move {
                let groups = database.collection::<Document>(GROUPS);
                let found = groups.find(filter).projection(members).limit(2).max_time(cluster.max_time());
                found.await?.try_collect().await
            })
            .await?;
        let group = match groups.as_slice() {
            [] => return Ok(None),
            [group] => group,
            _ => return Err(StoreError::corrupt(Ambiguous(shown()))),
        };
        let tenant = group::tenant(group)?;
        self.0.databases.learn(&tenant);
        Ok(Some(tenant))
    }
}
