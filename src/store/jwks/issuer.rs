//! Makes tokens, for development alone: elsewhere an identity provider does.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use zeroize::Zeroizing;

use crate::media::{TenantId, Timestamp};

/// An ES256 key pair: private in `DIR/jwt.pem` (readable by its owner alone), public in `DIR/jwks.json`.
pub struct Issuer {
    key: EncodingKey,
    key_id: String,
    jwks_path: PathBuf,
}

impl Issuer {
    /// `iss` of its tokens.
    pub const ISSUER: &'static str = "signet-dev";
    /// `aud` of its tokens.
    pub const AUDIENCE: &'static str = "signet";

    /// Opens the key pair of a folder, or makes one. Blocks.
    ///
    /// # Errors
    /// Why the key pair can't be read or written.
    pub fn open_or_create(dir: &Path) -> Result<Self, IssuerError> {
        let path = dir.join("jwt.pem");
        let pkcs8 = match fs::read_to_string(&path) {
            Ok(text) => parse(&Zeroizing::new(text), &path)?,
            Err(error) if error.kind() == ErrorKind::NotFound => create(&path)?,
            Err(source) => return Err(IssuerError::File { path, source }),
        };
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8)
            .map_err(|_| IssuerError::NotAKey { path })?;

        let jwks_path = dir.join("jwks.json");
        let (key_id, jwks) = public_half(pair.public_key().as_ref());
        if fs::read_to_string(&jwks_path).ok().as_ref() != Some(&jwks) {
            replace(&jwks_path, jwks.as_bytes())
                .map_err(|source| IssuerError::File { path: jwks_path.clone(), source })?;
        }
        Ok(Self { key: EncodingKey::from_ec_der(&pkcs8), key_id, jwks_path })
    }

    /// The file of the public key, for [`Jwks`](super::Jwks).
    #[must_use]
    pub fn jwks_path(&self) -> &Path {
        &self.jwks_path
    }

    /// A token that lets its bearer act for a tenant for some time.
    ///
    /// # Errors
    /// The library's, where it can't sign.
    pub fn token(&self, tenant: &TenantId, now: Timestamp, seconds: u64) -> Result<String, IssuerError> {
        let claims = json!({
            "iss": Self::ISSUER,
            "aud": Self::AUDIENCE,
            "tenantId": tenant,
            "iat": now.seconds(),
            "nbf": now.seconds(),
            "exp": now.seconds().saturating_add(seconds),
        });
        let header = Header { kid: Some(self.key_id.clone()), ..Header::new(Algorithm::ES256) };
        Ok(jsonwebtoken::encode(&header, &claims, &self.key)?)
    }
}

fn create(path: &Path) -> Result<Zeroizing<Vec<u8>>, IssuerError> {
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
        .map_err(|_| IssuerError::Generate)?;
    let pkcs8 = Zeroizing::new(pkcs8.as_ref().to_vec());
    let text = Zeroizing::new(pem::encode(&pem::Pem::new("PRIVATE KEY", pkcs8.to_vec())));
    replace(path, text.as_bytes()).map_err(|source| IssuerError::File { path: path.to_owned(), source })?;
    Ok(pkcs8)
}

fn parse(text: &str, path: &Path) -> Result<Zeroizing<Vec<u8>>, IssuerError> {
    let block = pem::parse(text).ok().filter(|block| block.tag() == "PRIVATE KEY");
    let block = block.ok_or_else(|| IssuerError::NotAKey { path: path.to_owned() })?;
    Ok(Zeroizing::new(block.into_contents()))
}

/// The key's id and the JWK set that holds it, from an uncompressed point: 4, x, y.
fn public_half(point: &[u8]) -> (String, String) {
    let (x, y) = point.get(1..).unwrap_or_default().split_at(point.len() / 2);
    let key_id = URL_SAFE_NO_PAD.encode(&digest(&SHA256, point).as_ref()[..12]);
    let key = json!({
        "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": key_id,
        "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
    });
    (key_id, format!("{}\n", json!({ "keys": [key] })))
}

/// Writes a file at one stroke, for its owner alone: a crash leaves the old one, or none.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("draft");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, path)
}

/// Why there is no issuer, or no token.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// A file of the key pair can't be read or written.
    #[error("the token key {} can't be used: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{} isn't an ECDSA P-256 private key (PKCS#8 PEM): remove it to have a new one made", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// No key could be made.
    #[error("a token key couldn't be made")]
    Generate,
    /// No token could be made.
    #[error("a token couldn't be signed: {0}")]
    Sign(#[from] jsonwebtoken::errors::Error),
}
