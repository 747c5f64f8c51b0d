//! A node whose requests get no connection to MongoDB isn't ready, though its change stream has one.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::backed::{Backed, Ground, RECOVERY, leave_times, until};
use crate::support::http::{get, get_as};
use crate::support::proxy::{Proxy, Wire};
use crate::support::settings::ANNA;
use crate::support::upload::{picture, ready};

/// As many as the driver's two monitors and the change stream take.
const NONE_FOR_REQUESTS: usize = 3;
/// The same where all are made anew: one of the two monitors does without.
const NONE_FOR_REQUESTS_ANEW: usize = 2;
/// The heartbeat of `config/signet.toml`; a node isn't ready 5 s after it at the earliest.
const HEARTBEAT: (&str, &str) = ("SIGNET__STORE__MONGODB__HEARTBEAT_MS", "5000");
const EARLIEST: Duration = Duration::from_secs(10);
/// How long a state is looked at.
const LASTING: Duration = Duration::from_secs(6);

/// What the node says of itself.
async fn readiness(node: &Backed) -> (u16, String) {
    let answer = get(&format!("{}/readyz", node.node.admin), &[]).await;
    (answer.status, answer.text())
}

async fn is_ready(node: &Backed) -> bool {
    readiness(node).await.0 == 200
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_whose_requests_get_no_connection_is_not_ready_until_they_get_one() {
    let ground = Ground::new().await;
    let node = ground.node_with(&[HEARTBEAT]).await;
    let asset =
        ready(&node.node.api, ANNA.2, "a.jpg", &picture(100, 1), json!({"visibility": "PUBLIC"})).await;
    let permalink = node.url(&format!("/m/{}", asset["assetId"].as_str().unwrap()));
    let list = node.url("/media/v1/assets");
    assert_eq!((get(&permalink, &[]).await.status, get_as(&list, ANNA.2).await.status), (302, 200));
    assert_eq!(readiness(&node).await, (200, "ready\n".to_owned()));

    // Others take all connections but those while the node has none.
    node.mongo.set(Wire::Cut);
    node.until_feed(false).await;
    node.mongo.limit(NONE_FOR_REQUESTS_ANEW);
    node.mongo.set(Wire::Whole);
    let began = Instant::now();
    let not_ready = until(async || !is_ready(&node).await).await;
    assert!(began.elapsed() > EARLIEST / 2, "a moment without is no reason: {not_ready:?}");
    let (mut asked, mut refused) = (0, 0);
    let began = Instant::now();
    while began.elapsed() < LASTING {
        let (status, word) = readiness(&node).await;
        assert_eq!(status, 503, "it lasts: {}", node.warnings());
        assert_eq!(word, "not ready: requests get no connection to MongoDB, though it is alive\n");
        assert_eq!(node.metric("signet_ready").await, 0);
        asked += 1;
        refused += usize::from(get_as(&list, ANNA.2).await.status == 503);
        assert_eq!(get(&permalink, &[]).await.status, 302, "what is known is answered");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    assert!(refused * 2 > asked, "{refused} of {asked}: one may be lucky");
    node.mongo.limit(usize::MAX);
    let again = until(async || is_ready(&node).await).await;
    assert!(again < EARLIEST, "{again:?}");
    until(async || get_as(&list, ANNA.2).await.status == 200).await;
    let began = Instant::now();
    while began.elapsed() < LASTING {
        assert_eq!(readiness(&node).await, (200, "ready\n".to_owned()), "{}", node.warnings());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let log = node.node.log();
    let said = |what: &str| log.lines().filter(|line| line.contains(what)).count();
    assert_eq!((said("\"not ready: "), said("\"ready: ")), (1, 1), "each change is said once: {log}");
    leave_times(
        "connections",
        &[format!(
            "no connection for requests: not ready after {} ms, ready {} ms after there is one",
            not_ready.as_millis(),
            again.as_millis()
        )],
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_is_not_ready_before_its_requests_have_had_a_connection() {
    let ground = Ground::new().await;
    let wire = Proxy::to(ground.host()).await;
    wire.limit(NONE_FOR_REQUESTS);
    let began = Instant::now();
    tokio::spawn({
        let wire = wire.clone();
        async move {
            tokio::time::sleep(LASTING).await;
            wire.limit(usize::MAX);
        }
    });
    let node = ground.node_behind(wire, &[]).await;
    let ready_after = began.elapsed();
    assert!(ready_after > LASTING, "ready after {ready_after:?}");
    assert!(ready_after < LASTING + RECOVERY, "ready after {ready_after:?}");
    // It ran all the time, and said that it isn't ready whenever it was asked.
    let log = node.node.log();
    let refused = log.lines().filter(|line| line.contains("/readyz") && line.contains("503")).count();
    assert!(refused > 20, "{refused}: {log}");
    assert!(is_ready(&node).await);
}
