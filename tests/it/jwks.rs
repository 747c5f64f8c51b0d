//! Bearer tokens: what is accepted, and above all what isn't.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use signet::media::Timestamp;
use signet::service::Scopes;
use signet::service::ports::{TokenError, TokenVerifier};
use signet::store::jwks::{Issuer, IssuerError, Jwks, JwksError, JwksSettings};
use tempfile::tempdir;

use crate::support::tokens::{Hand, Keys, NOW, claims, verifier};

#[tokio::test]
async fn a_token_of_the_issuer_is_accepted_for_its_time() {
    let dir = tempdir().unwrap();
    let issuer = Issuer::open_or_create(dir.path()).unwrap();
    let tenant = "demo".parse().unwrap();
    let token = issuer.token(&tenant, Timestamp::from_seconds(NOW), 3_600).unwrap();
    let again = Issuer::open_or_create(dir.path()).unwrap();
    let later = again.token(&tenant, Timestamp::from_seconds(NOW), 3_600).unwrap();

    let clock = Hand::new();
    let jwks = verifier(issuer.jwks_path(), clock.clone());
    for token in [&token, &later] {
        assert_eq!(jwks.verify(token).await.unwrap().tenant, tenant);
    }
    clock.set(NOW + 3_600 + 9);
    assert!(jwks.verify(&token).await.is_ok(), "within the leeway");
    clock.set(NOW + 3_600 + 10);
    assert!(matches!(jwks.verify(&token).await, Err(TokenError::Expired)));
    clock.set(NOW - 10);
    assert!(jwks.verify(&token).await.is_ok(), "within the leeway");
    clock.set(NOW - 11);
    assert!(matches!(jwks.verify(&token).await, Err(TokenError::NotYet)));
}

#[test]
fn the_private_key_is_readable_by_its_owner_alone_and_a_bad_one_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempdir().unwrap();
    Issuer::open_or_create(dir.path()).unwrap();
    let pem = dir.path().join("jwt.pem");
    assert_eq!(fs::metadata(&pem).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::read_to_string(&pem).unwrap().starts_with("-----BEGIN PRIVATE KEY-----"));
    for bad in ["", "x", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
        fs::write(&pem, bad).unwrap();
        let error = Issuer::open_or_create(dir.path()).err().unwrap();
        assert!(matches!(error, IssuerError::NotAKey { .. }) && error.to_string().contains("jwt.pem"));
    }
}

#[tokio::test]
async fn claims_that_are_missing_or_wrong_are_refused() {
    let keys = Keys::new();
    let jwks = keys.verifier();
    let refused = async |change: Value| jwks.verify(&keys.ec_token(change)).await.unwrap_err();
    assert!(jwks.verify(&keys.ec_token(json!({}))).await.is_ok());
    assert!(jwks.verify(&keys.ec_token(json!({ "aud": ["other", "signet"] }))).await.is_ok());
    assert!(jwks.verify(&keys.ec_token(json!({ "exp": NOW as f64 + 1.5, "nbf": null }))).await.is_ok());

    for change in [json!({ "exp": null }), json!({ "exp": "soon" }), json!({ "iss": ["signet-dev"] })] {
        assert!(matches!(refused(change.clone()).await, TokenError::Invalid), "{change}");
    }
    assert!(matches!(refused(json!({ "exp": NOW - 60 })).await, TokenError::Expired));
    assert!(matches!(refused(json!({ "exp": -1 })).await, TokenError::Expired));
    assert!(matches!(refused(json!({ "nbf": NOW + 60 })).await, TokenError::NotYet));
    for change in [
        json!({ "iss": "evil" }),
        json!({ "iss": null }),
        json!({ "aud": "other" }),
        json!({ "aud": ["other"] }),
        json!({ "aud": [] }),
        json!({ "aud": null }),
    ] {
        assert!(matches!(refused(change.clone()).await, TokenError::Foreign), "{change}");
    }
    for change in [json!({ "tenantId": null }), json!({ "tenantId": "" }), json!({ "tenantId": "../x" })] {
        assert!(matches!(refused(change.clone()).await, TokenError::NoTenant), "{change}");
    }
}

#[tokio::test]
async fn issuer_and_audience_are_checked_only_where_they_are_configured() {
    let keys = Keys::new();
    let jwks = Jwks::from_file(&keys.path(), JwksSettings::default(), Hand::new());
    let token = keys.ec_token(json!({ "iss": "somebody", "aud": "anybody" }));
    assert!(jwks.unwrap().verify(&token).await.is_ok());
}

