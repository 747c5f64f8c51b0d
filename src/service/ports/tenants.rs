//! The store of tenants.

use std::fmt;

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use zeroize::Zeroizing;

use super::StoreError;
use crate::media::{ApiKeyDigest, Tenant, TenantId};

/// The shortest API key that can't be guessed, in bytes.
pub const LEAST_API_KEY_BYTES: usize = 16;

/// What is known of tenants.
#[async_trait]
pub trait TenantStore: Send + Sync + 'static {
    /// A tenant by its id, frozen or not.
    async fn find(&self, id: &TenantId) -> Result<Option<Tenant>, StoreError>;

    /// The tenant that has this API key, frozen or not.
    async fn find_by_api_key(&self, key: &ApiKey) -> Result<Option<Tenant>, StoreError>;
}

/// An API key as somebody has sent it, and what it hashes to: some stores keep the one, some the other.
/// Never shown, and wiped from memory.
#[derive(Clone)]
pub struct ApiKey {
    text: Zeroizing<String>,
    digest: ApiKeyDigest,
}

impl ApiKey {
    /// Keeps a key.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { text: Zeroizing::new(text.to_owned()), digest: api_key_digest(text) }
    }

    /// What it hashes to.
    #[must_use]
    pub fn digest(&self) -> &ApiKeyDigest {
        &self.digest
    }

    /// The key itself, to be used and not kept.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// What an API key hashes to.
#[must_use]
pub fn api_key_digest(key: &str) -> ApiKeyDigest {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, key.as_bytes()).as_ref());
    ApiKeyDigest::new(bytes)
}
