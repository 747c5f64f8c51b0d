//! Bearer tokens, checked against a file of public keys (a JWK set, RFC 7517).
//!
//! 1. [`Jwks`]: the port [`TokenVerifier`]. It reads the file again when that changes.
//! 2. `keys`: which keys of the file are taken, and for which algorithm each.
//! 3. `claims`: what a well-signed token must say.
//! 4. [`Issuer`]: makes tokens, for development alone.
//!
//! A token is accepted where all of this holds:
//! - it has at most 8 KiB;
//! - its algorithm is RS256, ES256 or EdDSA, never an HMAC or `none`, and is the one of the key that its
//!   `kid` names (or of the only key, where it names none). Keys that a token brings along or points to
//!   (`jwk`, `jku`, `x5c`, `x5u`) are passed over, and one with a critical extension (`crit`) is refused;
//! - its signature is right;
//! - `exp` is there and hasn't come, `nbf` isn't ahead, issuer and audience are the configured ones;
//! - `tenantId` names a tenant.

mod claims;
mod issuer;
mod keys;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use jsonwebtoken::Validation;
use serde::Deserialize;

use self::claims::TokenClaims;
use self::keys::KeySet;
use crate::service::ports::{Claims, Clock, TokenError, TokenVerifier};

pub use issuer::{Issuer, IssuerError};

/// The longest token, in bytes.
const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// The longest file of keys, in bytes.
const MAX_FILE_BYTES: u64 = 256 * 1024;
/// How often the file is looked at, in milliseconds.
const COOLDOWN_MILLIS: u64 = 2_000;

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

/// Checks tokens against a file of public keys.
pub struct Jwks {
    path: PathBuf,
    settings: JwksSettings,
    clock: Arc<dyn Clock>,
    keys: ArcSwap<Loaded>,
    looked_at_millis: AtomicU64,
}

/// The keys of a state of the file.
struct Loaded {
    keys: KeySet,
    version: Version,
}

/// Tells two states of the file apart: when it was changed, and its length.
type Version = (Option<SystemTime>, u64);

impl Jwks {
    /// Reads a file of keys. Blocks.
    ///
    /// # Errors
    /// Why there is no key to be had from it.
    pub fn from_file(path: &Path, settings: JwksSettings, clock: Arc<dyn Clock>) -> Result<Self, JwksError> {
        let loaded = Loaded::read(path)?;
        let looked_at_millis = AtomicU64::new(clock.now().millis());
        let keys = ArcSwap::from_pointee(loaded);
        Ok(Self { path: path.to_owned(), settings, clock, keys, looked_at_millis })
    }

    /// Takes the file's keys where it has changed; bad ones are refused and the old ones stay. The file is
    /// small and local, and looked at by one request in two seconds: that one may wait for it.
    fn refresh(&self) {
        let now = self.clock.now().millis();
        let last = self.looked_at_millis.load(Ordering::Relaxed);
        let due = now.abs_diff(last) >= COOLDOWN_MILLIS;
        if !due
            || self
                .looked_at_millis
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_err()
            || version(&self.path).is_ok_and(|version| version == self.keys.load().version)
        {
            return;
        }
        match Loaded::read(&self.path) {
            Ok(loaded) => self.keys.store(Arc::new(loaded)),
            Err(error) => tracing::warn!(%error, "the token keys can't be read again; the old ones stay"),
        }
    }
}

#[async_trait]
impl TokenVerifier for Jwks {
    async fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Invalid);
        }
        self.refresh();
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
        if header.crit.is_some() {
            return Err(TokenError::Invalid);
        }
        let loaded = self.keys.load();
        let key = loaded.keys.select(header.kid.as_deref(), header.alg).ok_or(TokenError::Invalid)?;

        // The signature is checked here, the claims below: the library would ask the machine's clock.
        let mut validation = Validation::new(key.algorithm);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        let token = jsonwebtoken::decode::<TokenClaims>(token, &key.key, &validation)
            .map_err(|_| TokenError::Invalid)?;
        token.claims.check(&self.settings, self.clock.now())
    }
}

impl Loaded {
    fn read(path: &Path) -> Result<Self, JwksError> {
        let unreadable = |source| JwksError::Unreadable { path: path.to_owned(), source };
        let version = version(path).map_err(unreadable)?;
        if version.1 > MAX_FILE_BYTES {
            return Err(JwksError::TooLarge { path: path.to_owned() });
        }
        let bytes = std::fs::read(path).map_err(unreadable)?;
        let keys = KeySet::parse(&bytes)
            .map_err(|source| JwksError::NotAKeySet { path: path.to_owned(), source })?;
        if keys.is_empty() {
            return Err(JwksError::NoKeys { path: path.to_owned() });
        }
        Ok(Self { keys, version })
    }
}

fn version(path: &Path) -> io::Result<Version> {
    let metadata = std::fs::metadata(path)?;
    Ok((metadata.modified().ok(), metadata.len()))
}

/// Why a file gives no keys.
#[derive(Debug, thiserror::Error)]
pub enum JwksError {
    /// It can't be read.
    #[error("the token keys {} can't be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is longer than any JWK set.
    #[error("the token keys {} have more than {MAX_FILE_BYTES} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It isn't a JWK set.
    #[error("{} isn't a JWK set ({{\"keys\":[…]}}): {source}", path.display())]
    NotAKeySet {
        /// The file.
        path: PathBuf,
        /// Where it ends to be one.
        source: serde_json::Error,
    },
    /// It has no key of a kind that is taken.
    #[error("{} holds no signing key of type RSA, EC (P-256) or OKP (Ed25519)", path.display())]
    NoKeys {
        /// The file.
        path: PathBuf,
    },
}
