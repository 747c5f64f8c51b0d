//! Clients without good credentials are bounded, whatever they send.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use serde_json::json;
use tempfile::TempDir;

use crate::support::Node;
use crate::support::backed::Ground;
use crate::support::http::{Answer, get, get_as, post, send};
use crate::support::issuer::{Endpoint, Way};
use crate::support::proxy::Wire;
use crate::support::settings::{ANNA, BEN, two_tenants};

/// How often an address may ask.
const BURST: u64 = 20;
/// One comes back each second.
const RATE: [(&str, &str); 2] =
    [("SIGNET__LIMITS__CLIENT_PER_SECOND", "1"), ("SIGNET__LIMITS__CLIENT_BURST", "20")];
const NO_RATE: (&str, &str) = ("SIGNET__LIMITS__CLIENT_PER_SECOND", "0");

async fn metric(node: &Node, starts: &str) -> u64 {
    let text = get(&format!("{}/metrics", node.admin), &[]).await.text();
    let values = text.lines().filter(|line| line.starts_with(starts));
    values.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
}

/// How often the store was asked for the tenant of an API key.
async fn look_ups(node: &Node) -> u64 {
    metric(node, "signet_store_operations_total{operation=\"find_tenant_by_key\"").await
}

fn statuses(answers: &[Answer]) -> BTreeMap<u16, u64> {
    let mut statuses = BTreeMap::new();
    answers.iter().for_each(|answer| *statuses.entry(answer.status).or_default() += 1);
    statuses
}

fn random_key() -> String {
    format!("sk_{:032x}", rand::random::<u128>())
}

/// Asks so often with a key of its own each time, 40 at a time.
async fn guess(node: &Node, times: usize) -> Vec<Answer> {
    let usage = format!("{}/media/v1/usage", node.api);
    let mut answers = Vec::new();
    while answers.len() < times {
        let some = (0..40.min(times - answers.len())).map(|_| async { get_as(&usage, &random_key()).await });
        answers.extend(join_all(some).await);
    }
    answers
}

/// Two tenants that ask beside a stranger, by API key and by token, until they are told to stop. Each is answered.
struct Good {
    stop: Arc<AtomicBool>,
    asking: tokio::task::JoinHandle<usize>,
}

