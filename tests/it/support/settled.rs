//! A store of assets whose tenants come to be when they are first named.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use signet::media::{Asset, AssetId, TenantId, Timestamp, Usage};
use signet::service::ports::{
    AssetFilter, AssetStore, Due, InsertTerms, Inserted, ListPosition, StoreError, Update,
};
use tokio::sync::Mutex;

use super::mongo::Stand;

/// The stores of a stand, for checks that make tenants up: a tenant of MongoDB has a group.
pub struct Settled {
    stand: Arc<Stand>,
    known: Mutex<HashSet<TenantId>>,
}

impl Settled {
    /// The stores of a stand.
    pub fn new(stand: Arc<Stand>) -> Arc<Self> {
        Arc::new(Self { stand, known: Mutex::default() })
    }

    async fn settle(&self, tenant: &TenantId) {
        let mut known = self.known.lock().await;
        if known.insert(tenant.clone()) {
            self.stand.put_tenant(tenant).await;
        }
    }
}

#[async_trait]
impl AssetStore for Settled {
    async fn insert(&self, asset: &Asset, terms: &InsertTerms) -> Result<Inserted, StoreError> {
        self.settle(&asset.tenant).await;
        self.stand.mongo.insert(asset, terms).await
    }

    async fn find(&self, tenant: &TenantId, id: AssetId) -> Result<Option<Asset>, StoreError> {
        self.settle(tenant).await;
        AssetStore::find(&self.stand.mongo, tenant, id).await
    }

    async fn find_many(&self, tenant: &TenantId, ids: &[AssetId]) -> Result<Vec<Asset>, StoreError> {
        self.settle(tenant).await;
        self.stand.mongo.find_many(tenant, ids).await
    }

    async fn find_anywhere(&self, id: AssetId) -> Result<Option<Asset>, StoreError> {
        self.stand.mongo.find_anywhere(id).await
    }

    async fn existing(&self, ids: &[AssetId]) -> Result<Vec<AssetId>, StoreError> {
        self.stand.mongo.existing(ids).await
    }

    async fn list(
        &self,
        tenant: &TenantId,
        filter: &AssetFilter,
        after: Option<ListPosition>,
        limit: usize,
    ) -> Result<Vec<Asset>, StoreError> {
        self.settle(tenant).await;
        self.stand.mongo.list(tenant, filter, after, limit).await
    }

    async fn update(&self, asset: &Asset) -> Result<Update, StoreError> {
        self.settle(&asset.tenant).await;
        self.stand.mongo.update(asset).await
    }

    async fn remove(&self, asset: &Asset) -> Result<Update, StoreError> {
        self.settle(&asset.tenant).await;
        self.stand.mongo.remove(asset).await
    }

    async fn usage(&self, tenant: &TenantId) -> Result<Usage, StoreError> {
        self.settle(tenant).await;
        self.stand.mongo.usage(tenant).await
    }

    async fn due(&self, now: Timestamp, after: Option<&Due>, limit: usize) -> Result<Vec<Due>, StoreError> {
        self.stand.mongo.due(now, after, limit).await
    }

    async fn forget_due(&self, due: &Due) -> Result<(), StoreError> {
        self.stand.mongo.forget_due(due).await
    }
}
