//! Changes that depend on what was read, and deletions that are taken back.

use serde_json::{Value, json};

use crate::support::http::{Answer, get, get_as, moment, patch, post, send};
use crate::support::settings::{ANNA, BEN, two_tenants};
use crate::support::upload::{finalize, picture, put, ready, ticket};
use crate::support::{Node, fresh_dev};

struct Asset {
    url: String,
    key: String,
}

impl Asset {
    fn of(node: &Node, asset: &Value) -> Self {
        let id = asset["assetId"].as_str().unwrap();
        Self { url: format!("{}/media/v1/assets/{id}", node.api), key: node.api_key.clone() }
    }

    async fn call(&self, method: &str, header: &str, tag: &str, body: &'static str) -> Answer {
        let json = ("content-type", "application/json");
        send(method, &self.url, &[("authorization", &self.key), json, (header, tag)], body).await
    }

    async fn tag(&self) -> String {
        let answer = get_as(&self.url, &self.key).await;
        assert_eq!(answer.status, 200);
        answer.header("etag").to_owned()
    }
}

/// A tag of the same revision whose body had another link.
fn with_another_link(tag: &str) -> String {
    let (revision, _) = tag.rsplit_once('.').unwrap();
    format!("{revision}.0123456789abcdef\"")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finalized_upload_comes_with_the_tag_that_its_first_change_needs() {
    let (_folder, node) = fresh_dev();
    let ticket = ticket(&node.api, &node.api_key, "a.jpg", 10, json!({})).await;
    assert_eq!(put(&ticket, picture(10, 0)).await.status, 200);
    let finalized = finalize(&node.api, &node.api_key, ticket["assetId"].as_str().unwrap()).await;
    let (asset, tag) = (Asset::of(&node, &finalized.json()), finalized.header("etag").to_owned());
    assert_eq!(tag, asset.tag().await, "as GET says it");
    assert_eq!(asset.call("PATCH", "if-match", &tag, r#"{"metadata":{"alt":"a"}}"#).await.status, 200);
    asset
        .call("PATCH", "if-match", &tag, r#"{"metadata":{"alt":"b"}}"#)
        .await
        .assert_problem(412, "precondition-failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_answer_is_not_sent_again_until_anything_in_it_changes() {
    let (_folder, node) = fresh_dev();
    let made = ready(&node.api, &node.api_key, "a.jpg", &picture(10, 0), json!({})).await;
    let asset = Asset::of(&node, &made);
    let whole = get_as(&asset.url, &asset.key).await;
    let tag = whole.header("etag").to_owned();
    assert!(
        tag.starts_with(&format!("\"{}.", made["assetId"].as_str().unwrap())) && tag.ends_with('"'),
        "{tag}"
    );
    for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
        let answer = asset.call("GET", "if-none-match", &known, "").await;
        assert_eq!(
            (answer.status, answer.body.len(), answer.header("etag")),
            (304, 0, tag.as_str()),
            "{known}"
        );
        assert!(answer.header("cache-control").starts_with("private, max-age="), "{:?}", answer.headers);
        assert_eq!(answer.header("vary").to_lowercase(), "authorization");
        assert_eq!(answer.header("content-type"), "");
    }
    for unknown in [with_another_link(&tag), "\"x\"".into(), String::new()] {
        assert_eq!(asset.call("GET", "if-none-match", &unknown, "").await.status, 200, "{unknown}");
    }
    let changed = asset.call("PATCH", "x-nothing", "x", r#"{"metadata":{"alt":"b"}}"#).await;
    assert_ne!(changed.header("etag"), tag);
    assert_eq!(asset.tag().await, changed.header("etag"), "the same answer, the same tag");
    assert_eq!(asset.call("GET", "if-none-match", &tag, "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_what_others_have_changed_is_refused() {
    let (_folder, node) = fresh_dev();
    let made = ready(&node.api, &node.api_key, "a.jpg", &picture(10, 0), json!({})).await;
    let asset = Asset::of(&node, &made);
    let old = asset.tag().await;
    let first =
        asset.call("PATCH", "if-match", &with_another_link(&old), r#"{"metadata":{"alt":"a"}}"#).await;
    assert_eq!(first.status, 200, "a new link is no change: {}", first.text());
    let weak = format!("W/{}", asset.tag().await);
    for stale in [old.as_str(), &weak, "\"x\"", ""] {
        let second = asset.call("PATCH", "if-match", stale, r#"{"metadata":{"alt":"b"}}"#).await;
        second.assert_problem(412, "precondition-failed");
        asset.call("DELETE", "if-match", stale, "").await.assert_problem(412, "precondition-failed");
    }
    assert_eq!(get_as(&asset.url, &asset.key).await.json()["metadata"], json!({"alt": "a"}));
    for good in [asset.tag().await.as_str(), "*"] {
        assert_eq!(asset.call("PATCH", "if-match", good, r#"{"metadata":{"alt":"c"}}"#).await.status, 200);
    }
    assert_eq!(patch(&asset.url, &asset.key, json!({"metadata": {"alt": "d"}})).await.status, 200);

    // Of many who read the same, one changes it.
    let tag = asset.tag().await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let (asset, tag) = (Asset { url: asset.url.clone(), key: asset.key.clone() }, tag.clone());
        calls.spawn(
            async move { asset.call("PATCH", "if-match", &tag, r#"{"metadata":{"x":1}}"#).await.status },
        );
    }
    let mut statuses = calls.join_all().await;
    statuses.sort_unstable();
    assert_eq!((statuses[0], statuses[1], statuses[11]), (200, 412, 412), "{statuses:?}");
    assert_eq!(asset.call("DELETE", "if-match", &asset.tag().await, "").await.status, 204);
    asset.call("DELETE", "if-match", "*", "").await.assert_problem(404, "asset-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_asset_comes_back_as_it_was() {
    let (_folder, node) = fresh_dev();
    let usage = async || get_as(&format!("{}/media/v1/usage", node.api), &node.api_key).await.json();
    let bytes = picture(1234, 1);
    let more = json!({"visibility": "PUBLIC", "metadata": {"alt": "a"}});
    let made = ready(&node.api, &node.api_key, "a.jpg", &bytes, more).await;
    let pending = ticket(&node.api, &node.api_key, "b.jpg", 10, json!({})).await;
    let counted = usage().await;
    for (one, status) in [(&made, "READY"), (&pending, "PENDING")] {
        let asset = Asset::of(&node, one);
        let restore = format!("{}/restore", asset.url);
        post(&restore, &asset.key, "").await.assert_problem(409, "not-deleted");
        let before = get_as(&asset.url, &asset.key).await.json();
        assert_eq!(asset.call("DELETE", "x-nothing", "x", "").await.status, 204);
        let taken = |usage: &Value, name: &str| usage[name].as_u64().unwrap();
        let (now, ready) = (usage().await, u64::from(status == "READY"));
        assert_eq!(taken(&now, "count"), taken(&counted, "count") - ready, "{status}");
        assert_eq!(taken(&now["pending"], "count"), ready, "{status}");
        let restored = post(&restore, &asset.key, "").await;
        assert_eq!(
            (restored.status, restored.header("etag").is_empty()),
            (200, false),
            "{}",
            restored.text()
        );
        let (mut restored, mut before) = (restored.json(), before);
        assert_eq!(restored["status"], status);
        assert!(moment(&restored["updatedAt"].take()) >= moment(&before["updatedAt"].take()));
        assert_eq!(restored, before);
        assert_eq!(usage().await, counted);
        post(&restore, &asset.key, "").await.assert_problem(409, "not-deleted");
    }
    let permalink = get(&format!("{}/m/{}", node.api, made["assetId"].as_str().unwrap()), &[]).await;
    assert_eq!(permalink.status, 302);
    assert!(get(permalink.header("location"), &[]).await.body == bytes);
    let list = get_as(&format!("{}/media/v1/assets?limit=1", node.api), &node.api_key).await.json();
    assert_eq!(list["items"][0]["assetId"], pending["assetId"], "it is where it was in the list");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_too_long_ago_or_by_others_does_not_come_back() {
    let folder = tempfile::TempDir::new().unwrap();
    let settings = two_tenants(folder.path(), "[uploads]\nretention_days = 0", "vectors/rsa", false);
    let node = Node::serve(folder.path(), &settings, &[]);
    let made = ready(&node.api, ANNA.2, "a.jpg", &picture(10, 0), json!({})).await;
    let url = format!("{}/media/v1/assets/{}", node.api, made["assetId"].as_str().unwrap());
    assert_eq!(send("DELETE", &url, &[("authorization", ANNA.2)], "").await.status, 204);
    let restore = format!("{url}/restore");
    let problem = post(&restore, ANNA.2, "").await.assert_problem(410, "restore-expired");
    assert!(problem["deletedAt"].as_str().unwrap().ends_with('Z'), "{problem}");
    post(&restore, BEN.2, "").await.assert_problem(404, "asset-not-found");
    let nowhere = format!("{}/media/v1/assets/med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E/restore", node.api);
    post(&nowhere, ANNA.2, "").await.assert_problem(404, "asset-not-found");
    get_as(&url, ANNA.2).await.assert_problem(404, "asset-not-found");
}
