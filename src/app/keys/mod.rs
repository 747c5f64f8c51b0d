//! From settings to a key ring, at the start and again while serving.
//!
//! 1. [`KeyLoader`]: reads all keys of the settings and checks each.
//! 2. `source`: file, environment or secret → PEM.
//! 3. [`reload`]: when they are read again, and what becomes of that.

pub mod reload;
mod source;

use std::sync::Arc;

use super::StartError;
use crate::cloudfront::{KeyAlgorithm, KeyPairId, NonceMode, PrivateKey, PublicKey};
use crate::config::{KeySettings, NonceSetting, SigningSettings, time};
use crate::service::key_ring::{KeyRing, RingError, RingKey};

use source::Sources;

/// Reads keys. Asks Secrets Manager only where a key lies there.
#[derive(Default)]
pub struct KeyLoader {
    sources: Sources,
}

impl KeyLoader {
    /// The key ring of the settings; one of its keys is active now.
    ///
    /// # Errors
    /// The key that can't be used, and why.
    pub async fn ring(&self, settings: &SigningSettings) -> Result<Arc<KeyRing>, StartError> {
        let keys = self.read(settings).await?;
        for key in &keys {
            if let Some(warning) = key.private.warning() {
                tracing::warn!(key_pair_id = %key.id, "{warning}");
            }
        }
        let ring = KeyRing::new(keys).map_err(ring_error)?;
        if ring.active(time::now()).is_none() {
            let detail = "no key pair is active now: look at not_before and retire_at";
            return Err(StartError::setting("signing.keys", detail));
        }
        Ok(Arc::new(ring))
    }

    /// Reads all keys of the settings. Each private key must match its public key, where that is given.
    ///
    /// # Errors
    /// The key that can't be used, and why.
    pub async fn read(&self, settings: &SigningSettings) -> Result<Vec<RingKey>, StartError> {
        if settings.secrets_refresh_seconds == 0 {
            return Err(StartError::setting("signing.secrets_refresh_seconds", "must be at least 1"));
        }
        if settings.keys.is_empty() {
            let detail = "there is no key pair: add [[signing.keys]] with id and private_key_file, or set \
                          CLOUDFRONT_SIGNING_PRIVATE_KEY and CLOUDFRONT_SIGNING_KEY_PAIR_ID";
            return Err(StartError::setting("signing.keys", detail));
        }
        let mut pass = self.sources.pass();
        let mut keys = Vec::with_capacity(settings.keys.len());
        for key in &settings.keys {
            let pem = pass.private_pem(key).await?;
            let id = pass.id(key).await?;
            let stated = match &key.public_key_file {
                Some(file) => Some(source::file(file, &setting(key, "public_key_file")).await?),
                None => None,
            };
            keys.push(ring_key(key, &id, settings.nonce, &pem, stated.as_ref().map(|pem| pem.as_slice()))?);
        }
        Ok(keys)
    }
}

fn ring_key(
    settings: &KeySettings,
    id: &str,
    nonce: NonceSetting,
    pem: &[u8],
    stated: Option<&[u8]>,
) -> Result<RingKey, StartError> {
    let name = |field: &str| setting(settings, field);
    let id = KeyPairId::new(id).map_err(|error| StartError::setting(name("id"), error))?;
    let nonce = match nonce {
        NonceSetting::Deterministic => NonceMode::Deterministic,
        NonceSetting::Random => NonceMode::Random,
    };
    let private =
        PrivateKey::from_pem(pem, nonce).map_err(|error| StartError::setting(name("private key"), error))?;
    let public = private.public_key();
    if let Some(pem) = stated {
        let stated =
            PublicKey::from_pem(pem).map_err(|error| StartError::setting(name("public_key_file"), error))?;
        if stated != public {
            let detail =
                "the private key doesn't belong to this public key: CloudFront would refuse every link";
            return Err(StartError::setting(name("public_key_file"), detail));
        }
    }
    let hash = match &settings.hash {
        None => private.default_hash(),
        Some(text) => text.parse().map_err(|error| StartError::setting(name("hash"), error))?,
    };
    if private.algorithm() == KeyAlgorithm::EcdsaP256 && hash != private.default_hash() {
        return Err(StartError::setting(name("hash"), "an ECDSA key signs with SHA256 only"));
    }
    let moment = |field: &str, text: &Option<String>| {
        text.as_deref()
            .map(|text| time::parse(text).map_err(|error| StartError::setting(name(field), error)))
            .transpose()
    };
    let not_before = moment("not_before", &settings.not_before)?.unwrap_or(0);
    let retire_at = moment("retire_at", &settings.retire_at)?;
    if retire_at.is_some_and(|end| end <= not_before) {
        return Err(StartError::setting(name("retire_at"), "must be after not_before: it would never sign"));
    }
    Ok(RingKey { id, private, public, hash, not_before, retire_at })
}

/// What a setting of a key is called in messages.
fn setting(key: &KeySettings, field: &str) -> String {
    let name =
        if key.id.is_empty() { key.private_key_secret.as_deref().unwrap_or_default() } else { &key.id };
    format!("signing.keys, {name:?}, {field}")
}

fn ring_error(error: RingError) -> StartError {
    StartError::setting("signing.keys", error)
}
