//! Bearer tokens, checked against the issuer's keys.
//!
//! 1. [`Jwks`]: the port [`TokenVerifier`].
//! 2. [`FileKeys`], [`RemoteKeys`]: public keys (a JWK set, RFC 7517) from a file, or from the issuer's URL.
//!    `keys`: which of them are taken, and for which algorithm each. [`KeyFetch`]: how a URL is asked;
//!    [`HttpFetch`] does it over HTTP.
//!    [`SharedSecret`]: the key of an issuer that signs by HMAC.
//! 3. `claims`: what a well-signed token must say.
//! 4. [`Issuer`]: makes tokens, for development alone.
//!
//! A token is accepted where all of this holds:
//! - it has at most 8 KiB;
//! - its algorithm is RS256, ES256 or EdDSA, and is the one of the public key that its `kid` names (or of the
//!   only key, where it names none); or it is HS256, and there is a shared secret. A public key is never the
//!   secret of an HMAC, and there is no `none`. Keys that a token brings along or points to (`jwk`, `jku`,
//!   `x5c`, `x5u`) are passed over, and one with a critical extension (`crit`) is refused;
//! - its signature is right;
//! - `exp` is there and hasn't come, `nbf` isn't ahead, issuer and audience are the configured ones;
//! - `tenantId` names a tenant.

mod claims;
mod fetch;
mod file;
mod issuer;
mod keys;
#[cfg(feature = "server")]
mod over_http;
mod remote;
mod secret;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde::Deserialize;

use self::claims::TokenClaims;
use crate::media::Timestamp;
use crate::service::ports::{Claims, Clock, TokenError, TokenVerifier};

pub use fetch::{FetchError, KeyFetch};
pub use file::{FileKeys, JwksError};
pub use issuer::{Issuer, IssuerError};
#[cfg(feature = "server")]
pub use over_http::{HttpFetch, JwksUrl};
pub use remote::RemoteKeys;
pub use secret::{SharedSecret, ShortSecret};

/// The longest token, in bytes.
const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// The longest JWK set, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// What a token must say.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JwksSettings {
    /// `iss` of every token; not checked where nothing is set.
    pub issuer: Option<String>,
    /// What `aud` of every token must hold; not checked where nothing is set.
    pub audience: Option<String>,
    /// How far the issuer's clock may differ, in seconds; 0 unless set.
    pub leeway_seconds: u64,
    /// Whether a token without a claim of scopes has none; it has all unless set.
    pub require_scopes: bool,
}

/// Where the issuer's public keys are.
pub enum PublicKeys {
    /// There are none.
    Nowhere,
    /// In a file.
    File(FileKeys),
    /// At a URL.
    Remote(Arc<RemoteKeys>),
}

/// Checks tokens.
pub struct Jwks {
    public: PublicKeys,
    secret: Option<SharedSecret>,
    settings: JwksSettings,
    clock: Arc<dyn Clock>,
}

impl Jwks {
    /// Checks tokens by public keys, by a secret, or by either: a token's algorithm says by which.
    #[must_use]
    pub fn new(
        public: PublicKeys,
        secret: Option<SharedSecret>,
        settings: JwksSettings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { public, secret, settings, clock }
    }

    /// Checks tokens by the public keys of a file. Blocks.
    ///
    /// # Errors
    /// Why there is no key to be had from it.
    pub fn from_file(path: &Path, settings: JwksSettings, clock: Arc<dyn Clock>) -> Result<Self, JwksError> {
        let keys = FileKeys::open(path, clock.now())?;
        Ok(Self::new(PublicKeys::File(keys), None, settings, clock))
    }

    async fn claims(&self, token: &str, header: &Header, now: Timestamp) -> Result<TokenClaims, TokenError> {
        if header.alg == Algorithm::HS256 {
            let secret = self.secret.as_ref().ok_or(TokenError::Invalid)?;
            return decode(token, Algorithm::HS256, secret.key());
        }
        let keys = match &self.public {
            PublicKeys::Nowhere => return Err(TokenError::Invalid),
            PublicKeys::File(file) => file.current(now),
            PublicKeys::Remote(remote) => remote.for_token(header.kid.as_deref()).await?,
        };
        let key = keys.select(header.kid.as_deref(), header.alg).ok_or(TokenError::Invalid)?;
        decode(token, key.algorithm, &key.key)
    }
}

#[async_trait]
impl TokenVerifier for Jwks {
    fn answers_at_once(&self, token: &str) -> bool {
        let PublicKeys::Remote(remote) = &self.public else { return true };
        if token.len() > MAX_TOKEN_BYTES {
            return true;
        }
        let header = jsonwebtoken::decode_header(token);
        // What can't be read, or is checked by the secret, needs no key of the issuer's.
        header.map_or(true, |header| {
            header.alg == Algorithm::HS256 || header.crit.is_some() || remote.has(header.kid.as_deref())
        })
    }

    async fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Invalid);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
        if header.crit.is_some() {
            return Err(TokenError::Invalid);
        }
        let now = self.clock.now();
        self.claims(token, &header, now).await?.check(&self.settings, now)
    }
}

/// The claims of a token that was signed by this key with this algorithm.
fn decode(token: &str, algorithm: Algorithm, key: &DecodingKey) -> Result<TokenClaims, TokenError> {
    // The signature is checked here, the claims by `TokenClaims`: the library would ask the machine's clock.
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    let token = jsonwebtoken::decode::<TokenClaims>(token, key, &validation);
    Ok(token.map_err(|_| TokenError::Invalid)?.claims)
}
