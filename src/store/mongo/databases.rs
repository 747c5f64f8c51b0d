//! From a tenant to its database.
//!
//! Kept for [`FRESH`] at most: a tenant that is moved is found in its new database no later than that. Whoever
//! moves one freezes it for so long. The indexes of a database are looked after once, before its first use.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moka::sync::Cache;
use tokio::sync::OnceCell;

use super::client::Cluster;
use super::error::ConnectError;
use super::{Mongo, indexes};
use crate::media::{Tenant, TenantId};
use crate::service::ports::{StoreError, TenantStore};

/// How long a tenant's database is known.
const FRESH: Duration = Duration::from_secs(60);
/// How many tenants are remembered.
const MAX_TENANTS: u64 = 10_000;

/// What is known of databases.
pub struct Databases {
    names: Cache<TenantId, Arc<str>>,
    prepared: Mutex<HashMap<Arc<str>, Arc<OnceCell<()>>>>,
}

impl Default for Databases {
    fn default() -> Self {
        let names = Cache::builder().max_capacity(MAX_TENANTS).time_to_live(FRESH).build();
        Self { names, prepared: Mutex::default() }
    }
}

impl Databases {
    /// Learns a tenant's database.
    pub fn learn(&self, tenant: &Tenant) {
        if let Some(name) = &tenant.db_key {
            self.names.insert(tenant.id.clone(), name.as_str().into());
        }
    }

    /// Forgets where a tenant's assets are.
    pub fn forget(&self, tenant: &TenantId) {
        self.names.invalidate(tenant);
    }

    /// Sees to it, once, that a database has its indexes.
    pub async fn see_to_indexes(&self, cluster: &Cluster, name: &str) -> Result<(), ConnectError> {
        let cell = {
            let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(prepared.entry(name.into()).or_default())
        };
        cell.get_or_try_init(|| indexes::see_to_tenants(cluster, name)).await.copied()
    }
}

impl Mongo {
    /// The database of a tenant, ready to be used; `None` where there is no such tenant.
    pub(super) async fn database_of(&self, tenant: &TenantId) -> Result<Option<Arc<str>>, StoreError> {
        let databases = &self.0.databases;
        let name = match databases.names.get(tenant) {
            Some(name) => name,
            None => match TenantStore::find(self, tenant).await?.and_then(|tenant| tenant.db_key) {
                Some(name) => name.into(),
                None => return Ok(None),
            },
        };
        self.prepare(&name).await?;
        Ok(Some(name))
    }

    /// Sees to it that a database can be used.
    pub(super) async fn prepare(&self, name: &str) -> Result<(), StoreError> {
        let seen_to = self.0.databases.see_to_indexes(&self.0.cluster, name).await;
        seen_to.map_err(StoreError::unavailable)
    }
}
