//! Who calls.
//!
//! `Authorization` holds `Bearer` and a JWT, or a tenant's API key raw (Vivreal's way). A frozen
//! tenant is refused, whatever it brings; an unknown key and a wrong one get the same answer.

use std::sync::Arc;

use tracing::Span;
use tracing::field::display;

use super::ports::{ApiKey, StoreError, TenantStore, TokenError, TokenVerifier};
use super::scope::{InsufficientScope, Scope, Scopes};
use crate::media::Tenant;

/// The longest `Authorization` value that is looked at, in bytes.
const MAX_CREDENTIALS: usize = 8 * 1024;

/// A tenant that has shown who it is.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The tenant, which isn't frozen.
    pub tenant: Arc<Tenant>,
    /// What it may do: everything with an API key, with a token what that says.
    pub scopes: Scopes,
}

impl Caller {
    /// Checks that it may do something.
    ///
    /// # Errors
    /// The scope that it lacks.
    pub fn require(&self, scope: Scope) -> Result<(), InsufficientScope> {
        if self.scopes.has(scope) { Ok(()) } else { Err(InsufficientScope { required: scope }) }
    }
}

/// Turns credentials into a [`Caller`].
pub struct Authenticator {
    tenants: Arc<dyn TenantStore>,
    tokens: Option<Arc<dyn TokenVerifier>>,
}

impl Authenticator {
    /// Checks API keys against `tenants` and, where there is an issuer, tokens too.
    #[must_use]
    pub fn new(tenants: Arc<dyn TenantStore>, tokens: Option<Arc<dyn TokenVerifier>>) -> Self {
        Self { tenants, tokens }
    }

    /// Checks the value of an `Authorization` header.
    ///
    /// # Errors
    /// Why it isn't accepted; [`AuthError::Store`] where nobody could say.
    pub async fn authenticate(&self, authorization: Option<&str>) -> Result<Caller, AuthError> {
        let credentials = authorization.map(str::trim).filter(|value| !value.is_empty());
        let credentials = credentials.ok_or(AuthError::Missing)?;
        if credentials.len() > MAX_CREDENTIALS {
            return Err(AuthError::Invalid);
        }
        let (tenant, scopes) = match bearer(credentials) {
            Some(token) => self.by_token(token).await?,
            None => (self.tenants.find_by_api_key(&ApiKey::new(credentials)).await?, Scopes::ALL),
        };
        let tenant = tenant.ok_or(AuthError::Invalid)?;
        if tenant.frozen {
            return Err(AuthError::Frozen);
        }
        // The span of the request has a place for it.
        Span::current().record("tenant", display(&tenant.id));
        Ok(Caller { tenant: Arc::new(tenant), scopes })
    }

    async fn by_token(&self, token: &str) -> Result<(Option<Tenant>, Scopes), AuthError> {
        let verifier = self.tokens.as_ref().ok_or(AuthError::Invalid)?;
        let claims = verifier.verify(token).await.map_err(AuthError::Token)?;
        Ok((self.tenants.find(&claims.tenant).await?, claims.scopes))
    }
}

fn bearer(credentials: &str) -> Option<&str> {
    let (scheme, token) = credentials.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start())
}

/// Why credentials aren't accepted.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// There are none.
    #[error("no credentials were given")]
    Missing,
    /// An unknown key, a wrong key, a token of a tenant that isn't there.
    #[error("the credentials aren't valid")]
    Invalid,
    /// A token that isn't accepted.
    #[error(transparent)]
    Token(TokenError),
    /// The tenant is frozen.
    #[error("the tenant is frozen")]
    Frozen,
    /// The tenants can't be looked up.
    #[error(transparent)]
    Store(#[from] StoreError),
}
