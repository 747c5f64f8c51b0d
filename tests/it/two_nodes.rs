//! Two nodes on one MongoDB and one S3: what is changed on one, or behind both, is seen by the other.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::backed::{Backed, Ground, leave_times, until};
use crate::support::http::{get, get_as, patch, post, send};
use crate::support::proxy::Wire;
use crate::support::settings::{ANNA, BEN};
use crate::support::upload::{picture, ready};

/// What a change may take to be seen, on a machine under load: far less than what is known is good for by time
/// alone.
const SEEN: Duration = Duration::from_secs(5);

/// A READY asset, made on a node.
async fn public(node: &Backed, filename: &str) -> String {
    let more = json!({"visibility": "PUBLIC"});
    let asset = ready(&node.node.api, ANNA.2, filename, &picture(100, 1), more).await;
    asset["assetId"].as_str().unwrap().to_owned()
}

/// What anybody gets of an asset.
async fn permalink(node: &Backed, id: &str) -> u16 {
    get(&node.url(&format!("/m/{id}")), &[]).await.status
}

async fn list(node: &Backed, key: &str) -> u16 {
    get_as(&node.url("/media/v1/assets"), key).await.status
}

async fn link(node: &Backed, id: &str) -> Value {
    post(&node.url("/media/v1/links"), ANNA.2, json!({"ids": [id]})).await.json()["links"][0].take()
}

async fn delete(node: &Backed, id: &str) {
    let url = node.url(&format!("/media/v1/assets/{id}"));
    assert_eq!(send("DELETE", &url, &[("authorization", ANNA.2)], "").await.status, 204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_changed_on_one_node_is_seen_by_the_other_also_after_its_changes_were_cut() {
    let ground = Ground::new().await;
    let (one, other) = (ground.node().await, ground.node().await);
    let mut seen = Vec::new();
    let mut note = |what: &str, took: Duration| {
        assert!(took < SEEN, "{what} was seen after {took:?}");
        seen.push(format!("{what}: seen by the other node after {} ms", took.as_millis()));
    };

    let [deleted, hidden, later] =
        [public(&one, "a.jpg").await, public(&one, "b.jpg").await, public(&one, "c.jpg").await];
    for id in [&deleted, &hidden, &later] {
        until(async || permalink(&other, id).await == 302).await;
    }
    delete(&one, &deleted).await;
    note("a delete", until(async || permalink(&other, &deleted).await == 404).await);
    assert_eq!(link(&other, &deleted).await["reason"], "deleted");

    let url = one.url(&format!("/media/v1/assets/{hidden}"));
    let changed = patch(&url, ANNA.2, json!({"visibility": "PRIVATE"})).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    note("a visibility", until(async || permalink(&other, &hidden).await == 404).await);
    let private = link(&other, &hidden).await;
    assert!(private["link"].as_str().is_some_and(|link| link.contains("/anna/private/")), "{private}");

    for node in [&one, &other] {
        assert_eq!((list(node, ANNA.2).await, list(node, BEN.2).await), (200, 200));
    }
    ground.set(ANNA.0, "frozen", "true").await;
    note("a freeze", until(async || list(&other, ANNA.2).await == 403).await);
    until(async || list(&one, ANNA.2).await == 403).await;
    until(async || permalink(&other, &later).await == 403).await;
    assert_eq!(list(&other, BEN.2).await, 200, "another tenant isn't frozen");
    ground.set(ANNA.0, "frozen", "false").await;
    note("a thaw", until(async || list(&other, ANNA.2).await == 200).await);

    ground.set(BEN.0, "apiKey", "sk_ben_another").await;
    note("an API key", until(async || list(&other, BEN.2).await == 401).await);
    until(async || list(&other, "sk_ben_another").await == 200).await;
    until(async || list(&one, BEN.2).await == 401).await;

    // What is changed while nothing is heard of is heard of afterwards.
    for (state, id) in [(Wire::Cut, &later), (Wire::Silent, &public(&one, "d.jpg").await)] {
        until(async || permalink(&other, id).await == 302).await;
        other.mongo.set(state);
        other.until_feed(false).await;
        delete(&one, id).await;
        assert_eq!(permalink(&other, id).await, 302, "it is as it was known last");
        other.mongo.set(Wire::Whole);
        let took = until(async || permalink(&other, id).await == 404).await;
        note(&format!("a delete while the changes were {state:?}, from when they pass again"), took);
        other.until_feed(true).await;
    }
    let last = public(&one, "e.jpg").await;
    until(async || permalink(&other, &last).await == 302).await;
    delete(&one, &last).await;
    note("a delete, heard of as before", until(async || permalink(&other, &last).await == 404).await);
    leave_times("two-nodes", &seen);
}
