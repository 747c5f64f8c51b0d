//! What every implementation of a store must do, whatever is behind it.
//!
//! 1. `AssetStore`: [`assets`], [`calls`], [`pages`], [`room`] and [`dues`]. `LeaseStore`: [`leases`].
//! 2. `TenantStore`: [`tenants`].
//! 3. `ObjectStore` and the way in: [`objects`]; [`parts`] of large files.
//!
//! Each check takes a store that others may be using: it makes up its own tenants and buckets.

pub mod assets;
pub mod calls;
pub mod dues;
pub mod leases;
pub mod objects;
pub mod pages;
pub mod parts;
pub mod room;
pub mod tenants;

use signet::media::{
    Asset, AssetId, ContentType, Filename, Metadata, NewUpload, ObjectKey, Periods, Quota, TenantId,
    Timestamp, Visibility,
};
use signet::service::ports::{AssetStore, InsertTerms, Inserted};

/// The stages of a file's life, where a check doesn't care.
pub const PERIODS: Periods = Periods {
    ticket_seconds: 900,
    grace_seconds: 900,
    late_seconds: 86_400,
    retention_seconds: 30 * 86_400,
    record_seconds: 30 * 86_400,
};

/// Puts an asset in, without bounds. `false` where its id is taken.
pub async fn insert(store: &(impl AssetStore + ?Sized), asset: &Asset) -> bool {
    let terms = InsertTerms { call: None, quota: Quota::NONE, now: asset.created_at };
    match store.insert(asset, &terms).await.unwrap() {
        Inserted::New => true,
        Inserted::Taken => false,
        other => panic!("{other:?}"),
    }
}

/// A tenant that no other check knows.
pub fn fresh_tenant() -> TenantId {
    format!("t-{}", ulid::Ulid::generate()).parse().unwrap()
}

/// A PENDING picture of ten bytes, made at a time.
pub fn pending(tenant: &TenantId, created_at_millis: u64) -> Asset {
    let id = AssetId::generate();
    let upload = NewUpload {
        filename: Filename::clean("a.png").unwrap(),
        content_type: ContentType::parse("image/png").unwrap(),
        size_bytes: 10,
        visibility: Visibility::Public,
        checksum: None,
        metadata: Metadata::default(),
    };
    let key = ObjectKey::parse(format!("{tenant}/{id}/a.png")).unwrap();
    Asset::pending(id, tenant.clone(), key, upload, Timestamp::from_millis(created_at_millis), &PERIODS)
}

/// A READY picture of ten bytes, made at a time.
pub fn ready(tenant: &TenantId, created_at_millis: u64) -> Asset {
    let asset = pending(tenant, created_at_millis).ready(Some((1, 1)), Timestamp::from_millis(1)).unwrap();
    Asset { revision: 1, ..asset }
}
