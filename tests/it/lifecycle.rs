//! What becomes of files when nobody looks, over HTTP: unused tickets, late uploads, deleted files, quotas.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::support::Node;
use crate::support::http::{get, get_as, post, send};
use crate::support::settings::{ANNA, two_tenants};
use crate::support::upload::{finalize, picture, put, ready, ticket};

const PATIENCE: Duration = Duration::from_secs(60);

/// A node whose tickets and deleted files are soon over.
fn hasty(folder: &Path, uploads: &str) -> Node {
    let layout = "path = \"{tenant}\"\nbucket = \"media\"";
    let settings = two_tenants(folder, layout, "vectors/rsa", false);
    let settings = format!("{settings}\n[uploads]\n{uploads}\n[lifecycle]\ninterval_seconds = 1\n");
    Node::serve(folder, &settings, &[])
}

/// Asks until the answer is as wanted.
async fn until(what: &str, mut there: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !there().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn stored_objects(folder: &Path) -> usize {
    let files = |path: &Path| std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let is_fan = |path: &Path| path.file_name().unwrap().len() == 2;
    files(&folder.join("data/objects")).filter(|path| is_fan(path)).map(|fan| files(&fan).count()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_finalized_is_adopted_rejected_or_expires() {
    let folder = TempDir::new().unwrap();
    let node = hasty(folder.path(), "ticket_seconds = 2\ngrace_seconds = 0\nlate_seconds = 2");
    let bytes = picture(500, 1);
    let [good, bad, none] = [json!({}), json!({}), json!({})];
    let good = ticket(&node.api, ANNA.2, "good.jpg", 500, good).await;
    let bad = ticket(&node.api, ANNA.2, "bad.jpg", 500, bad).await;
    let none = ticket(&node.api, ANNA.2, "none.jpg", 500, none).await;
    assert_eq!(put(&good, bytes.clone()).await.status, 200);
    assert_eq!(put(&bad, vec![b'x'; 500].into()).await.status, 200);

    let asset = async |ticket: &Value| {
        let id = ticket["assetId"].as_str().unwrap();
        get_as(&format!("{}/media/v1/assets/{id}", node.api), ANNA.2).await.json()
    };
    for (ticket, status) in [(&good, "READY"), (&bad, "REJECTED"), (&none, "EXPIRED")] {
        until(status, async || asset(ticket).await["status"] == status).await;
    }
    let link = asset(&good).await["url"].as_str().unwrap().to_owned();
    assert!(get(&link, &[]).await.body == bytes, "adopted whole");
    until("the rejected file is gone, and the tombstones", async || stored_objects(folder.path()) == 1).await;
    let id = |ticket: &Value| ticket["assetId"].as_str().unwrap().to_owned();
    finalize(&node.api, ANNA.2, &id(&bad)).await.assert_problem(409, "upload-rejected");
    finalize(&node.api, ANNA.2, &id(&none)).await.assert_problem(409, "ticket-expired");
    let usage = get_as(&format!("{}/media/v1/usage", node.api), ANNA.2).await.json();
    assert_eq!((&usage["count"], &usage["pending"]["count"]), (&json!(1), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_is_purged_when_its_time_is_over() {
    let folder = TempDir::new().unwrap();
    // Nothing is purged before the last upload that its ticket allows can have ended: a day, unless settings
    // say that uploads end earlier.
    let node =
        hasty(folder.path(), "ticket_seconds = 1\ngrace_seconds = 0\nretention_days = 0\nlate_seconds = 1");
    let more = json!({"visibility": "PUBLIC", "metadata": {"derivatives": [320], "derivativeFormat": "jpg"}});
    let asset = ready(&node.api, ANNA.2, "a.jpg", &picture(500, 1), more).await;
    let id = asset["assetId"].as_str().unwrap();
    let url = format!("{}/media/v1/assets/{id}", node.api);
    assert_eq!(stored_objects(folder.path()), 1);
    assert_eq!(send("DELETE", &url, &[("authorization", ANNA.2)], "").await.status, 204);
    let restore = format!("{url}/restore");
    until("it is purged", async || post(&restore, ANNA.2, "").await.status == 404).await;
    assert_eq!(stored_objects(folder.path()), 0);
    let links = post(&format!("{}/media/v1/links", node.api), ANNA.2, json!({"ids": [id]})).await;
    assert_eq!(links.json()["links"], json!([{"id": id, "reason": "unknown"}]));
    let metrics = get(&format!("{}/metrics", node.admin), &[]).await.text();
    assert!(metrics.contains("signet_lifecycle_assets_total{outcome=\"purged\"} 1"), "{metrics}");
    assert!(!metrics.contains("signet_lifecycle_last_pass_timestamp_seconds 0\n"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_is_kept_when_tickets_are_made() {
    let folder = TempDir::new().unwrap();
    let node = hasty(folder.path(), "quota_count = 3\nquota_bytes = 1000");
    let uploads = format!("{}/media/v1/uploads", node.api);
    let wish = |size: u64| json!({"filename": "a.jpg", "contentType": "image/jpeg", "sizeBytes": size});
    let usage = async || get_as(&format!("{}/media/v1/usage", node.api), ANNA.2).await.json();

    let large = post(&uploads, ANNA.2, wish(1_001)).await;
    large.assert_problem(409, "quota-exceeded");
    assert_eq!(large.json()["quota"], json!({"count": 3, "bytes": 1000}));
    assert_eq!(large.json()["usage"], json!({"count": 0, "bytes": 0}));
    for _ in 0..3 {
        assert_eq!(post(&uploads, ANNA.2, wish(100)).await.status, 201);
    }
    post(&uploads, ANNA.2, wish(1)).await.assert_problem(409, "quota-exceeded");
    let now = usage().await;
    assert_eq!(now["pending"], json!({"count": 3, "bytes": 300}));
    assert_eq!(now["quota"], json!({"count": 3, "bytes": 1000}));

    let list = get_as(&format!("{}/media/v1/assets", node.api), ANNA.2).await.json();
    let url = format!("{}/media/v1/assets/{}", node.api, list["items"][0]["assetId"].as_str().unwrap());
    assert_eq!(send("DELETE", &url, &[("authorization", ANNA.2)], "").await.status, 204);
    assert_eq!(post(&uploads, ANNA.2, wish(800)).await.status, 201, "what is deleted makes room");
    post(&uploads, ANNA.2, wish(1)).await.assert_problem(409, "quota-exceeded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_finalizes_and_deletes_at_once_leave_usage_exact() {
    let folder = TempDir::new().unwrap();
    // All callers of this test have one address.
    let node = Node::dev(&folder.path().join("data"), &[("SIGNET__SERVER__MAX_CONNECTIONS_PER_CLIENT", "0")]);
    let (api, key) = (node.api.clone(), node.api_key.clone());
    let usage = async || get_as(&format!("{api}/media/v1/usage"), &key).await.json();
    let before = usage().await;
    let mut assets = Vec::new();
    for number in 0..50_usize {
        let bytes = picture(100 + number, 1);
        let ticket = ticket(&api, &key, "a.jpg", bytes.len(), json!({})).await;
        assert_eq!(put(&ticket, bytes).await.status, 200);
        assets.push((ticket["assetId"].as_str().unwrap().to_owned(), 100 + number));
    }
    let mut calls = JoinSet::new();
    for turn in 0..20_usize {
        for (number, (id, _)) in assets.iter().enumerate() {
            let (api, key, id) = (api.clone(), key.clone(), id.clone());
            // Half of the files are deleted, each by ten calls among ten finalizes.
            let delete = number % 2 == 0 && turn % 2 == 0;
            calls.spawn(async move {
                if delete {
                    let url = format!("{api}/media/v1/assets/{id}");
                    (true, send("DELETE", &url, &[("authorization", &key)], "").await.status)
                } else {
                    (false, finalize(&api, &key, &id).await.status)
                }
            });
        }
    }
    let answers = calls.join_all().await;
    assert_eq!(answers.len(), 1_000);
    assert_eq!(answers.iter().filter(|answer| **answer == (true, 204)).count(), 25, "one delete each");
    assert!(answers.iter().all(|(delete, status)| match status {
        404 => true,
        200 => !delete,
        204 => *delete,
        _ => false,
    }));
    let kept = assets.iter().enumerate().filter(|(number, _)| number % 2 == 1);
    let sizes: Vec<usize> = kept.map(|(_, (_, size))| *size).collect();
    let number = |value: &Value| usize::try_from(value.as_u64().unwrap()).unwrap();
    let after = usage().await;
    assert_eq!(number(&after["count"]), number(&before["count"]) + sizes.len());
    assert_eq!(number(&after["bytes"]), number(&before["bytes"]) + sizes.iter().sum::<usize>());
    assert_eq!(after["pending"], before["pending"]);
}