impl Good {
    fn start(node: &Node, credentials: Vec<String>) -> Self {
        let (stop, usage) = (Arc::new(AtomicBool::new(false)), format!("{}/media/v1/usage", node.api));
        let stopped = Arc::clone(&stop);
        let asking = tokio::spawn(async move {
            let mut asked = 0;
            while !stopped.load(Ordering::Relaxed) {
                for credentials in &credentials {
                    let answer = get_as(&usage, credentials).await;
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    asked += 1;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            asked
        });
        Self { stop, asking }
    }

    async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        assert!(self.asking.await.unwrap() > 0);
    }
}

/// That 2,000 keys that nobody has cost no more look-ups than the address may ask, while tenants at the same address go
/// on.
async fn guesses_cost_no_more_than_the_burst(node: &Node, good: Vec<String>) {
    for credentials in &good {
        assert_eq!(get_as(&format!("{}/media/v1/usage", node.api), credentials).await.status, 200);
    }
    let (before, began) = (look_ups(node).await, Instant::now());
    let beside = Good::start(node, good);
    let told = statuses(&guess(node, 2_000).await);
    beside.end().await;
    // What has come back in the meantime, and known keys whose minute is over.
    let seconds = began.elapsed().as_secs() + 1;
    let asked = look_ups(node).await - before;
    assert!(asked <= BURST + seconds + 2 * (seconds / 60 + 1), "{asked} in {seconds} s: {told:?}");
    assert!(asked > 0 && told.keys().eq([&401, &429]), "{told:?}");
    assert!(metric(node, "signet_limits_hit_total{limit=\"client_rate\"}").await >= told[&429]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_guesses_cost_no_more_look_ups_than_the_address_may_ask() {
    let folder = TempDir::new().unwrap();
    let settings = two_tenants(folder.path(), "", "vectors/rsa", false);
    let node = Node::serve(folder.path(), &settings, &RATE);
    let good = vec![ANNA.2.to_owned(), BEN.2.to_owned(), BEN.token(folder.path())];
    guesses_cost_no_more_than_the_burst(&node, good).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_holds_where_each_look_up_is_a_query_of_the_control_plane() {
    let ground = Ground::new().await;
    let backed = ground.node_with(&RATE).await;
    let good = vec![ANNA.2.to_owned(), BEN.2.to_owned()];
    guesses_cost_no_more_than_the_burst(&backed.node, good).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_of_the_settings_is_known_before_it_has_asked() {
    let folder = TempDir::new().unwrap();
    let settings = two_tenants(folder.path(), "", "vectors/rsa", false);
    let node = Node::serve(folder.path(), &settings, &RATE);
    let usage = format!("{}/media/v1/usage", node.api);
    assert!(statuses(&guess(&node, 100).await).contains_key(&429));
    for credentials in [ANNA.2.to_owned(), BEN.token(folder.path())] {
        assert_eq!(get_as(&usage, &credentials).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_in_authorization_is_no_way_around_the_limit() {
    let folder = TempDir::new().unwrap();
    let settings = two_tenants(folder.path(), "", "vectors/rsa", false);
    let hops = ("SIGNET__SERVER__TRUSTED_HOPS", "1");
    let pages = ("SIGNET__SERVER__CORS_ORIGINS", "https://shop.example");
    let node = Node::serve(folder.path(), &settings, &[&RATE[..], &[hops, pages]].concat());
    let forged = forged(&ANNA.token(folder.path()));
    let preflight = [("origin", "https://shop.example"), ("access-control-request-method", "GET")];
    let mut number = 0;
    for (method, path, more, status) in [
        ("GET", "/nowhere", &[][..], 404),
        ("POST", "/nowhere", &[], 404),
        ("GET", "/docs/", &[], 200),
        ("GET", "/docs/swagger-ui-bundle.js", &[], 200),
        ("HEAD", "/openapi.json", &[], 200),
        ("GET", "/m/not-an-id", &[], 404),
        ("GET", "/m/med_00000000000000000000000000", &[], 401),
        ("GET", "/objects/vivreal-anna/a.jpg", &[], 403),
        ("PUT", "/objects/vivreal-anna/a.jpg", &[], 403),
        ("OPTIONS", "/media/v1/usage", &[], 200),
        ("OPTIONS", "/media/v1/usage", &preflight, 200),
        ("BREW", "/media/v1/usage", &[], 405),
        ("GET", "/media/v1/assets/not-an-id", &[], 401),
        ("GET", "/media/v1/usage", &[], 401),
        ("POST", "/media/v1/links", &[], 401),
    ] {
        for credentials in
            ["x", "Bearer x", "Bearer x.y.z", "Basic eDp5", "sk_guess", &forged, "\"", "Bearer"]
        {
            number += 1;
            let address = format!("192.0.2.{}, 192.0.2.{}", number % 200, number);
            let mut headers = vec![("x-forwarded-for", address.as_str()), ("authorization", credentials)];
            headers.extend(more);
            let url = format!("{}{path}", node.api);
            let ask = || async { send(method, &url, &headers, "").await };
            let answers = join_all((0..2 * BURST + 10).map(|_| ask())).await;
            let told = statuses(&answers);
            // A few come back while they are asked.
            let let_in = told.get(&status).copied().unwrap_or_default();
            assert!(
                (BURST - 1..=BURST + 25).contains(&let_in) && told.len() == 2 && told.contains_key(&429),
                "{method} {path} {credentials}: {told:?}"
            );
            let refused = answers.iter().find(|answer| answer.status == 429).unwrap();
            assert!(refused.headers.contains_key("retry-after"), "{:?}", refused.headers);
            if !more.is_empty() {
                assert_eq!(refused.header("access-control-allow-origin"), "https://shop.example");
            }
        }
    }
    // Good ones count for their tenant alone, wherever they come from.
    for (path, credentials) in [("/media/v1/usage", ANNA.2), ("/media/v1/usage", &BEN.token(folder.path()))] {
        for _ in 0..3 * BURST {
            let url = format!("{}{path}", node.api);
            let answer = get(&url, &[("x-forwarded-for", "192.0.2.1"), ("authorization", credentials)]).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    }
}

/// A token of a key that is known, whose signature is another's.
fn forged(token: &str) -> String {
    let (rest, _) = token.rsplit_once('.').unwrap();
    format!("{rest}.{}", URL_SAFE_NO_PAD.encode([7; 64]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn look_ups_of_unknown_keys_are_bounded_and_one_is_for_all_who_ask_the_same() {
    const MOST: u64 = 4;
    let ground = Ground::new().await;
    let backed = ground.node_with(&[NO_RATE, ("SIGNET__LIMITS__MAX_KEY_LOOKUPS", "4")]).await;
    let usage = backed.url("/media/v1/usage");
    for known in [ANNA.2, BEN.2] {
        assert_eq!(get_as(&usage, known).await.status, 200);
    }
    // A key that many send at the same time is one question.
    let (before, key) = (look_ups(&backed.node).await, random_key());
    backed.mongo.set(Wire::Silent);
    let answers = join_all((0..50).map(|_| get_as(&usage, &key))).await;
    assert_eq!(statuses(&answers), BTreeMap::from([(503, 50)]));
    backed.mongo.set(Wire::Whole);
    // Those who come after it has failed begin another.
    let asked = look_ups(&backed.node).await - before;
    assert!((1..=3).contains(&asked), "{asked} look-ups");

    crate::support::backed::until(async || get_as(&usage, &random_key()).await.status == 401).await;
    backed.mongo.set(Wire::Silent);
    let before = metric(&backed.node, "signet_limits_hit_total{limit=\"key_lookups\"}").await;
    let stuck = join_all((0..60).map(|_| async { get_as(&usage, &random_key()).await }));
    let known = async {
        for _ in 0..20 {
            let links = post(&backed.url("/media/v1/links"), ANNA.2, json!({"keys": ["a.jpg"]})).await;
            assert_eq!(links.status, 200, "a known tenant goes on: {}", links.text());
        }
    };
    let (answers, ()) = tokio::join!(stuck, known);
    let at_once = answers.iter().filter(|answer| answer.text().contains("overloaded")).count() as u64;
    assert!(at_once >= 60 - 3 * MOST, "{at_once} of 60 were refused at once");
    for answer in answers {
        assert_eq!(answer.status, 503);
        assert!(answer.headers.contains_key("retry-after"));
    }
    let after = metric(&backed.node, "signet_limits_hit_total{limit=\"key_lookups\"}").await;
    assert_eq!(after - before, at_once);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tokens_of_unknown_keys_wait_for_a_slow_issuer_in_small_number_and_count_for_their_address() {
    let folder = TempDir::new().unwrap();
    let token = ANNA.token(folder.path());
    let keys = std::fs::read_to_string(folder.path().join("jwks.json")).unwrap();
    let issuer = Endpoint::start(Way::Keys(keys)).await;
    let settings = two_tenants(folder.path(), "", "vectors/rsa", false);
    let file = format!("jwks_file = \"{}\"", folder.path().join("jwks.json").display());
    let settings = settings.replace(&file, &format!("jwks_url = \"{}\"", issuer.url));
    assert!(settings.contains("jwks_url"));
    // A token of a key that the issuer doesn't have: each could be the first one after a rotation.
    let unknown = || {
        let header = json!({"alg": "ES256", "kid": format!("{:x}", rand::random::<u64>())}).to_string();
        let claims = token.split('.').nth(1).unwrap();
        format!("Bearer {}.{claims}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode([7; 64]))
    };
    for (limits, most) in [(&[NO_RATE][..], 64), (&RATE[..], BURST + 10)] {
        let node = tokio::task::block_in_place(|| Node::serve(folder.path(), &settings, limits));
        let usage = format!("{}/media/v1/usage", node.api);
        crate::support::backed::until(async || get_as(&usage, &token).await.status == 200).await;
        issuer.set(Way::Hangs);
        // Until the keys may be fetched again, such a token is refused at once.
        let began = Instant::now();
        let mut waited = Vec::new();
        while waited.is_empty() {
            assert!(began.elapsed() < Duration::from_secs(60), "none has waited");
            let round = (0..200).map(|_| async {
                let asked = Instant::now();
                (get_as(&usage, &unknown()).await, asked.elapsed())
            });
            let good = async {
                for _ in 0..20 {
                    assert_eq!(get_as(&usage, &token).await.status, 200, "a token of a known key goes on");
                }
            };
            let (answers, ()) = tokio::join!(join_all(round), good);
            waited = answers.into_iter().filter(|(_, time)| *time > Duration::from_secs(4)).collect();
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        assert!(waited.len() as u64 <= most, "{} have waited", waited.len());
        issuer.set(Way::Keys(std::fs::read_to_string(folder.path().join("jwks.json")).unwrap()));
    }
}