#[tokio::test]
async fn a_token_may_do_what_its_scopes_say() {
    let keys = Keys::new();
    let jwks = keys.verifier();
    let strict = Jwks::from_file(
        &keys.path(),
        JwksSettings { require_scopes: true, ..JwksSettings::default() },
        Hand::new(),
    );
    let strict = strict.unwrap();
    let sign = Scopes::of(["media:sign"]);
    let read_and_sign = Scopes::of(["media:read", "media:sign"]);
    for (claims, scopes) in [
        (json!({ "scope": "media:sign" }), sign),
        (json!({ "scp": "media:sign" }), sign),
        (json!({ "scope": ["media:sign", "openid"] }), sign),
        (json!({ "scp": ["media:sign", "media:read"] }), read_and_sign),
        (json!({ "scope": "openid media:read", "scp": ["media:sign"] }), read_and_sign),
        (json!({ "scope": "openid profile" }), Scopes::NONE),
        (json!({ "scope": "", "scp": [] }), Scopes::NONE),
        (json!({ "scope": ["media:read media:sign"] }), Scopes::NONE),
    ] {
        for jwks in [&jwks, &strict] {
            let said = jwks.verify(&keys.ec_token(claims.clone())).await.unwrap();
            assert_eq!(said.scopes, scopes, "{claims}");
        }
    }
    let silent = keys.ec_token(json!({}));
    assert_eq!(jwks.verify(&silent).await.unwrap().scopes, Scopes::ALL);
    assert_eq!(strict.verify(&silent).await.unwrap().scopes, Scopes::NONE);
    // The claim is there, and names nothing.
    let header = Header { kid: Some(keys.ec_id.clone()), ..Header::new(Algorithm::ES256) };
    let mut null = claims(json!({}));
    null["scope"] = Value::Null;
    let null = jsonwebtoken::encode(&header, &null, &keys.ec).unwrap();
    assert_eq!(jwks.verify(&null).await.unwrap().scopes, Scopes::NONE);
    for wrong in [json!({ "scope": 7 }), json!({ "scp": { "media:read": true } }), json!({ "scp": [1] })] {
        let outcome = jwks.verify(&keys.ec_token(wrong.clone())).await;
        assert!(matches!(outcome, Err(TokenError::Invalid)), "{wrong}");
    }
}

#[tokio::test]
async fn only_the_algorithm_of_the_named_key_is_accepted() {
    let keys = Keys::new();
    let jwks = keys.verifier();
    let ec = |header: Header| jsonwebtoken::encode(&header, &claims(json!({})), &keys.ec).unwrap();
    let rsa = |header: Header| jsonwebtoken::encode(&header, &claims(json!({})), &keys.rsa).unwrap();
    let named = |algorithm, kid: &str| Header { kid: Some(kid.into()), ..Header::new(algorithm) };
    assert!(jwks.verify(&rsa(named(Algorithm::RS256, "rsa"))).await.is_ok());
    assert!(jwks.verify(&ec(named(Algorithm::ES256, &keys.ec_id))).await.is_ok());

    let ed = |header: Header| jsonwebtoken::encode(&header, &claims(json!({})), &keys.ed).unwrap();
    assert!(jwks.verify(&ed(named(Algorithm::EdDSA, "ed"))).await.is_ok());

    let hmac = |secret: &[u8], kid: &str| {
        let key = EncodingKey::from_secret(secret);
        jsonwebtoken::encode(&named(Algorithm::HS256, kid), &claims(json!({})), &key).unwrap()
    };
    let file = fs::read(keys.path()).unwrap();
    let unsigned = |algorithm: &str| {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.", part(json!({ "alg": algorithm, "kid": "rsa" })), part(claims(json!({}))))
    };
    let mut critical = named(Algorithm::ES256, &keys.ec_id);
    critical.crit = Some(vec!["exp".into()]);
    let other = Keys::new();
    let bad = [
        ("signed by another", other.ec_token(json!({}))),
        ("by another with this kid", {
            jsonwebtoken::encode(&named(Algorithm::ES256, &keys.ec_id), &claims(json!({})), &other.ec)
                .unwrap()
        }),
        ("unknown kid", ec(named(Algorithm::ES256, "nobody"))),
        ("no kid, several keys", ec(Header::new(Algorithm::ES256))),
        ("kid of another type", ec(named(Algorithm::ES256, "rsa"))),
        ("stronger hash", rsa(named(Algorithm::RS512, "rsa"))),
        ("other padding", rsa(named(Algorithm::PS256, "rsa"))),
        ("RS256 by a key for RS512", rsa(named(Algorithm::RS256, "RS512"))),
        ("RS512 by a key for RS512", rsa(named(Algorithm::RS512, "RS512"))),
        ("PS256 by a key for PS256", rsa(named(Algorithm::PS256, "PS256"))),
        ("RS256 by an RSA key that says ES256", rsa(named(Algorithm::RS256, "ES256"))),
        ("RS256 by an RSA key that says HS256", rsa(named(Algorithm::RS256, "HS256"))),
        ("HMAC by an RSA key that says HS256", hmac(&keys.modulus, "HS256")),
        ("EdDSA by another kid", ed(named(Algorithm::EdDSA, "rsa"))),
        ("encryption key", rsa(named(Algorithm::RS256, "enc"))),
        ("HMAC with the modulus", hmac(&keys.modulus, "rsa")),
        ("HMAC with the file", hmac(&file, "rsa")),
        ("HMAC with the symmetric key of the file", hmac(b"secret", "hmac")),
        ("none", unsigned("none")),
        ("None", unsigned("None")),
        ("no signature", unsigned("RS256")),
        ("critical extension", ec(critical)),
    ];
    for (what, token) in bad {
        assert!(matches!(jwks.verify(&token).await, Err(TokenError::Invalid)), "{what}");
    }
}

