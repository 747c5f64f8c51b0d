//! Bearer tokens.

use std::path::PathBuf;

use serde::Deserialize;

use super::Secret;

/// `[auth]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthSettings {
    /// A file with the issuer's public keys (JWKS). Without keys only API keys are accepted.
    pub jwks_file: Option<PathBuf>,
    /// The secret that the issuer shares with Signet, at least 32 bytes: with it, tokens that are signed by
    /// HS256 are accepted too. Without it none is.
    pub hs256_secret: Option<Secret>,
    /// The `iss` that tokens must have. Default: any.
    pub issuer: Option<String>,
    /// The `aud` that tokens must have. Default: any.
    pub audience: Option<String>,
    /// How far the issuer's clock may be off, in seconds. Default 30.
    pub leeway_seconds: u64,
    /// Whether a token without a `scope` or `scp` claim may do nothing. Default false: it may do everything,
    /// as its issuer has no scopes.
    pub require_scopes: bool,
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self {
            jwks_file: None,
            hs256_secret: None,
            issuer: None,
            audience: None,
            leeway_seconds: 30,
            require_scopes: false,
        }
    }
}
