//! Uploads that became no file leave nothing behind: their records go some time after nothing can arrive any more.

use bytes::Bytes;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::Node;
use crate::support::backed::{Ground, until};
use crate::support::http::{get_as, send};
use crate::support::settings::{ANNA, two_tenants};
use crate::support::upload::{finalize, picture, put, ready, ticket};

async fn records(node: &Node) -> Vec<Value> {
    let list = get_as(&format!("{}/media/v1/assets?limit=200", node.api), ANNA.2).await;
    assert_eq!(list.status, 200, "{}", list.text());
    list.json()["items"].as_array().unwrap().clone()
}

/// One upload that is READY, one REJECTED, one EXPIRED and one given up; only the first stays.
async fn only_files_stay(node: &Node) {
    let file = ready(&node.api, ANNA.2, "a.jpg", &picture(500, 1), json!({})).await;
    let rejected = ticket(&node.api, ANNA.2, "b.jpg", 500, json!({})).await;
    assert_eq!(put(&rejected, Bytes::from(format!("{:<500}", "<html><script>"))).await.status, 200);
    let rejected = rejected["assetId"].as_str().unwrap().to_owned();
    finalize(&node.api, ANNA.2, &rejected).await.assert_problem(409, "upload-rejected");
    let unused = ticket(&node.api, ANNA.2, "c.jpg", 500, json!({})).await;
    let given_up = ticket(&node.api, ANNA.2, "d.jpg", 500, json!({})).await;
    let upload = format!("{}/media/v1/uploads/{}", node.api, given_up["assetId"].as_str().unwrap());
    assert_eq!(send("DELETE", &upload, &[("authorization", ANNA.2)], "").await.status, 204);
    assert_eq!(records(node).await.len(), 4);
    until(async || records(node).await.len() == 1).await;
    assert_eq!(records(node).await[0]["assetId"], file["assetId"]);
    for id in [rejected.as_str(), unused["assetId"].as_str().unwrap()] {
        let asset = get_as(&format!("{}/media/v1/assets/{id}", node.api), ANNA.2).await;
        asset.assert_problem(404, "asset-not-found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_uploads_that_became_no_file_go() {
    let folder = TempDir::new().unwrap();
    let settings =
        two_tenants(folder.path(), "path = \"{tenant}\"\nbucket = \"media\"", "vectors/rsa", false);
    let settings = format!(
        "{settings}\n[uploads]\nticket_seconds = 5\ngrace_seconds = 0\nlate_seconds = 1\nrecord_days = 0\n\
         [lifecycle]\ninterval_seconds = 1\n"
    );
    let node = Node::serve(folder.path(), &settings, &[]);
    only_files_stay(&node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_in_mongodb_go_as_well() {
    let ground = Ground::new().await;
    let environment = [
        ("SIGNET__UPLOADS__TICKET_SECONDS", "5"),
        ("SIGNET__UPLOADS__GRACE_SECONDS", "0"),
        ("SIGNET__UPLOADS__LATE_SECONDS", "1"),
        ("SIGNET__UPLOADS__RECORD_DAYS", "0"),
        ("SIGNET__LIFECYCLE__INTERVAL_SECONDS", "1"),
    ];
    let backed = ground.node_with(&environment).await;
    only_files_stay(&backed.node).await;
}
