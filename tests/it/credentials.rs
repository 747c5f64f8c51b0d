//! Tokens and API keys that don't hold.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use signet::media::Timestamp;
use signet::store::jwks::Issuer;
use tempfile::TempDir;

use crate::support::http::{get, get_as};
use crate::support::{shared_dev, verify};

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_do_not_hold_are_401() {
    let shared = shared_dev();
    let node = &shared.1;
    let url = format!("{}/media/v1/assets", node.api);
    get(&url, &[]).await.assert_problem(401, "credentials-missing");
    let token = node.facts["token"].as_str().unwrap();
    assert_eq!(get_as(&url, &format!("Bearer {token}")).await.status, 200);

    let mut parts = token.split('.');
    let (header, claims, signature) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let none = URL_SAFE_NO_PAD.encode(json!({"alg": "none", "typ": "JWT"}).to_string());
    let hmac = URL_SAFE_NO_PAD.encode(json!({"alg": "HS256", "typ": "JWT"}).to_string());
    let mut said: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    said["tenantId"] = json!("t_other");
    let other_claims = URL_SAFE_NO_PAD.encode(said.to_string());

    let now = verify::now();
    let own = Issuer::open_or_create(&node.data).unwrap();
    let folder = TempDir::new().unwrap();
    let other = Issuer::open_or_create(folder.path()).unwrap();
    let made = |issuer: &Issuer, tenant: &str, at: u64| {
        issuer.token(&tenant.parse().unwrap(), Timestamp::from_seconds(at), 60).unwrap()
    };
    assert_eq!(get_as(&url, &format!("bearer {}", made(&own, "t_demo", now))).await.status, 200);
    for (bad, why) in [
        (made(&own, "t_demo", now - 1_000), "expired"),
        (made(&own, "t_demo", now + 1_000), "not yet"),
        (made(&own, "t_nobody", now), "a tenant that isn't there"),
        (made(&other, "t_demo", now), "another issuer's key"),
        (format!("{none}.{claims}."), "alg none"),
        (format!("{none}.{claims}.{signature}"), "alg none with a signature"),
        (format!("{hmac}.{claims}.{signature}"), "an HMAC"),
        (format!("{header}.{other_claims}.{signature}"), "other claims"),
        (format!("{header}.{claims}.{}", &signature[4..]), "a shorter signature"),
        (format!("{header}.{claims}"), "two parts"),
        ("..".into(), "no parts"),
        (String::new(), "nothing"),
        ("x".repeat(20_000), "too long"),
        (node.api_key.to_owned(), "an API key"),
    ] {
        let answer = get_as(&url, &format!("Bearer {bad}")).await;
        assert_eq!(answer.status, 401, "{why}");
        answer.assert_problem(401, "credentials-invalid");
        assert_eq!(answer.header("www-authenticate"), "Bearer", "{why}");
    }
    let longer = format!("{}x", node.api_key);
    for bad in [token, "Basic Zm9vOmJhcg==", "sk_dev_", &longer, &node.api_key[1..], "é"] {
        get_as(&url, bad).await.assert_problem(401, "credentials-invalid");
    }
    let twice = get(&url, &[("authorization", &node.api_key), ("authorization", &node.api_key)]).await;
    twice.assert_problem(401, "credentials-invalid");
    assert!(!node.log().contains("panicked"), "{}", node.log());
}
