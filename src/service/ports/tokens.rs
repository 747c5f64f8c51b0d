//! Bearer tokens.

use async_trait::async_trait;

use crate::media::TenantId;
use crate::service::scope::Scopes;

/// Checks bearer tokens against the keys of their issuer.
#[async_trait]
pub trait TokenVerifier: Send + Sync + 'static {
    /// Whether a JWT can be checked without waiting for its issuer.
    fn answers_at_once(&self, _token: &str) -> bool {
        true
    }

    /// Checks a JWT: signature, algorithm, issuer, audience and times.
    ///
    /// # Errors
    /// Why it isn't accepted.
    async fn verify(&self, token: &str) -> Result<Claims, TokenError>;
}

/// What a good token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Whose it is.
    pub tenant: TenantId,
    /// What its bearer may do.
    pub scopes: Scopes,
}

/// Why a token isn't accepted. The words are safe to show: they tell nothing of keys.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Not a JWT, badly signed, of an unknown key or with an algorithm that isn't allowed.
    #[error("the token isn't valid")]
    Invalid,
    /// Its time has passed.
    #[error("the token has expired")]
    Expired,
    /// Its time hasn't come.
    #[error("the token isn't valid yet")]
    NotYet,
    /// It is for somebody else, or by somebody else.
    #[error("the token is for another audience or by another issuer")]
    Foreign,
    /// It names no tenant.
    #[error("the token has no tenantId claim")]
    NoTenant,
    /// The issuer's keys can't be had.
    #[error("the issuer's keys can't be had: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}
