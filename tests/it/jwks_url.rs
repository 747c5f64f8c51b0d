//! The issuer's keys from a URL: rotation, cool-down, and issuers that are away, slow or bad.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jsonwebtoken::{Algorithm, Header};
use serde_json::{Value, json};
use signet::app::outgoing::connector;
use signet::service::ports::{NoMeter, TokenError, TokenVerifier};
use signet::store::jwks::{FetchError, HttpFetch, Issuer, Jwks, JwksUrl, PublicKeys, RemoteKeys};
use signet::telemetry::traces::Current;

use crate::support::Node;
use crate::support::http::{get, get_as};
use crate::support::issuer::{Endpoint, Way};
use crate::support::settings::{ANNA, two_tenants};
use crate::support::tokens::{Hand, Keys, NOW, claims, settings};

/// A verifier of the keys at a URL, and those keys.
fn by_url(url: &str, clock: Arc<Hand>) -> (Jwks, Arc<RemoteKeys>) {
    let fetch =
        HttpFetch::new(JwksUrl::parse(url).unwrap(), connector(Some("http")).unwrap(), Arc::new(Current));
    let remote = RemoteKeys::new(fetch, clock.clone(), Arc::new(NoMeter));
    (Jwks::new(PublicKeys::Remote(remote.clone()), None, settings(), clock), remote)
}

fn published(keys: &Keys) -> Way {
    Way::Keys(fs::read_to_string(keys.path()).unwrap())
}

#[tokio::test]
async fn a_rotation_is_seen_at_once_and_a_key_that_is_gone_is_good_no_more() {
    let (old, new) = (Keys::new(), Keys::new());
    let issuer = Endpoint::start(published(&old)).await;
    let clock = Hand::new();
    let (jwks, remote) = by_url(&issuer.url, clock.clone());
    let [by_old, by_new] = [&old, &new].map(|keys| keys.ec_token(json!({ "exp": NOW + 1_000 })));
    for _ in 0..3 {
        assert!(jwks.verify(&by_old).await.is_ok());
    }
    assert_eq!(issuer.asked(), 1, "keys are kept");

    issuer.set(published(&new));
    clock.set(NOW + 29);
    assert!(matches!(jwks.verify(&by_new).await, Err(TokenError::Invalid)), "too soon to look again");
    assert_eq!(issuer.asked(), 1);
    clock.set(NOW + 30);
    assert!(jwks.verify(&by_new).await.is_ok());
    assert!(matches!(jwks.verify(&by_old).await, Err(TokenError::Invalid)));
    assert_eq!(issuer.asked(), 2);
    // In the background nothing needs a token.
    issuer.set(published(&old));
    clock.set(NOW + 60);
    remote.refresh().await.unwrap();
    assert!(jwks.verify(&by_old).await.is_ok());
    assert_eq!(issuer.asked(), 3);
}

#[tokio::test]
async fn many_unknown_keys_are_one_question_to_the_issuer() {
    let keys = Keys::new();
    let issuer = Endpoint::start(published(&keys)).await;
    let clock = Hand::new();
    let (jwks, _) = by_url(&issuer.url, clock.clone());
    let good = keys.ec_token(json!({}));
    let outcomes = join_all((0..50).map(|_| jwks.verify(&good))).await;
    assert!(outcomes.iter().all(Result::is_ok), "who comes during the first fetch waits for it");
    assert_eq!(issuer.asked(), 1);
    let unknown = |n: u32| {
        let header = Header { kid: Some(format!("made-up-{n}")), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, &claims(json!({})), &keys.ec).unwrap()
    };
    for n in 0..100 {
        assert!(matches!(jwks.verify(&unknown(n)).await, Err(TokenError::Invalid)));
    }
    assert_eq!(issuer.asked(), 1, "the cool-down holds");
    clock.set(NOW + 31);
    let made_up: Vec<String> = (0..50).map(unknown).collect();
    for outcome in join_all(made_up.iter().map(|token| jwks.verify(token))).await {
        assert!(matches!(outcome, Err(TokenError::Invalid)));
    }
    assert_eq!(issuer.asked(), 2, "one flight for all");
}

