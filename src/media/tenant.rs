//! Who owns assets.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Quota, TenantId};

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
    /// The profile of its documents; where there is none, the one that holds for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// How much it may store; where it says nothing, what holds for all.
    #[serde(default, skip_serializing_if = "Quota::is_none")]
    pub quota: Quota,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_without_a_profile_is_stored_as_ever_and_read_as_ever() {
        let stored = r#"{"id":"t_1","key":"demo","db_key":null,"frozen":false,"api_key":null}"#;
        let tenant: Tenant = serde_json::from_str(stored).unwrap();
        assert_eq!(tenant.profile, None);
        assert_eq!(serde_json::to_string(&tenant).unwrap(), stored);
        let with = Tenant { profile: Some("shop".into()), ..tenant };
        let stored = serde_json::to_string(&with).unwrap();
        assert_eq!(serde_json::from_str::<Tenant>(&stored).unwrap(), with);
    }
}
