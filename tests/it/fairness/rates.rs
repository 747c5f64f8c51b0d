//! Requests of a tenant and of an address in a time.

use std::time::Duration;

use super::{House, until};
use crate::support::fresh_dev;
use crate::support::http::{Answer, get, get_as, send};
use crate::support::settings::{ANNA, BEN};

const POLICY: &str = "\"tenant\";q=3;w=3";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_asks_too_often_is_told_when_to_come_back_and_another_is_not() {
    let house = House::new(&[("tenant_per_second", 1), ("tenant_burst", 3)]);
    let (usage, token) = (house.url("/media/v1/usage"), ANNA.token(house.folder()));
    let first = get_as(&usage, ANNA.2).await;
    assert_eq!((first.status, first.header("ratelimit-policy")), (200, POLICY));
    assert_eq!(first.header("ratelimit"), "\"tenant\";r=2;t=1");
    assert_eq!(
        get_as(&usage, &token).await.header("ratelimit-policy"),
        POLICY,
        "a token is the same tenant's"
    );

    let refused = until(429, async || get_as(&usage, &token).await).await;
    refused.assert_problem(429, "too-many-requests");
    assert_eq!(refused.header("ratelimit-policy"), POLICY);
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert_eq!((seconds, refused.header("ratelimit")), (1, "\"tenant\";r=0;t=1"));
    assert_eq!(get_as(&usage, BEN.2).await.header("ratelimit"), "\"tenant\";r=2;t=1");
    assert!(house.met("tenant_rate").await >= 1);

    tokio::time::sleep(Duration::from_secs(seconds)).await;
    assert_eq!(get_as(&usage, ANNA.2).await.status, 200, "as the answer has promised");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_without_credentials_has_so_many_permalinks_and_keeps_nobody_else_out() {
    let house = House::with(
        &[("client_per_second", 1), ("client_burst", 3)],
        &[("SIGNET__SERVER__TRUSTED_HOPS", "1"), ("SIGNET__SERVER__CORS_ORIGINS", "https://shop.example")],
    );
    let url = house.permalink(ANNA.2).await;
    let from = async |chain: &str| get(&url, &[("x-forwarded-for", chain)]).await;
    let all = |answers: [Answer; 3]| answers.map(|answer| answer.status);

    let redirect = from("192.0.2.1").await;
    assert_eq!(
        (redirect.status, redirect.headers.contains_key("ratelimit")),
        (302, false),
        "it may be kept for long"
    );
    let refused = until(429, async || from("192.0.2.1").await).await;
    refused.assert_problem(429, "too-many-requests");
    assert_eq!(refused.header("ratelimit-policy"), "\"client\";q=3;w=3");
    assert_eq!((refused.header("ratelimit"), refused.header("retry-after")), ("\"client\";r=0;t=1", "1"));
    assert_eq!(refused.header("x-request-id"), refused.json()["requestId"].as_str().unwrap());
    assert_eq!(refused.header("cache-control"), "no-store");

    // What a stranger writes before what the proxy has seen makes nobody of him.
    let spoofed =
        [from("6.6.6.1, 192.0.2.1").await, from("6.6.6.2,192.0.2.1").await, from("::1, 192.0.2.1").await];
    assert!(all(spoofed).contains(&429));
    assert_eq!(from("192.0.2.1, 192.0.2.2").await.status, 302, "another address");

    // A /64 is one client, however many addresses it has.
    let one_net = until(429, async || {
        let address = rand::random::<u64>().to_be_bytes();
        let [a, b, c, d] = std::array::from_fn(|i| u16::from_be_bytes([address[2 * i], address[2 * i + 1]]));
        from(&format!("2001:db8:1:2:{a:x}:{b:x}:{c:x}:{d:x}")).await
    });
    one_net.await.assert_problem(429, "too-many-requests");
    assert_eq!(from("2001:db8:1:3::1").await.status, 302, "its neighbour");

    // Whoever says who it is counts for its tenant, wherever it is.
    for _ in 0..5 {
        let known = get(&url, &[("x-forwarded-for", "192.0.2.1"), ("authorization", ANNA.2)]).await;
        assert_eq!(known.status, 302);
    }
    // A page may read why.
    let page = [("x-forwarded-for", "192.0.2.9"), ("origin", "https://shop.example")];
    let refused = until(429, async || get(&url, &page).await).await;
    assert_eq!(refused.header("access-control-allow-origin"), "https://shop.example");
    assert!(refused.header("access-control-expose-headers").contains("ratelimit"), "{:?}", refused.headers);
    assert!(house.met("client_rate").await >= 4);
    assert!(!house.node.log().contains("server.trusted_hops"), "{}", house.node.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_trusted_hops_an_address_is_that_of_its_connection_and_a_proxy_is_spoken_of() {
    let house = House::new(&[("client_per_second", 1), ("client_burst", 3)]);
    let url = house.permalink(ANNA.2).await;
    let mut number = 0..;
    let numbers = std::cell::RefCell::new(&mut number);
    let refused = until(429, async || {
        let number: u8 = numbers.borrow_mut().next().unwrap();
        get(&url, &[("x-forwarded-for", &format!("192.0.2.{number}"))]).await
    });
    refused.await.assert_problem(429, "too-many-requests");
    assert!(house.node.log().contains("server.trusted_hops"), "{}", house.node.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_guesses_credentials_counts_for_its_address_and_a_body_is_read_before_it_is_told() {
    let house = House::new(&[("client_per_second", 1), ("client_burst", 3)]);
    let usage = house.url("/media/v1/usage");
    assert_eq!(get_as(&usage, "sk_guess").await.status, 401);
    until(429, async || get_as(&usage, "sk_guess").await).await.assert_problem(429, "too-many-requests");
    assert_eq!(get_as(&usage, ANNA.2).await.status, 200, "a tenant at the same address");
    let large = vec![b' '; 900_000];
    let refused = until(429, async || send("POST", &house.url("/media/v1/links"), &[], large.clone()).await);
    refused.await.assert_problem(429, "too-many-requests");
    // Nobody asks without limit, but for health and metrics.
    for _ in 0..10 {
        assert_eq!(get(&format!("{}/healthz", house.node.admin), &[]).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_who_tries_things_out_is_kept_from_trying_them_often() {
    let (_folder, node) = fresh_dev();
    let usage = format!("{}/media/v1/usage", node.api);
    let ask = async |number: usize| {
        let key = if number.is_multiple_of(2) { node.api_key.as_str() } else { "sk_guess" };
        get_as(&usage, key).await
    };
    // At a time as many as an address may have connections.
    let [mut answers, more] = [
        futures_util::future::join_all((0..200).map(ask)).await,
        futures_util::future::join_all((200..400).map(ask)).await,
    ];
    answers.extend(more);
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(answer.status, if number.is_multiple_of(2) { 200 } else { 401 }, "{number}");
        assert!(!answer.headers.contains_key("ratelimit-policy"));
    }
}
