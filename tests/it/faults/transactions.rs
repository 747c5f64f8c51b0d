//! A node that ends, however it ends, doesn't keep a tenant's assets from being written by others.
#![allow(clippy::print_stdout, reason = "measured times are shown by --nocapture")]

use std::time::{Duration, Instant};

use mongodb::bson::doc;
use serde_json::json;

use crate::support::backed::{Backed, Ground, until};
use crate::support::http::{get_as, post};
use crate::support::settings::ANNA;
use crate::support::upload::ticket;

/// Asks for a ticket of Anna's, and goes away while its transaction is about to be committed.
async fn leave_inside_a_transaction(backed: &Backed) {
    backed.mongo.keep_back("commitTransaction");
    let url = backed.url("/media/v1/uploads");
    let body = json!({"filename": "a.jpg", "contentType": "image/jpeg", "sizeBytes": 100});
    let asking = tokio::spawn(async move { post(&url, ANNA.2, body).await });
    backed.mongo.kept_back().await;
    asking.abort();
}

/// How long it takes until a node hands Anna a ticket.
async fn until_ticket(backed: &Backed) -> Duration {
    let url = backed.url("/media/v1/uploads");
    let body = json!({"filename": "b.jpg", "contentType": "image/jpeg", "sizeBytes": 100});
    let began = Instant::now();
    loop {
        let answer = post(&url, ANNA.2, &body).await;
        if answer.status == 201 {
            return began.elapsed();
        }
        answer.assert_problem(503, "store-unavailable");
        assert!(began.elapsed() < Duration::from_secs(90), "it isn't written any more");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_node_has_left_open_is_ended_by_another_one() {
    let ground = Ground::new().await;
    let (killed, other) = (ground.node().await, ground.node().await);
    for node in [&killed, &other] {
        ticket(&node.node.api, ANNA.2, "a.jpg", 100, json!({})).await;
    }
    leave_inside_a_transaction(&killed).await;
    let Backed { node, mongo: _wire, .. } = killed;
    node.kill();
    let blocked = until_ticket(&other).await;
    println!("a ticket of the tenant {blocked:?} after the kill");
    // The server itself would end it after 60 s.
    assert!(blocked < Duration::from_secs(30), "{blocked:?}");
    let nodes = ground.collection("Vivreal", "media_nodes");
    let others_only = async || nodes.count_documents(doc! {}).await.unwrap() == 1;
    until(others_only).await;
    // What wasn't committed isn't there, and wasn't counted.
    let usage = get_as(&other.url("/media/v1/usage"), ANNA.2).await.json();
    assert_eq!(usage["pending"]["count"], 3, "{usage}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_stopped_ends_its_transaction_before_it_ends() {
    let ground = Ground::new().await;
    let (mut stopped, other) = (ground.node().await, ground.node().await);
    for node in [&stopped, &other] {
        ticket(&node.node.api, ANNA.2, "a.jpg", 100, json!({})).await;
    }
    leave_inside_a_transaction(&stopped).await;
    stopped.node.signal("TERM");
    tokio::time::sleep(Duration::from_millis(500)).await;
    stopped.mongo.let_through();
    assert_eq!(tokio::task::block_in_place(|| stopped.node.exit_code()), Some(0));
    let log = stopped.node.log();
    assert!(!log.contains("a defect") && !log.contains("panicked"), "{log}");
    assert!(!log.contains("not all writes have ended"), "{log}");
    let nodes = ground.collection("Vivreal", "media_nodes");
    assert_eq!(nodes.count_documents(doc! {}).await.unwrap(), 1, "it has taken leave");
    // Nothing of it stands in the way, and what was under way is there.
    let retried = "signet_store_transaction_retries_total";
    let before = other.metric(retried).await;
    ticket(&other.node.api, ANNA.2, "b.jpg", 100, json!({})).await;
    assert_eq!(other.metric(retried).await, before);
    let usage = get_as(&other.url("/media/v1/usage"), ANNA.2).await.json();
    assert_eq!(usage["pending"]["count"], 4, "{usage}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_node_ends_at_once_whatever_mongodb_does() {
    for signal in ["STOP", "KILL"] {
        let ground = Ground::new().await;
        let mut backed = ground.node().await;
        ticket(&backed.node.api, ANNA.2, "a.jpg", 100, json!({})).await;
        ground.signal(signal);
        let began = Instant::now();
        backed.node.signal("TERM");
        assert_eq!(tokio::task::block_in_place(|| backed.node.exit_code()), Some(0));
        let took = began.elapsed();
        println!("{signal}: ended after {took:?}");
        // It took 5 to 14 s by the defaults of the limits; here these are shorter.
        assert!(took < Duration::from_millis(2_500), "{signal}: {took:?}");
    }
}
