//! Tokens that are signed by a shared secret: accepted only where it is configured, and by it alone.

use std::fs;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rsa::pkcs1::EncodeRsaPublicKey;
use rsa::pkcs8::EncodePublicKey;
use serde_json::json;
use signet::service::ports::{TokenError, TokenVerifier};
use signet::store::jwks::{FileKeys, Jwks, PublicKeys, SharedSecret};

use crate::support::Node;
use crate::support::http::get_as;
use crate::support::settings::{ANNA, two_tenants};
use crate::support::tokens::{Hand, Keys, NOW, claims, settings};
use crate::support::verify;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn signed(algorithm: Algorithm, kid: Option<&str>, secret: &[u8]) -> String {
    let header = Header { kid: kid.map(Into::into), ..Header::new(algorithm) };
    jsonwebtoken::encode(&header, &claims(json!({})), &EncodingKey::from_secret(secret)).unwrap()
}

/// By these public keys, and by the secret.
fn by_both(keys: &Keys) -> Jwks {
    let file = FileKeys::open(&keys.path(), signet::media::Timestamp::from_seconds(NOW)).unwrap();
    let secret = SharedSecret::new(SECRET.as_bytes()).unwrap();
    Jwks::new(PublicKeys::File(file), Some(secret), settings(), Hand::new())
}

fn by_secret() -> Jwks {
    let secret = SharedSecret::new(SECRET.as_bytes()).unwrap();
    Jwks::new(PublicKeys::Nowhere, Some(secret), settings(), Hand::new())
}

#[tokio::test]
async fn a_secret_is_accepted_where_it_is_configured_and_for_hs256_alone() {
    let keys = Keys::new();
    let (file, secret, both) = (keys.verifier(), by_secret(), by_both(&keys));
    let by_hmac = signed(Algorithm::HS256, None, SECRET.as_bytes());
    let by_key = keys.ec_token(json!({}));
    assert!(secret.verify(&by_hmac).await.is_ok() && both.verify(&by_hmac).await.is_ok());
    assert!(file.verify(&by_key).await.is_ok() && both.verify(&by_key).await.is_ok());
    assert!(secret.verify(&signed(Algorithm::HS256, Some("any"), SECRET.as_bytes())).await.is_ok());
    assert!(matches!(file.verify(&by_hmac).await, Err(TokenError::Invalid)));
    assert!(matches!(secret.verify(&by_key).await, Err(TokenError::Invalid)));
    let wrong = format!("{}0", &SECRET[..31]);
    for (algorithm, with) in [
        (Algorithm::HS384, SECRET.as_bytes()),
        (Algorithm::HS512, SECRET.as_bytes()),
        (Algorithm::HS256, wrong.as_bytes()),
        (Algorithm::HS256, b""),
    ] {
        for jwks in [&file, &secret, &both] {
            let token = signed(algorithm, None, with);
            assert!(matches!(jwks.verify(&token).await, Err(TokenError::Invalid)), "{algorithm:?}");
        }
    }
    let old = Header::new(Algorithm::HS256);
    let old_claims = claims(json!({ "exp": NOW - 60 }));
    let old = jsonwebtoken::encode(&old, &old_claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap();
    assert!(matches!(secret.verify(&old).await, Err(TokenError::Expired)), "claims are checked all the same");
}

#[tokio::test]
async fn a_public_key_is_never_taken_for_a_secret() {
    let keys = Keys::new();
    let (file, secret, both) = (keys.verifier(), by_secret(), by_both(&keys));
    let public = keys.pair().to_public_key();
    let jwks = fs::read(keys.path()).unwrap();
    let spki = public.to_public_key_der().unwrap().as_bytes().to_vec();
    let pkcs1 = public.to_pkcs1_der().unwrap().as_bytes().to_vec();
    let pem = |label: &str, bytes: &[u8]| {
        let lines = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        pem::encode_config(&pem::Pem::new(label, bytes), lines)
    };
    let forms: [(&str, Vec<u8>); 7] = [
        ("PEM", pem("PUBLIC KEY", &spki).into_bytes()),
        ("PEM, trimmed", pem("PUBLIC KEY", &spki).trim().as_bytes().to_vec()),
        ("PKCS#1 PEM", pem("RSA PUBLIC KEY", &pkcs1).into_bytes()),
        ("DER", spki.clone()),
        ("PKCS#1 DER", pkcs1.clone()),
        ("modulus", keys.modulus.clone()),
        ("the whole set", jwks),
    ];
    for (form, bytes) in forms {
        for kid in [Some("rsa"), Some(keys.ec_id.as_str()), Some("hmac"), None] {
            let token = signed(Algorithm::HS256, kid, &bytes);
            for jwks in [&file, &secret, &both] {
                assert!(matches!(jwks.verify(&token).await, Err(TokenError::Invalid)), "{form} {kid:?}");
            }
        }
    }
}

#[test]
fn a_short_secret_is_refused() {
    assert!(SharedSecret::new(&[7; 31]).is_err() && SharedSecret::new(&[7; 32]).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_takes_the_secret_from_its_environment() {
    let folder = tempfile::tempdir().unwrap();
    let settings = two_tenants(folder.path(), "", "vectors/rsa", false);
    let mut said = claims(json!({ "tenantId": ANNA.0, "exp": verify::now() + 60, "nbf": null }));
    let token = |said: &serde_json::Value| {
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        format!("Bearer {}", jsonwebtoken::encode(&Header::new(Algorithm::HS256), said, &key).unwrap())
    };
    let node = Node::serve(folder.path(), &settings, &[("SIGNET__AUTH__HS256_SECRET", SECRET)]);
    let url = format!("{}/media/v1/usage", node.api);
    assert_eq!(get_as(&url, &token(&said)).await.status, 200);
    assert_eq!(get_as(&url, &ANNA.token(folder.path())).await.status, 200);
    said["aud"] = json!("others");
    get_as(&url, &token(&said)).await.assert_problem(401, "credentials-invalid");
    assert!(!node.log().contains(SECRET));
}
