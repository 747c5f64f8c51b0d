//! Who owns assets.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::TenantId;

/// A tenant. Three of its names get confused: `id` scopes every query, `key` names its path and
/// bucket, `db_key` names its database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Scopes every query.
    pub id: TenantId,
    /// The URL slug, for example `thecomedycollective`: one path segment.
    pub key: String,
    /// The name of its database.
    pub db_key: Option<String>,
    /// A frozen tenant is refused everywhere.
    pub frozen: bool,
    /// What its API key hashes to. The key itself is kept nowhere.
    pub api_key: Option<ApiKeyDigest>,
}

/// The SHA-256 of an API key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ApiKeyDigest([u8; 32]);

impl ApiKeyDigest {
    /// A digest.
    #[must_use]
    pub fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for ApiKeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeyDigest(…)")
    }
}
