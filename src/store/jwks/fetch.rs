//! How an issuer's JWK set is asked for, and why there may be none.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::MAX_BYTES;

/// How long it may take in all.
pub(super) const TIME: Duration = Duration::from_secs(5);

/// Gets the issuer's JWK set.
#[async_trait]
pub trait KeyFetch: Send + Sync + 'static {
    /// The JWK set as it is now, not yet read.
    async fn fetch(&self) -> Result<Bytes, FetchError>;
}

/// Why there is no new JWK set.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The issuer can't be reached, or breaks off.
    #[error("the issuer can't be reached: {0}")]
    Unreachable(String),
    /// It answers with something else than 200.
    #[error("the issuer answers with status {0}; redirects aren't followed")]
    Status(u16),
    /// Its answer is too long.
    #[error("the issuer's answer has more than {MAX_BYTES} bytes")]
    TooLarge,
    /// Its answer took too long.
    #[error("the issuer's answer took more than {} s", TIME.as_secs())]
    TooSlow,
    /// Its answer isn't a JWK set.
    #[error("the issuer's answer isn't a JWK set ({{\"keys\":[…]}}): {0}")]
    NotAKeySet(#[from] serde_json::Error),
    /// It has no key of a kind that is taken.
    #[error("the issuer's keys hold no signing key of type RSA, EC (P-256) or OKP (Ed25519)")]
    NoKeys,
}
