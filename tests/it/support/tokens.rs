//! Keys of an issuer, tokens that they sign, and a clock that is set by hand.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::traits::PublicKeyParts;
use serde_json::{Value, json};
use signet::media::Timestamp;
use signet::service::ports::Clock;
use signet::store::jwks::{Issuer, Jwks, JwksSettings};
use tempfile::tempdir;

/// When the tests of tokens take place.
pub const NOW: u64 = 1_800_000_000;

/// A clock that is set by hand, in seconds.
pub struct Hand(AtomicU64);

impl Hand {
    /// At [`NOW`].
    pub fn new() -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(NOW)))
    }

    pub fn set(&self, seconds: u64) {
        self.0.store(seconds, Ordering::Relaxed);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(self.0.load(Ordering::Relaxed))
    }
}

/// Made once for all tests: it takes a second.
static PAIR: LazyLock<rsa::RsaPrivateKey> =
    LazyLock::new(|| rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2_048).unwrap());

/// A file with an EC, an RSA, an Ed25519, an encryption and a symmetric key, and RSA keys for other algorithms.
pub struct Keys {
    dir: tempfile::TempDir,
    pub ec: EncodingKey,
    pub ec_id: String,
    pub rsa: EncodingKey,
    pub modulus: Vec<u8>,
    pub ed: EncodingKey,
}

impl Keys {
    pub fn new() -> Self {
        let dir = tempdir().unwrap();
        Issuer::open_or_create(dir.path()).unwrap();
        let path = dir.path().join("jwks.json");
        let ec = EncodingKey::from_ec_pem(&fs::read(dir.path().join("jwt.pem")).unwrap()).unwrap();
        let mut document: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let ec_id = document["keys"][0]["kid"].as_str().unwrap().to_owned();

        let pair = &*PAIR;
        let modulus = pair.n().to_bytes_be();
        let (n, e) = (URL_SAFE_NO_PAD.encode(&modulus), URL_SAFE_NO_PAD.encode(pair.e().to_bytes_be()));
        let keys = document["keys"].as_array_mut().unwrap();
        keys.push(json!({ "kty": "RSA", "kid": "rsa", "use": "sig", "n": n, "e": e }));
        keys.push(json!({ "kty": "RSA", "kid": "enc", "use": "enc", "n": n, "e": e }));
        for algorithm in ["RS512", "PS256", "ES256", "HS256"] {
            keys.push(json!({ "kty": "RSA", "kid": algorithm, "alg": algorithm, "n": n, "e": e }));
        }
        let ed = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let x = Ed25519KeyPair::from_pkcs8(ed.as_ref()).unwrap().public_key().as_ref().to_vec();
        let x = URL_SAFE_NO_PAD.encode(x);
        keys.push(json!({ "kty": "OKP", "crv": "Ed25519", "kid": "ed", "alg": "EdDSA", "x": x }));
        let ed = EncodingKey::from_ed_der(ed.as_ref());
        keys.push(json!({ "kty": "oct", "kid": "hmac", "k": URL_SAFE_NO_PAD.encode("secret") }));
        keys.push(json!({ "kty": "new-fangled", "kid": "x" }));
        fs::write(&path, document.to_string()).unwrap();
        let rsa = EncodingKey::from_rsa_der(pair.to_pkcs1_der().unwrap().as_bytes());
        Self { dir, ec, ec_id, rsa, modulus, ed }
    }

    /// The key pair of the RSA keys.
    pub fn pair(&self) -> &'static rsa::RsaPrivateKey {
        &PAIR
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("jwks.json")
    }

    pub fn verifier(&self) -> Jwks {
        verifier(&self.path(), Hand::new())
    }

    /// A good token, some of its claims changed (`null` removes one).
    pub fn ec_token(&self, change: Value) -> String {
        let header = Header { kid: Some(self.ec_id.clone()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, &claims(change), &self.ec).unwrap()
    }
}

/// By the keys of a file.
pub fn verifier(path: &Path, clock: Arc<Hand>) -> Jwks {
    Jwks::from_file(path, settings(), clock).unwrap()
}

/// What the tokens here must say.
pub fn settings() -> JwksSettings {
    JwksSettings {
        issuer: Some(Issuer::ISSUER.into()),
        audience: Some(Issuer::AUDIENCE.into()),
        leeway_seconds: 10,
        require_scopes: false,
    }
}

/// The claims of a good token, some of them changed (`null` removes one).
pub fn claims(change: Value) -> Value {
    let mut claims = json!({
        "iss": Issuer::ISSUER, "aud": Issuer::AUDIENCE, "tenantId": "demo", "exp": NOW + 60, "nbf": NOW,
    });
    for (name, value) in change.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    claims
}
