//! The store of tenants.

use async_trait::async_trait;

use super::StoreError;
use crate::media::{ApiKeyDigest, Tenant, TenantId};

/// What is known of tenants.
#[async_trait]
pub trait TenantStore: Send + Sync + 'static {
    /// A tenant by its id, frozen or not.
    async fn find(&self, id: &TenantId) -> Result<Option<Tenant>, StoreError>;

    /// The tenant whose API key hashes to this, frozen or not.
    async fn find_by_api_key(&self, digest: &ApiKeyDigest) -> Result<Option<Tenant>, StoreError>;
}
