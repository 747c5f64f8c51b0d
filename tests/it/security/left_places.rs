//! A ticket is for one file, once: no place that its asset has left, or never filled, can be filled with it again.

use bytes::Bytes;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::http::{get, get_as, patch, post, send};
use crate::support::s3::server;
use crate::support::settings::{ANNA, two_tenants};
use crate::support::upload::{finalize, picture, put, ticket};
use crate::support::{Node, backed};

const LAYOUT: &str = "path = \"{tenant}\"\nbucket = \"media\"";

/// A node on local files, and one on S3.
async fn nodes() -> Vec<(TempDir, Node)> {
    let local = TempDir::new().unwrap();
    let settings = two_tenants(local.path(), LAYOUT, "vectors/rsa", false);
    let node = tokio::task::block_in_place(|| Node::serve(local.path(), &settings, &[]));
    let remote = TempDir::new().unwrap();
    let bucket = format!("left-{}", ulid::Ulid::generate().to_string().to_lowercase());
    server().make_bucket(&bucket).await;
    let layout = format!("path = \"{{tenant}}\"\nbucket = \"{bucket}\"");
    let settings = two_tenants(remote.path(), &layout, "vectors/rsa", false);
    let environment = server().environment(&server().address);
    let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let on_s3 = tokio::task::block_in_place(|| Node::serve(remote.path(), &settings, &environment));
    vec![(local, node), (remote, on_s3)]
}

fn id(asset: &Value) -> &str {
    asset["assetId"].as_str().unwrap()
}

/// A PUBLIC asset, its ticket, and the link that everybody has.
async fn public(node: &Node, bytes: &Bytes) -> (Value, Value, String) {
    let ticket = ticket(&node.api, ANNA.2, "face.jpg", bytes.len(), json!({"visibility": "PUBLIC"})).await;
    assert_eq!(put(&ticket, bytes.clone()).await.status, 200);
    let asset = finalize(&node.api, ANNA.2, id(&ticket)).await.json();
    let link = asset["url"].as_str().unwrap().to_owned();
    assert_eq!(get(&link, &[]).await.body, bytes);
    (asset, ticket, link)
}

async fn call(node: &Node, method: &str, path: &str) -> u16 {
    send(method, &format!("{}{path}", node.api), &[("authorization", ANNA.2)], "").await.status
}

