//! The store of assets, counted.

use async_trait::async_trait;

use super::Metered;
use crate::media::{Asset, AssetId, TenantId, Timestamp, Usage};
use crate::service::ports::{
    AssetFilter, AssetStore, Due, InsertTerms, Inserted, ListPosition, StoreError, StoreOperation, Update,
};

#[async_trait]
impl AssetStore for Metered<dyn AssetStore> {
    async fn insert(&self, asset: &Asset, terms: &InsertTerms) -> Result<Inserted, StoreError> {
        self.timed(StoreOperation::InsertAsset, self.store.insert(asset, terms)).await
    }

    async fn find(&self, tenant: &TenantId, id: AssetId) -> Result<Option<Asset>, StoreError> {
        self.timed(StoreOperation::FindAsset, self.store.find(tenant, id)).await
    }

    async fn find_many(&self, tenant: &TenantId, ids: &[AssetId]) -> Result<Vec<Asset>, StoreError> {
        self.timed(StoreOperation::FindAssets, self.store.find_many(tenant, ids)).await
    }

    async fn find_anywhere(&self, id: AssetId) -> Result<Option<Asset>, StoreError> {
        self.timed(StoreOperation::FindAnywhere, self.store.find_anywhere(id)).await
    }

    async fn existing(&self, ids: &[AssetId]) -> Result<Vec<AssetId>, StoreError> {
        self.timed(StoreOperation::Existing, self.store.existing(ids)).await
    }

    async fn list(
        &self,
        tenant: &TenantId,
        filter: &AssetFilter,
        after: Option<ListPosition>,
        limit: usize,
    ) -> Result<Vec<Asset>, StoreError> {
        self.timed(StoreOperation::ListAssets, self.store.list(tenant, filter, after, limit)).await
    }

    async fn update(&self, asset: &Asset) -> Result<Update, StoreError> {
        self.timed(StoreOperation::UpdateAsset, self.store.update(asset)).await
    }

    async fn remove(&self, asset: &Asset) -> Result<Update, StoreError> {
        self.timed(StoreOperation::RemoveAsset, self.store.remove(asset)).await
    }

    async fn usage(&self, tenant: &TenantId) -> Result<Usage, StoreError> {
        self.timed(StoreOperation::Usage, self.store.usage(tenant)).await
    }

    async fn due(&self, now: Timestamp, after: Option<&Due>, limit: usize) -> Result<Vec<Due>, StoreError> {
        self.timed(StoreOperation::Due, self.store.due(now, after, limit)).await
    }

    async fn forget_due(&self, due: &Due) -> Result<(), StoreError> {
        self.timed(StoreOperation::ForgetDue, self.store.forget_due(due)).await
    }
}
