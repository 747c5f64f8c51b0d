//! Bearer tokens and the issuer's keys, as strangers might write them.
//!
//! 1. Nothing panics: headers, claims, signatures, JWK sets.
//! 2. A token that is accepted was signed by a key that there is, and says what it must: times, issuer, audience,
//!    tenant.
#![no_main]

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use sha2::Sha256;
use signet::media::Timestamp;
use signet::service::ports::{Clock, NoMeter, TokenVerifier};
use signet::store::jwks::{FetchError, Jwks, JwksSettings, KeyFetch, PublicKeys, RemoteKeys, SharedSecret};
use tokio::runtime::{Builder, Runtime};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const NOW: u64 = 1_800_000_000;
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().build().expect("a runtime"));

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(NOW * 1_000)
    }
}

/// A JWK set that is there.
struct Given(Bytes);

#[async_trait]
impl KeyFetch for Given {
    async fn fetch(&self) -> Result<Bytes, FetchError> {
        Ok(self.0.clone())
    }
}

// A byte of choices: claims that are signed here, a token, or a token and (after a line break) a JWK set.
fuzz_target!(|data: &[u8]| {
    let Some((choices, rest)) = data.split_first() else { return };
    match choices % 3 {
        0 => claims(rest),
        1 => {
            // Nobody has the secret.
            if let Ok(token) = std::str::from_utf8(rest) {
                assert!(!is_accepted(PublicKeys::Nowhere, token).is_some_and(|_| !is_ours(token)));
            }
        }
        _ => {
            let (token, keys) = rest.split_at(rest.iter().position(|byte| *byte == b'\n').unwrap_or(0));
            let Ok(token) = std::str::from_utf8(token) else { return };
            let fetch = Given(Bytes::copy_from_slice(keys));
            let keys = RemoteKeys::new(fetch, Arc::new(Still), Arc::new(NoMeter));
            let _ = RUNTIME.block_on(keys.refresh());
            let _ = is_accepted(PublicKeys::Remote(keys), token);
        }
    }
});

fn claims(claims: &[u8]) {
    let token = signed(claims);
    let Some(tenant) = is_accepted(PublicKeys::Nowhere, &token) else { return };
    // Members that nobody reads may hold anything in their strings.
    let claims: Value = serde_json::from_str(&String::from_utf8_lossy(claims)).expect("claims are JSON");
    assert_eq!(claims["tenantId"], tenant);
    assert_eq!(claims["iss"], "issuer");
    let audience = &claims["aud"];
    let named =
        audience.as_array().map_or(audience == "audience", |all| all.iter().any(|one| one == "audience"));
    assert!(named, "{audience}");
    assert!(claims["exp"].as_f64().is_some_and(|time| time > NOW as f64));
    assert!(claims["nbf"].as_f64().is_none_or(|time| time <= NOW as f64));
}

/// The tenant of a token that is accepted.
fn is_accepted(public: PublicKeys, token: &str) -> Option<String> {
    let settings = JwksSettings {
        issuer: Some("issuer".into()),
        audience: Some("audience".into()),
        ..JwksSettings::default()
    };
    let secret = SharedSecret::new(SECRET).ok();
    let jwks = Jwks::new(public, secret, settings, Arc::new(Still));
    RUNTIME.block_on(jwks.verify(token)).ok().map(|claims| claims.tenant.to_string())
}

/// Whether the secret has signed it.
fn is_ours(token: &str) -> bool {
    let Some((said, signature)) = token.rsplit_once('.') else { return false };
    URL_SAFE_NO_PAD.decode(signature).is_ok_and(|signature| signature == mac(said))
}

fn signed(claims: &[u8]) -> String {
    let said = format!("{}.{}", URL_SAFE_NO_PAD.encode(HEADER), URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(mac(&said));
    format!("{said}.{signature}")
}

fn mac(said: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).expect("a key of any length");
    mac.update(said.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
