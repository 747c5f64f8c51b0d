//! How assets and tenants lie in the database.
//!
//! | table | key | value |
//! |---|---|---|
//! | `assets` | place: tenant, 0, `created_at` and id, big-endian | asset as JSON |
//! | `asset_places` | id | place |
//! | `usage` | tenant | count and bytes of what is READY and not deleted |
//! | `pending_usage` | tenant | the same of what is PENDING |
//! | `dues` | when an asset is due, and id, big-endian | tenant |
//! | `leases` | name | holder and end as JSON |
//! | `tenants` | id | tenant as JSON |
//! | `api_keys` | digest | tenant |
//! | `calls` | tenant, 0, idempotency key | call as JSON |
//! | `call_ends` | when a call's time is over, big-endian, and its key in `calls` | nothing |
//! | `secrets` | name | 32 bytes |
//!
//! A list, newest first, is a walk backwards through the places of a tenant. No tenant's id holds a
//! zero, so that none is the beginning of another's places.

use redb::{Database, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::media::{Asset, AssetId, TenantId, Timestamp};
use crate::service::ports::StoreError;

pub const ASSETS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("assets");
pub const ASSET_PLACES: TableDefinition<[u8; 16], &[u8]> = TableDefinition::new("asset_places");
pub const USAGE: TableDefinition<&str, (u64, u64)> = TableDefinition::new("usage");
pub const PENDING_USAGE: TableDefinition<&str, (u64, u64)> = TableDefinition::new("pending_usage");
pub const DUES: TableDefinition<&[u8], &str> = TableDefinition::new("dues");
pub const LEASES: TableDefinition<&str, &[u8]> = TableDefinition::new("leases");
pub const TENANTS: TableDefinition<&str, &[u8]> = TableDefinition::new("tenants");
pub const API_KEYS: TableDefinition<[u8; 32], &str> = TableDefinition::new("api_keys");
pub const CALLS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("calls");
pub const CALL_ENDS: TableDefinition<&[u8], ()> = TableDefinition::new("call_ends");
pub const SECRETS: TableDefinition<&str, [u8; 32]> = TableDefinition::new("secrets");

/// Makes the tables that aren't there, so that reading never finds one missing.
pub fn create(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(ASSETS)?;
    transaction.open_table(ASSET_PLACES)?;
    transaction.open_table(USAGE)?;
    transaction.open_table(PENDING_USAGE)?;
    transaction.open_table(DUES)?;
    transaction.open_table(LEASES)?;
    transaction.open_table(TENANTS)?;
    transaction.open_table(API_KEYS)?;
    transaction.open_table(CALLS)?;
    transaction.open_table(CALL_ENDS)?;
    transaction.open_table(SECRETS)?;
    transaction.commit()?;
    Ok(())
}

/// Where an asset lies.
pub fn place(asset: &Asset) -> Vec<u8> {
    place_of(&asset.tenant, asset.created_at, asset.id)
}

/// Where an asset of this tenant, time and id lies.
pub fn place_of(tenant: &TenantId, created_at: Timestamp, id: AssetId) -> Vec<u8> {
    let mut place = first_place(tenant);
    place.extend_from_slice(&created_at.millis().to_be_bytes());
    place.extend_from_slice(&id.to_bytes());
    place
}

/// What the places of a tenant begin with; comes before all of them.
pub fn first_place(tenant: &TenantId) -> Vec<u8> {
    let mut place = Vec::with_capacity(tenant.as_str().len() + 1 + 8 + 16);
    place.extend_from_slice(tenant.as_str().as_bytes());
    place.push(0);
    place
}

/// Comes after all places of a tenant.
pub fn after_last_place(tenant: &TenantId) -> Vec<u8> {
    let mut place = tenant.as_str().as_bytes().to_vec();
    place.push(1);
    place
}

pub fn encode(value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(StoreError::corrupt)
}

pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(StoreError::corrupt)
}
