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
    /// The URL of those keys instead of a file: `https`, or `http` on this machine.
    pub jwks_url: Option<String>,
    /// How often they are fetched, in seconds: at least 30. Default 300. Where a token names another key, they
    /// are fetched at once, but at most every 30 s.
    pub jwks_refresh_seconds: u64,
    /// The secret that the issuer shares with Signet, at least 32 bytes: with it, tokens that are signed by
    /// HS256 are accepted too. Without it none is.
    pub hs256_secret: Option<Secret>,
    /// The `iss` that tokens must have. Default: any.
    pub issuer: Option<String>,
    /// The `aud` that tokens must have. Default: any.
    pub audience: Option<String>,
    /// Which tenants tokens may name. Default `listed`.
    pub tenants: TenantsSetting,
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
            jwks_url: None,
            jwks_refresh_seconds: 300,
            hs256_secret: None,
            issuer: None,
            audience: None,
            tenants: TenantsSetting::Listed,
            leeway_seconds: 30,
            require_scopes: false,
        }
    }
}

/// Which tenants tokens may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TenantsSetting {
    /// Those of `[[tenants]]`, or of the control plane.
    Listed,
    /// Any: the issuer knows who there is. What isn't listed has its id as its key.
    Any,
}
