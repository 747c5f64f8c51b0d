//! What every implementation of a store must do, whatever is behind it.
//!
//! 1. [`assets`] and [`calls`]: `AssetStore`. 2. [`tenants`]: `TenantStore`. 3. [`objects`]: `ObjectStore` and the way in; [`parts`]: files
//! that come in parts.
//!
//! Each check takes a store that others may be using: it makes up its own tenants and buckets.

pub mod assets;
pub mod calls;
pub mod objects;
pub mod parts;
pub mod tenants;

use signet::media::{
    Asset, AssetId, ContentType, Filename, Metadata, NewUpload, ObjectKey, TenantId, Timestamp, Visibility,
};

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
    Asset::pending(id, tenant.clone(), key, upload, Timestamp::from_millis(created_at_millis), 900)
}

/// A READY picture of ten bytes, made at a time.
pub fn ready(tenant: &TenantId, created_at_millis: u64) -> Asset {
    let asset = pending(tenant, created_at_millis).ready(Some((1, 1)), Timestamp::from_millis(1)).unwrap();
    Asset { revision: 1, ..asset }
}
