//! What is kept in memory of what the stores have said.

use serde::Deserialize;

/// `[cache]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheSettings {
    /// The most memory for assets, in bytes. Default 64 MiB.
    pub asset_bytes: u64,
    /// How long an id that nobody has is remembered, in seconds. Default 5.
    pub absent_seconds: u64,
    /// How long an asset that is known is answered while the store is down, in seconds. Default 86,400, a day.
    pub stale_seconds: u64,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self { asset_bytes: 64 * 1024 * 1024, absent_seconds: 5, stale_seconds: 86_400 }
    }
}
