//! S3 is gone: what goes on, what waits, and that it comes back by itself.

use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::support::Node;
use crate::support::http::{get, get_as, post};
use crate::support::proxy::{Proxy, Wire};
use crate::support::s3::server;
use crate::support::settings::{ANNA, two_tenants};
use crate::support::upload::{finalize, picture, put, ready, ticket};

/// What a call may take that S3 doesn't answer: its limit, and some time for a machine under load.
const LIMIT: Duration = Duration::from_secs(3 + 7);

#[tokio::test(flavor = "multi_thread")]
async fn links_and_tickets_flow_and_finalize_is_a_503_until_s3_is_back() {
    server().make_bucket("gone-anna").await;
    let wire = Proxy::to(server().address.clone()).await;
    let (_folder, node) = serve(&wire.address);
    let bytes = picture(1_000, 1);
    let known = ready(&node.api, ANNA.2, "known.jpg", &bytes, json!({"visibility": "PUBLIC"})).await;
    let known = known["assetId"].as_str().unwrap();
    for state in [Wire::Cut, Wire::Silent] {
        let waiting = ticket(&node.api, ANNA.2, "waiting.jpg", 1_000, json!({})).await;
        assert_eq!(put(&waiting, bytes.clone()).await.status, 200);
        let id = waiting["assetId"].as_str().unwrap();

        wire.set(state);
        let begun = Instant::now();
        let refused = finalize(&node.api, ANNA.2, id).await;
        refused.assert_problem(503, "store-unavailable");
        assert_eq!(refused.header("retry-after"), "2");
        let took = begun.elapsed();
        assert!(took < LIMIT, "{state:?}: {took:?}");

        let link = get(&format!("{}/m/{known}", node.api), &[]).await;
        assert_eq!(link.status, 302, "{}", link.text());
        let links = post(&format!("{}/media/v1/links", node.api), ANNA.2, json!({"ids": [known]})).await;
        assert!(links.json()["links"][0]["link"].is_string(), "{}", links.text());
        let asset = get_as(&format!("{}/media/v1/assets/{known}", node.api), ANNA.2).await;
        assert_eq!(asset.status, 200, "{}", asset.text());
        let later = ticket(&node.api, ANNA.2, "later.jpg", 1_000, json!({})).await;

        wire.set(Wire::Whole);
        let back = Instant::now();
        let finalized = finalize(&node.api, ANNA.2, id).await;
        assert_eq!(finalized.status, 200, "{state:?}: {}", finalized.text());
        let back = back.elapsed();
        assert!(back < LIMIT, "{state:?}: {back:?}");
        assert_eq!(put(&later, bytes.clone()).await.status, 200, "the ticket is good");
        let id = later["assetId"].as_str().unwrap();
        assert_eq!(finalize(&node.api, ANNA.2, id).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_starts_without_s3() {
    let wire = Proxy::to(server().address.clone()).await;
    wire.set(Wire::Cut);
    let (_folder, node) = serve(&wire.address);
    let ticket = ticket(&node.api, ANNA.2, "a.jpg", 10, json!({})).await;
    let id = ticket["assetId"].as_str().unwrap();
    finalize(&node.api, ANNA.2, id).await.assert_problem(503, "store-unavailable");
    wire.set(Wire::Whole);
    finalize(&node.api, ANNA.2, id).await.assert_problem(409, "not-uploaded");
}

/// Two tenants on S3 at an address, which is waited for no longer than 3 s.
fn serve(address: &str) -> (TempDir, Node) {
    let folder = TempDir::new().unwrap();
    let layout = "path = \"vivreal-{key}\"\nbucket = \"gone-{key}\"";
    let settings = two_tenants(folder.path(), layout, "vectors/rsa", false);
    let mut environment = server().environment(address);
    for (name, value) in [
        ("SIGNET__STORE__S3__CONNECT_SECONDS", "1"),
        ("SIGNET__STORE__S3__ATTEMPT_SECONDS", "1"),
        ("SIGNET__STORE__S3__OPERATION_SECONDS", "3"),
    ] {
        environment.push((name, value.to_owned()));
    }
    let environment: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let node = Node::serve(folder.path(), &settings, &environment);
    (folder, node)
}
