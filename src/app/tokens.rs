//! Who may sign bearer tokens, by the settings.
//!
//! 1. [`verifier`]: from settings to what checks tokens.
//! 2. [`tenants`]: whom they may name; [`check_nameable`]: whether each of those has a place of its own.
//! 3. [`keep_fresh`]: fetches the issuer's keys while a node serves.

use std::sync::Arc;
use std::time::Duration;

use super::StartError;
use super::outgoing::connector;
use crate::config::{AssetsSetting, AuthSettings, Settings, TenantsSetting};
use crate::service::layout::Template;
use crate::service::ports::{Clock, Meter, TenantStore, TokenVerifier};
use crate::service::token_tenants::TokenTenants;
use crate::store::jwks::{
    FileKeys, HttpFetch, Jwks, JwksSettings, JwksUrl, PublicKeys, RemoteKeys, SharedSecret,
};
use crate::telemetry::traces::Current;

/// What checks tokens.
#[derive(Default)]
pub struct Tokens {
    /// The verifier, where there is an issuer.
    pub verifier: Option<Arc<dyn TokenVerifier>>,
    /// The issuer's keys, where they are to be fetched.
    pub remote: Option<Arc<RemoteKeys>>,
}

/// The verifier of tokens. Nothing is fetched yet.
///
/// # Errors
/// The setting that can't be.
pub fn verifier(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    meter: &Arc<dyn Meter>,
) -> Result<Tokens, StartError> {
    let auth = &settings.auth;
    let (public, secret) = (public_keys(auth, clock, meter)?, shared_secret(auth)?);
    let remote = match &public {
        PublicKeys::Nowhere if secret.is_none() => return Ok(Tokens::default()),
        PublicKeys::Remote(remote) => Some(Arc::clone(remote)),
        _ => None,
    };
    let claims = JwksSettings {
        issuer: auth.issuer.clone(),
        audience: auth.audience.clone(),
        leeway_seconds: auth.leeway_seconds,
        require_scopes: auth.require_scopes,
    };
    let verifier = Arc::new(Jwks::new(public, secret, claims, Arc::clone(clock)));
    Ok(Tokens { verifier: Some(verifier), remote })
}

/// Fetches the issuer's keys at once, and then again and again; sooner where it fails.
pub async fn keep_fresh(keys: Arc<RemoteKeys>, every: Duration) {
    loop {
        let pause = match keys.refresh().await {
            Ok(()) => every,
            Err(_) => RemoteKeys::COOLDOWN,
        };
        tokio::time::sleep(pause).await;
    }
}

/// The tenants that tokens may name.
///
/// # Errors
/// The setting that can't be.
pub fn tenants(
    settings: &Settings,
    listed: Arc<dyn TenantStore>,
) -> Result<Arc<dyn TenantStore>, StartError> {
    check_nameable(settings)?;
    if settings.auth.tenants == TenantsSetting::Listed {
        return Ok(listed);
    }
    Ok(Arc::new(TokenTenants::new(listed)))
}

/// Checks that the tenants that tokens may name have places of their own, whichever they name.
///
/// # Errors
/// The setting that can't be.
pub fn check_nameable(settings: &Settings) -> Result<(), StartError> {
    let auth = &settings.auth;
    if auth.tenants == TenantsSetting::Listed {
        return Ok(());
    }
    let refused = |detail: String| Err(StartError::setting("auth.tenants", detail));
    if auth.jwks_url.is_none() && auth.jwks_file.is_none() && auth.hs256_secret.is_none() {
        let detail = "\"any\" needs an issuer: set auth.jwks_url, auth.jwks_file or auth.hs256_secret";
        return refused(detail.to_owned());
    }
    if settings.store.assets == AssetsSetting::Mongodb {
        let detail =
            "must be \"listed\" where store.assets is \"mongodb\": groups say which database is whose";
        return refused(detail.to_owned());
    }
    let template = |name: &str, text: &str| {
        Template::parse(text).map_err(|error| StartError::setting(format!("cdn.{name}"), error))
    };
    let (path, bucket) = (template("path", &settings.cdn.path)?, template("bucket", &settings.cdn.bucket)?);
    if !bucket.is_shared() {
        let detail = "\"any\" needs one bucket for all tenants: set cdn.bucket (MEDIA_S3_BUCKET)";
        return refused(detail.to_owned());
    }
    // What stands in the path is the prefix in that bucket too.
    if !path.names_tenant() {
        let given = &settings.cdn.path;
        return refused(format!(
            "\"any\" needs {{tenant}} in cdn.path, which is {given:?}: a token may name any id, and one that is another \
             tenant's slug would open that tenant's files; set cdn.path = \"{{tenant}}\" (MEDIA_S3_BUCKET does)"
        ));
    }
    Ok(())
}

fn public_keys(
    auth: &AuthSettings,
    clock: &Arc<dyn Clock>,
    meter: &Arc<dyn Meter>,
) -> Result<PublicKeys, StartError> {
    match (&auth.jwks_file, &auth.jwks_url) {
        (None, None) => Ok(PublicKeys::Nowhere),
        (Some(file), None) => {
            let keys = FileKeys::open(file, clock.now());
            Ok(PublicKeys::File(keys.map_err(|error| StartError::setting("auth.jwks_file", error))?))
        }
        (None, Some(url)) => {
            if auth.jwks_refresh_seconds < RemoteKeys::COOLDOWN.as_secs() {
                let detail = format!("must be at least {}", RemoteKeys::COOLDOWN.as_secs());
                return Err(StartError::setting("auth.jwks_refresh_seconds", detail));
            }
            let url = JwksUrl::parse(url).map_err(|detail| StartError::setting("auth.jwks_url", detail))?;
            let connector = connector(url.as_uri().scheme_str())
                .map_err(|error| StartError::setting("auth.jwks_url", error))?;
            let fetch = HttpFetch::new(url, connector, Arc::new(Current));
            Ok(PublicKeys::Remote(RemoteKeys::new(fetch, Arc::clone(clock), Arc::clone(meter))))
        }
        (Some(_), Some(_)) => {
            Err(StartError::setting("auth.jwks_url", "can't be set together with auth.jwks_file"))
        }
    }
}

fn shared_secret(auth: &AuthSettings) -> Result<Option<SharedSecret>, StartError> {
    let secret = auth.hs256_secret.as_ref().map(|secret| SharedSecret::new(secret.expose().as_bytes()));
    secret.transpose().map_err(|error| StartError::setting("auth.hs256_secret", error))
}
