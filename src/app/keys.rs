//! From settings to a key ring.

use std::fs;

use zeroize::Zeroizing;

use super::StartError;
use crate::cloudfront::{KeyAlgorithm, KeyPairId, NonceMode, PrivateKey, PublicKey};
use crate::config::{KeySettings, NonceSetting, SigningSettings, time};
use crate::service::key_ring::{KeyRing, RingKey};

/// Reads all keys of the settings. Each private key must match its public key, where that is given.
///
/// # Errors
/// The key that can't be used, and why.
pub fn key_ring(settings: &SigningSettings) -> Result<KeyRing, StartError> {
    if settings.keys.is_empty() {
        let detail = "there is no key pair: add [[signing.keys]] with id and private_key_file, or set \
                      CLOUDFRONT_SIGNING_PRIVATE_KEY and CLOUDFRONT_SIGNING_KEY_PAIR_ID";
        return Err(StartError::setting("signing.keys", detail));
    }
    let keys = settings.keys.iter().map(|key| ring_key(key, settings.nonce)).collect::<Result<_, _>>()?;
    KeyRing::new(keys).map_err(|error| StartError::setting("signing.keys", error))
}

fn ring_key(settings: &KeySettings, nonce: NonceSetting) -> Result<RingKey, StartError> {
    let name = |field: &str| format!("signing.keys, {:?}, {field}", settings.id);
    let id = KeyPairId::new(&settings.id).map_err(|error| StartError::setting(name("id"), error))?;
    let nonce = match nonce {
        NonceSetting::Deterministic => NonceMode::Deterministic,
        NonceSetting::Random => NonceMode::Random,
    };
    let private = PrivateKey::from_pem(&private_pem(settings)?, nonce)
        .map_err(|error| StartError::setting(name("private key"), error))?;
    if let Some(warning) = private.warning() {
        tracing::warn!(key_pair_id = %id, "{warning}");
    }
    let public = private.public_key();
    if let Some(file) = &settings.public_key_file {
        let pem = fs::read(file).map_err(|error| {
            StartError::setting(name("public_key_file"), format!("can't read {}: {error}", file.display()))
        })?;
        let stated =
            PublicKey::from_pem(&pem).map_err(|error| StartError::setting(name("public_key_file"), error))?;
        if stated.to_pem() != public.to_pem() {
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
    Ok(RingKey {
        id,
        private,
        public,
        hash,
        not_before: moment("not_before", &settings.not_before)?.unwrap_or(0),
        retire_at: moment("retire_at", &settings.retire_at)?,
    })
}

fn private_pem(settings: &KeySettings) -> Result<Zeroizing<Vec<u8>>, StartError> {
    let name = format!("signing.keys, {:?}, private_key_file", settings.id);
    match (&settings.private_key, &settings.private_key_file) {
        (Some(secret), _) => Ok(Zeroizing::new(secret.expose().as_bytes().to_vec())),
        (None, Some(file)) => fs::read(file)
            .map(Zeroizing::new)
            .map_err(|error| StartError::setting(name, format!("can't read {}: {error}", file.display()))),
        (None, None) => Err(StartError::setting(name, "is missing")),
    }
}
