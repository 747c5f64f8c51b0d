//! Tenants of the embedded store.

use serde::Deserialize;

use super::Secret;

/// `[[tenants]]`: put into the embedded store at start, over what it has under the same id.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantSettings {
    /// Its id, the `tenantId` of tokens: 1 to 64 of `A-Z a-z 0-9 _ -`.
    pub id: String,
    /// Its slug, for paths and buckets: 1 to 64 of `a-z 0-9 -`.
    pub key: String,
    /// The name of its database. Not used by the embedded store.
    #[serde(default)]
    pub db_key: Option<String>,
    /// A frozen tenant is refused everywhere. Default false.
    #[serde(default)]
    pub frozen: bool,
    /// The profile of its documents: a shipped one, or one of `[documents.profiles]`. Default
    /// `[documents] profile`.
    #[serde(default)]
    pub profile: Option<String>,
    /// How many files it may have. Default `[uploads] quota_count`.
    #[serde(default)]
    pub quota_count: Option<u64>,
    /// How many bytes it may have. Default `[uploads] quota_bytes`.
    #[serde(default)]
    pub quota_bytes: Option<u64>,
    /// Its API key, at least 16 characters. Only a digest of it is kept.
    pub api_key: Option<Secret>,
}