#[tokio::test]
async fn a_caller_who_hangs_up_does_not_end_the_fetch() {
    let keys = Keys::new();
    let issuer = Endpoint::start(published(&keys)).await;
    let (jwks, _) = by_url(&issuer.url, Hand::new());
    let token = keys.ec_token(json!({}));
    let hurried = tokio::time::timeout(Duration::from_millis(5), jwks.verify(&token)).await;
    assert!(hurried.is_err());
    assert!(jwks.verify(&token).await.is_ok());
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test]
async fn where_the_issuer_is_away_the_old_keys_stay_and_without_any_nobody_can_say() {
    let keys = Keys::new();
    let issuer = Endpoint::start(Way::Status(500)).await;
    let clock = Hand::new();
    let (jwks, remote) = by_url(&issuer.url, clock.clone());
    let good = keys.ec_token(json!({ "exp": NOW + 10_000 }));
    for _ in 0..2 {
        assert!(matches!(jwks.verify(&good).await, Err(TokenError::Unavailable(_))));
    }
    assert!(matches!(jwks.verify("rubbish").await, Err(TokenError::Invalid)));
    assert_eq!(issuer.asked(), 1);
    issuer.set(published(&keys));
    clock.set(NOW + 30);
    assert!(jwks.verify(&good).await.is_ok());

    let elsewhere = Endpoint::start(published(&keys)).await;
    for (n, way) in [
        Way::Status(404),
        Way::Redirect(elsewhere.url.clone()),
        Way::Endless,
        Way::Keys(format!("{}{}", fs::read_to_string(keys.path()).unwrap(), " ".repeat(256 * 1024))),
        Way::Keys(String::new()),
        Way::Keys(r#"{"keys":[]}"#.to_owned()),
    ]
    .into_iter()
    .enumerate()
    {
        issuer.set(way.clone());
        clock.set(NOW + 60 + 30 * n as u64);
        let error = remote.refresh().await.unwrap_err();
        let expected = match n {
            0 => matches!(error, FetchError::Status(404)),
            1 => matches!(error, FetchError::Status(302)),
            2 | 3 => matches!(error, FetchError::TooLarge),
            4 => matches!(error, FetchError::NotAKeySet(_)),
            _ => matches!(error, FetchError::NoKeys),
        };
        assert!(expected, "{n}: {error}");
        assert!(jwks.verify(&good).await.is_ok(), "{n}: the old keys stay");
    }
    assert_eq!(elsewhere.asked(), 0, "no redirect is followed");
    let (_, nobody) = by_url("http://127.0.0.1:1/jwks.json", Hand::new());
    assert!(matches!(nobody.refresh().await, Err(FetchError::Unreachable(_))));
}

#[tokio::test]
async fn a_slow_issuer_is_given_up_after_five_seconds_and_nobody_with_a_known_key_waits() {
    let keys = Keys::new();
    let slow = async |way: Way| {
        let issuer = Endpoint::start(published(&keys)).await;
        let clock = Hand::new();
        let (jwks, remote) = by_url(&issuer.url, clock.clone());
        let good = keys.ec_token(json!({ "exp": NOW + 1_000 }));
        assert!(jwks.verify(&good).await.is_ok());
        issuer.set(way);
        clock.set(NOW + 60);
        let begun = Instant::now();
        let (refreshed, ()) = tokio::join!(remote.refresh(), async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert!(jwks.verify(&good).await.is_ok());
            assert!(begun.elapsed() < Duration::from_secs(3));
        });
        assert!(matches!(refreshed, Err(FetchError::TooSlow)));
        assert!((4..9).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    };
    tokio::join!(slow(Way::Hangs), slow(Way::Drips));
}

#[tokio::test]
async fn nobody_is_asked_for_keys_but_the_issuer() {
    let (keys, evil) = (Keys::new(), Keys::new());
    let (issuer, trap) = (Endpoint::start(published(&keys)).await, Endpoint::start(published(&evil)).await);
    let clock = Hand::new();
    let (by_url, _) = by_url(&issuer.url, clock.clone());
    let by_file = keys.verifier();
    let own = jsonwebtoken::jwk::Jwk::from_encoding_key(&evil.ec, Algorithm::ES256).unwrap();
    for kid in [Some(keys.ec_id.clone()), Some(evil.ec_id.clone()), None] {
        for part in 0..4 {
            let mut header = Header { kid: kid.clone(), ..Header::new(Algorithm::ES256) };
            header.jku = (part != 1).then(|| trap.url.clone());
            header.x5u = (part != 2).then(|| trap.url.clone());
            header.jwk = (part != 3).then(|| own.clone());
            let forged = jsonwebtoken::encode(&header, &claims(json!({})), &evil.ec).unwrap();
            for jwks in [&by_url, &by_file] {
                assert!(matches!(jwks.verify(&forged).await, Err(TokenError::Invalid)), "{kid:?} {part}");
            }
            if kid.as_ref() == Some(&keys.ec_id) {
                let good = jsonwebtoken::encode(&header, &claims(json!({})), &keys.ec).unwrap();
                assert!(by_url.verify(&good).await.is_ok(), "they are ignored, not refused");
            }
        }
    }
    assert_eq!(trap.asked(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_starts_without_its_issuer_and_takes_api_keys_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let settings = two_tenants(folder.path(), "", "vectors/rsa", false);
    let with_url = |url: &str| {
        let lines = settings.lines().map(|line| match line.starts_with("jwks_file") {
            true => format!("jwks_url = \"{url}\"\n"),
            false => format!("{line}\n"),
        });
        lines.collect::<String>()
    };
    let jwks: Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("jwks.json")).unwrap()).unwrap();
    let issuer = Endpoint::start(Way::Status(503)).await;
    let node = Node::serve(folder.path(), &with_url(&issuer.url), &[]);
    let url = format!("{}/media/v1/usage", node.api);
    let token = ANNA.token(folder.path());
    assert_eq!(get_as(&url, ANNA.2).await.status, 200);
    let away = get_as(&url, &token).await;
    away.assert_problem(503, "store-unavailable");
    assert_ne!(away.header("retry-after"), "");
    get_as(&url, "Bearer rubbish").await.assert_problem(401, "credentials-invalid");
    assert_eq!(issuer.asked(), 1);
    let metrics = get(&format!("{}/metrics", node.admin), &[]).await.text();
    assert!(metrics.contains("signet_token_key_fetches_total{outcome=\"failed\"} 1"), "{metrics}");
    drop(node);

    issuer.set(Way::Keys(jwks.to_string()));
    let node = Node::serve(folder.path(), &with_url(&issuer.url), &[]);
    let url = format!("{}/media/v1/usage", node.api);
    assert_eq!(get_as(&url, &token).await.status, 200);
    let other = tempfile::tempdir().unwrap();
    Issuer::open_or_create(other.path()).unwrap();
    get_as(&url, &ANNA.token(other.path())).await.assert_problem(401, "credentials-invalid");
    assert_eq!(issuer.asked(), 2);
}
