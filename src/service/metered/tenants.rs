//! The stores of tenants and of leases, counted.

use async_trait::async_trait;

use super::Metered;
use crate::media::{Tenant, TenantId, Timestamp};
use crate::service::ports::{ApiKey, LeaseStore, StoreError, StoreOperation, TenantStore};

#[async_trait]
impl TenantStore for Metered<dyn TenantStore> {
    async fn find(&self, id: &TenantId) -> Result<Option<Tenant>, StoreError> {
        self.timed(StoreOperation::FindTenant, self.store.find(id)).await
    }

    async fn find_by_api_key(&self, key: &ApiKey) -> Result<Option<Tenant>, StoreError> {
        self.timed(StoreOperation::FindTenantByKey, self.store.find_by_api_key(key)).await
    }
}

#[async_trait]
impl LeaseStore for Metered<dyn LeaseStore> {
    async fn take(
        &self,
        lease: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        self.timed(StoreOperation::TakeLease, self.store.take(lease, holder, now, until)).await
    }

    async fn give_back(&self, lease: &str, holder: &str) -> Result<(), StoreError> {
        self.timed(StoreOperation::GiveLeaseBack, self.store.give_back(lease, holder)).await
    }
}
