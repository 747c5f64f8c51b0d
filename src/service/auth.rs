//! Who calls.
//!
//! `Authorization` holds `Bearer` and a JWT, or a tenant's API key raw (Vivreal's way). A frozen
//! tenant is refused, whatever it brings; an unknown key and a wrong one get the same answer.

use std::sync::Arc;

use tracing::Span;
use tracing::field::display;

use super::ports::{ApiKey, StoreError, TokenError, TokenVerifier};
use super::scope::{InsufficientScope, Scope, Scopes};
use super::tenant_cache::{CachedTenants, LookUpError, TooManyLookUps};
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

/// Credentials that haven't been checked yet.
pub enum Credentials {
    /// A token.
    Token(String),
    /// Anything else is an API key.
    ApiKey(ApiKey),
}

impl Credentials {
    /// Reads the value of an `Authorization` header.
    ///
    /// # Errors
    /// [`AuthError::Missing`] where there is none, [`AuthError::Invalid`] where it is too long.
    pub fn parse(authorization: Option<&str>) -> Result<Self, AuthError> {
        let credentials = authorization.map(str::trim).filter(|value| !value.is_empty());
        let credentials = credentials.ok_or(AuthError::Missing)?;
        if credentials.len() > MAX_CREDENTIALS {
            return Err(AuthError::Invalid);
        }
        Ok(match bearer(credentials) {
            Some(token) => Self::Token(token.to_owned()),
            None => Self::ApiKey(ApiKey::new(credentials)),
        })
    }
}

/// Turns credentials into a [`Caller`].
pub struct Authenticator {
    tenants: Arc<CachedTenants>,
    tokens: Option<Arc<dyn TokenVerifier>>,
}

impl Authenticator {
    /// Checks API keys against `tenants` and, where there is an issuer, tokens too.
    #[must_use]
    pub fn new(tenants: Arc<CachedTenants>, tokens: Option<Arc<dyn TokenVerifier>>) -> Self {
        Self { tenants, tokens }
    }

    /// Returns whether credentials can be checked without a question that a stranger could cause: to the store for an API
    /// key that isn't known, or to the issuer for the key of a token.
    #[must_use]
    pub fn answers_at_once(&self, credentials: &Credentials) -> bool {
        match credentials {
            Credentials::Token(token) => {
                self.tokens.as_ref().is_none_or(|tokens| tokens.answers_at_once(token))
            }
            Credentials::ApiKey(key) => self.tenants.knows(key),
        }
    }

    /// Checks credentials.
    ///
    /// # Errors
    /// Why they aren't accepted; [`AuthError::Busy`] and [`AuthError::Store`] where that can't be said now.
    pub async fn authenticate(&self, credentials: &Credentials) -> Result<Caller, AuthError> {
        let (tenant, scopes) = match credentials {
            Credentials::Token(token) => self.by_token(token).await?,
            Credentials::ApiKey(key) => (self.tenants.find_key(key).await?, Scopes::ALL),
        };
        let tenant = tenant.ok_or(AuthError::Invalid)?;
        if tenant.frozen {
            return Err(AuthError::Frozen);
        }
        // The span of the request has a place for it.
        Span::current().record("tenant", display(&tenant.id));
        Ok(Caller { tenant, scopes })
    }

    async fn by_token(&self, token: &str) -> Result<(Option<Arc<Tenant>>, Scopes), AuthError> {
        let verifier = self.tokens.as_ref().ok_or(AuthError::Invalid)?;
        let claims = verifier.verify(token).await.map_err(AuthError::Token)?;
        Ok((self.tenants.shared(&claims.tenant).await?, claims.scopes))
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
    /// Too many unknown API keys are being looked up.
    #[error(transparent)]
    Busy(TooManyLookUps),
    /// The tenants can't be looked up.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<LookUpError> for AuthError {
    fn from(error: LookUpError) -> Self {
        match error {
            LookUpError::TooMany(error) => Self::Busy(error),
            LookUpError::Store(error) => Self::Store(error),
        }
    }
}