#[tokio::test]
async fn keys_that_a_token_brings_along_are_passed_over() {
    let (keys, other) = (Keys::new(), Keys::new());
    let own = jsonwebtoken::jwk::Jwk::from_encoding_key(&other.ec, Algorithm::ES256).unwrap();
    let mut header = Header { kid: Some(keys.ec_id.clone()), ..Header::new(Algorithm::ES256) };
    header.jwk = Some(own);
    header.jku = Some("https://evil.example/jwks.json".into());
    let token = jsonwebtoken::encode(&header, &claims(json!({})), &other.ec).unwrap();
    assert!(matches!(keys.verifier().verify(&token).await, Err(TokenError::Invalid)));
}

#[tokio::test]
async fn garbage_and_huge_tokens_are_refused() {
    let keys = Keys::new();
    let jwks = keys.verifier();
    let good = keys.ec_token(json!({}));
    let huge = keys.ec_token(json!({ "padding": "x".repeat(8 * 1024) }));
    let mut bad: Vec<String> = ["", ".", "..", "...", "a.b.c", "💥", "Bearer x"].map(Into::into).to_vec();
    bad.extend([format!("{good}x"), format!("{good}."), format!(" {good}"), good[1..].to_owned(), huge]);
    bad.extend((0..good.len()).step_by(7).map(|at| good[..at].to_owned()));
    bad.push("a.".repeat(4 * 1024 * 1024));
    for token in bad {
        assert!(
            matches!(jwks.verify(&token).await, Err(TokenError::Invalid)),
            "{}",
            &token[..token.len().min(80)]
        );
    }
}

#[tokio::test]
async fn a_changed_file_is_read_again_and_a_broken_one_is_not_taken() {
    let keys = Keys::new();
    let clock = Hand::new();
    let jwks = verifier(&keys.path(), clock.clone());
    let old = keys.ec_token(json!({}));
    let other = Keys::new();
    let new = other.ec_token(json!({}));
    assert!(jwks.verify(&new).await.is_err());

    fs::write(keys.path(), "{ not keys").unwrap();
    clock.set(NOW + 3);
    assert!(jwks.verify(&old).await.is_ok(), "the old keys stay");
    fs::write(keys.path(), fs::read(other.path()).unwrap()).unwrap();
    assert!(jwks.verify(&new).await.is_err(), "not looked at again so soon");
    clock.set(NOW + 6);
    assert!(jwks.verify(&new).await.is_ok());
    assert!(jwks.verify(&old).await.is_err(), "a key that is gone is good no more");
    fs::remove_file(keys.path()).unwrap();
    clock.set(NOW + 9);
    assert!(jwks.verify(&new).await.is_ok());
}

#[test]
fn a_file_without_usable_keys_is_named() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("jwks.json");
    let open = |path: &Path| Jwks::from_file(path, JwksSettings::default(), Hand::new()).err().unwrap();
    assert!(matches!(open(&path), JwksError::Unreadable { .. }));
    assert!(matches!(open(dir.path()), JwksError::Unreadable { .. }));
    for (text, says) in [
        ("", "isn't a JWK set"),
        ("[]", "isn't a JWK set"),
        (r#"{"keys":[]}"#, "holds no signing key"),
        (r#"{"keys":[{"kty":"oct","k":"AAAA"},{"kty":"EC","crv":"P-384","x":"AA","y":"AA"}]}"#, "holds no"),
    ] {
        fs::write(&path, text).unwrap();
        let message = open(&path).to_string();
        assert!(message.contains(says) && message.contains("jwks.json"), "{message}");
    }
    fs::write(&path, vec![b' '; 256 * 1024 + 1]).unwrap();
    assert!(matches!(open(&path), JwksError::TooLarge { .. }));
}