/// That neither the ticket is taken again nor anything is served by the link.
async fn assert_closed(ticket: &Value, link: Option<&str>, evil: &Bytes, when: &str) {
    for _ in 0..2 {
        let again = put(ticket, evil.clone()).await;
        assert_eq!(again.status, 412, "{when}: {}", again.text());
        if let Some(link) = link {
            let served = get(link, &[]).await;
            assert_eq!(served.status, 404, "{when}: {}", served.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_fills_no_place_that_its_asset_has_left() {
    let (bytes, evil) = (picture(3_000, 1), picture(3_000, 2));
    for (_folder, node) in nodes().await {
        // Made PRIVATE, back and forth.
        let (asset, ticket, link) = public(&node, &bytes).await;
        let url = format!("{}/media/v1/assets/{}", node.api, id(&asset));
        for _ in 0..2 {
            assert_eq!(patch(&url, ANNA.2, json!({"visibility": "PRIVATE"})).await.status, 200);
            assert_closed(&ticket, Some(&link), &evil, "PRIVATE").await;
            assert_eq!(patch(&url, ANNA.2, json!({"visibility": "PUBLIC"})).await.status, 200);
            assert_eq!(put(&ticket, evil.clone()).await.status, 412);
            assert_eq!(get(&link, &[]).await.body, bytes, "the genuine file");
        }
        // Deleted, and restored.
        assert_eq!(call(&node, "DELETE", &format!("/media/v1/assets/{}", id(&asset))).await, 204);
        assert_closed(&ticket, Some(&link), &evil, "deleted").await;
        assert_eq!(post(&format!("{url}/restore"), ANNA.2, "").await.status, 200);
        assert_eq!(put(&ticket, evil.clone()).await.status, 412);
        assert_eq!(get(&link, &[]).await.body, bytes, "the genuine file");
        // Made PRIVATE and deleted.
        assert_eq!(patch(&url, ANNA.2, json!({"visibility": "PRIVATE"})).await.status, 200);
        assert_eq!(call(&node, "DELETE", &format!("/media/v1/assets/{}", id(&asset))).await, 204);
        assert_closed(&ticket, Some(&link), &evil, "PRIVATE, then deleted").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_was_rejected_or_given_up_is_over() {
    let (evil, more) = (picture(3_000, 2), json!({"visibility": "PUBLIC"}));
    for (_folder, node) in nodes().await {
        let fresh = async || ticket(&node.api, ANNA.2, "face.jpg", 3_000, more.clone()).await;
        let upload = |ticket: &Value| format!("/media/v1/uploads/{}", id(ticket));
        let asset = |ticket: &Value| format!("/media/v1/assets/{}", id(ticket));

        let rejected = fresh().await;
        let html = Bytes::from(format!("{:<3000}", "<html><script>alert(1)</script>"));
        assert_eq!(put(&rejected, html).await.status, 200);
        for _ in 0..2 {
            finalize(&node.api, ANNA.2, id(&rejected)).await.assert_problem(409, "upload-rejected");
            assert_closed(&rejected, None, &evil, "REJECTED").await;
        }
        assert_eq!(call(&node, "DELETE", &asset(&rejected)).await, 204);
        assert_closed(&rejected, None, &evil, "REJECTED and deleted").await;

        for sent in [false, true] {
            let given_up = fresh().await;
            let deleted = fresh().await;
            if sent {
                assert_eq!(put(&given_up, evil.clone()).await.status, 200);
                assert_eq!(put(&deleted, evil.clone()).await.status, 200);
            }
            assert_eq!(call(&node, "DELETE", &upload(&given_up)).await, 204);
            assert_closed(&given_up, None, &evil, "given up").await;
            finalize(&node.api, ANNA.2, id(&given_up)).await.assert_problem(409, "ticket-expired");
            assert_eq!(call(&node, "DELETE", &asset(&deleted)).await, 204);
            assert_closed(&deleted, None, &evil, "PENDING and deleted").await;
            // Restored it is what it was: an upload that is waited for, or one that is to be looked at.
            let restored = post(&format!("{}{}/restore", node.api, asset(&deleted)), ANNA.2, "").await;
            assert_eq!(restored.json()["status"], "PENDING");
            assert_eq!(put(&deleted, evil.clone()).await.status, if sent { 412 } else { 200 });
            assert_eq!(finalize(&node.api, ANNA.2, id(&deleted)).await.status, 200);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_is_kept_closed_until_nothing_can_arrive_and_then_left_empty() {
    let folder = TempDir::new().unwrap();
    let settings = two_tenants(folder.path(), LAYOUT, "vectors/rsa", false);
    let settings = format!(
        "{settings}\n[uploads]\nticket_seconds = 8\ngrace_seconds = 0\nlate_seconds = 0\n\
         [lifecycle]\ninterval_seconds = 1\n"
    );
    let node = Node::serve(folder.path(), &settings, &[]);
    let objects = folder.path().join("data/objects");
    let files = || {
        let entries =
            |path: &std::path::Path| std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        let fans = entries(&objects).filter(|path| path.file_name().unwrap().len() == 2);
        fans.map(|fan| entries(&fan).count()).sum::<usize>()
    };
    let (asset, ticket, _) = public(&node, &picture(3_000, 1)).await;
    let url = format!("{}/media/v1/assets/{}", node.api, id(&asset));
    assert_eq!(patch(&url, ANNA.2, json!({"visibility": "PRIVATE"})).await.status, 200);
    assert_eq!(put(&ticket, picture(3_000, 2)).await.status, 412);
    assert_eq!(files(), 2, "the file, and a tombstone");
    backed::until(async || files() == 1).await;
    let kept = get_as(&url, ANNA.2).await.json();
    assert_eq!(get(kept["url"].as_str().unwrap(), &[]).await.status, 200);
    let over = put(&ticket, picture(3_000, 2)).await.status;
    assert_eq!(over, 403, "the ticket has run out");
}
