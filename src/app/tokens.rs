//! Who may sign bearer tokens, by the settings.

use std::sync::Arc;

use super::StartError;
use crate::config::{AuthSettings, Settings};
use crate::service::ports::{Clock, TokenVerifier};
use crate::store::jwks::{FileKeys, Jwks, JwksSettings, PublicKeys, SharedSecret};

/// The verifier of tokens, where there is an issuer.
///
/// # Errors
/// The setting that can't be.
pub fn verifier(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
) -> Result<Option<Arc<dyn TokenVerifier>>, StartError> {
    let auth = &settings.auth;
    let (public, secret) = (public_keys(auth, clock)?, shared_secret(auth)?);
    if matches!(public, PublicKeys::Nowhere) && secret.is_none() {
        return Ok(None);
    }
    let claims = JwksSettings {
        issuer: auth.issuer.clone(),
        audience: auth.audience.clone(),
        leeway_seconds: auth.leeway_seconds,
        require_scopes: auth.require_scopes,
    };
    Ok(Some(Arc::new(Jwks::new(public, secret, claims, Arc::clone(clock)))))
}

fn public_keys(auth: &AuthSettings, clock: &Arc<dyn Clock>) -> Result<PublicKeys, StartError> {
    let Some(file) = &auth.jwks_file else { return Ok(PublicKeys::Nowhere) };
    let keys = FileKeys::open(file, clock.now());
    Ok(PublicKeys::File(keys.map_err(|error| StartError::setting("auth.jwks_file", error))?))
}

fn shared_secret(auth: &AuthSettings) -> Result<Option<SharedSecret>, StartError> {
    let secret = auth.hs256_secret.as_ref().map(|secret| SharedSecret::new(secret.expose().as_bytes()));
    secret.transpose().map_err(|error| StartError::setting("auth.hs256_secret", error))
}
