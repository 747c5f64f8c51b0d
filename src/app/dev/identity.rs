//! Key pair, tenant, API key and token: made at the first start, found again at each later one.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use rand::RngExt;
use rand::distr::Alphanumeric;

use super::file::write_private;
use crate::app::StartError;
use crate::cloudfront::{NewKey, NonceMode, PrivateKey};
use crate::config::{KeySettings, Secret, Settings, TenantSettings};
use crate::media::{Quota, Tenant, TenantId, Timestamp};
use crate::service::ports::{Clock, SystemClock, api_key_digest};
use crate::store::jwks::Issuer;

const TENANT_ID: &str = "t_demo";
const TENANT_KEY: &str = "demo";
/// How long the demo tenant's token is good, in seconds: 30 days, anew at each start.
const TOKEN_SECONDS: u64 = 30 * 24 * 3600;

/// Who is who in development.
pub struct Identity {
    /// The tenant's API key.
    pub api_key: String,
    /// A token of the tenant.
    pub token: String,
    /// The id of the key pair, derived from the public key.
    pub key_pair_id: String,
    /// The public key's file.
    pub public_key: PathBuf,
    private_key: PathBuf,
    jwks: PathBuf,
    tenant: TenantId,
}

impl Identity {
    /// Opens what is in a data folder, and makes what isn't.
    ///
    /// # Errors
    /// Where a file can't be read or written, or isn't what it should be.
    pub fn open_or_create(data: &Path) -> Result<Self, StartError> {
        let (private_key, public_key) = (data.join("keys/private.pem"), data.join("keys/public.pem"));
        let pem = kept(&private_key, || {
            let made = PrivateKey::generate(NewKey::Rsa2048);
            made.map(|(_, pem)| pem.to_string())
                .map_err(|error| StartError::system("making a key pair", error))
        })?;
        let key = PrivateKey::from_pem(pem.as_bytes(), NonceMode::Deterministic)
            .map_err(|error| StartError::setting(private_key.display().to_string(), error))?;
        let public_pem = key.public_key().to_pem();
        if fs::read_to_string(&public_key).ok().as_ref() != Some(&public_pem) {
            write_private(&public_key, &public_pem).map_err(|error| file_error(&public_key, error))?;
        }
        let api_key = kept(&data.join("api-key"), || Ok(format!("sk_dev_{}", random_text(32))))?;
        let issuer = Issuer::open_or_create(data)
            .map_err(|error| StartError::system("opening the issuer of tokens", error))?;
        let tenant: TenantId =
            TENANT_ID.parse().map_err(|error| StartError::system("naming the demo tenant", error))?;
        let now: Timestamp = SystemClock.now();
        let token = issuer
            .token(&tenant, now, TOKEN_SECONDS)
            .map_err(|error| StartError::system("making a token", error))?;
        Ok(Self {
            api_key: api_key.trim().to_owned(),
            token,
            key_pair_id: key_pair_id(&public_pem),
            public_key,
            private_key,
            jwks: issuer.jwks_path().to_owned(),
            tenant,
        })
    }

    /// The demo tenant.
    pub fn tenant(&self) -> Tenant {
        Tenant {
            id: self.tenant.clone(),
            key: TENANT_KEY.to_owned(),
            db_key: None,
            frozen: false,
            quota: Quota::NONE,
            profile: None,
            api_key: Some(api_key_digest(&self.api_key)),
        }
    }

    /// Puts all of this into settings.
    pub fn configure(&self, settings: &mut Settings) {
        settings.signing.keys = vec![KeySettings {
            private_key_file: Some(self.private_key.clone()),
            public_key_file: Some(self.public_key.clone()),
            ..KeySettings::new(&self.key_pair_id)
        }];
        // With an issuer of one's own, the tokens are that one's.
        if settings.auth.jwks_url.is_none() {
            settings.auth.jwks_file = Some(self.jwks.clone());
            settings.auth.issuer = Some(Issuer::ISSUER.to_owned());
            settings.auth.audience = Some(Issuer::AUDIENCE.to_owned());
        }
        settings.tenants = vec![TenantSettings {
            id: TENANT_ID.to_owned(),
            key: TENANT_KEY.to_owned(),
            db_key: None,
            frozen: false,
            quota_count: None,
            quota_bytes: None,
            profile: None,
            api_key: Some(Secret::new(&self.api_key)),
        }];
    }
}

/// The content of a secret file, made where it isn't there; readable by its owner alone, and whole
/// or not there at all.
fn kept(path: &Path, make: impl FnOnce() -> Result<String, StartError>) -> Result<String, StartError> {
    match fs::read_to_string(path) {
        Ok(text) => return Ok(text),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(file_error(path, error)),
    }
    let text = make()?;
    write_private(path, &text).map_err(|error| file_error(path, error))?;
    Ok(text)
}

fn file_error(path: &Path, error: std::io::Error) -> StartError {
    StartError::system(format!("can't use {}", path.display()), error)
}

/// An id that looks like one of CloudFront's, the same for the same key.
fn key_pair_id(public_pem: &str) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let digest = digest(&SHA256, public_pem.as_bytes());
    let letters = digest.as_ref().iter().take(13).map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    std::iter::once('K').chain(letters).collect()
}

fn random_text(length: usize) -> String {
    rand::rng().sample_iter(Alphanumeric).take(length).map(char::from).collect()
}
