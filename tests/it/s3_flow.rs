//! Files in S3, from a ticket of `signet serve` to a link, in both layouts.

use bytes::Bytes;
use serde_json::json;
use signet::service::ports::{ObjectLocation, ObjectStore};
use tempfile::TempDir;

use crate::support::Node;
use crate::support::http::{get, get_as, patch, send};
use crate::support::s3::server;
use crate::support::settings::{ANNA, BEN, two_tenants};
use crate::support::upload::{finalize, picture, put, ready, ticket};

/// A bucket a tenant, and one for all.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_uploaded_comes_back_through_a_signed_link_in_both_layouts() {
    for (layout, bucket, key) in [
        ("path = \"vivreal-{key}\"\nbucket = \"flow-{key}\"", "flow-anna", "t_anna/{id}/a b.jpg"),
        ("path = \"{tenant}\"\nbucket = \"flow-media\"", "flow-media", "t_anna/{id}/a b.jpg"),
    ] {
        server().make_bucket(bucket).await;
        let (_folder, node) = serve(layout, &server().address);
        let bytes = picture(200_000, 7);
        let more = json!({"visibility": "PUBLIC"});
        let ticket = ticket(&node.api, ANNA.2, "a b.jpg", bytes.len(), more).await;
        let id = ticket["assetId"].as_str().unwrap();
        assert_eq!(ticket["storageKey"], key.replace("{id}", id));
        let begin = format!("http://{}/{bucket}/t_anna/{id}/a%20b.jpg?", server().address);
        assert!(ticket["uploadUrl"].as_str().unwrap().starts_with(&begin), "{ticket}");

        finalize(&node.api, ANNA.2, id).await.assert_problem(409, "not-uploaded");
        assert_eq!(put(&ticket, picture(199_999, 7)).await.status, 403, "another length");
        assert_eq!(put(&ticket, bytes.clone()).await.status, 200);
        assert_eq!(put(&ticket, bytes.clone()).await.status, 412, "once");
        let asset = finalize(&node.api, ANNA.2, id).await;
        assert_eq!(asset.status, 200, "{}", asset.text());
        assert_eq!(asset.json()["status"], "READY");

        let redirect = get(&format!("{}/m/{id}", node.api), &[]).await;
        let file = get(redirect.header("location"), &[]).await;
        assert_eq!((file.status, file.header("content-type")), (200, "image/jpeg"));
        assert!(file.body == bytes, "the bytes are the same");
        let part = get(redirect.header("location"), &[("range", "bytes=100-199")]).await;
        assert_eq!((part.status, part.body), (206, bytes.slice(100..200)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_visibility_moves_the_object() {
    for (layout, bucket, private) in [
        ("path = \"vivreal-{key}\"\nbucket = \"move-{key}\"", "move-anna", "private/t_anna/{id}/a.jpg"),
        ("path = \"{tenant}\"\nbucket = \"move-media\"", "move-media", "t_anna/private/{id}/a.jpg"),
    ] {
        server().make_bucket(bucket).await;
        let (_folder, node) = serve(layout, &server().address);
        let bytes = picture(1_000, 1);
        let asset = ready(&node.api, ANNA.2, "a.jpg", &bytes, json!({"visibility": "PUBLIC"})).await;
        let id = asset["assetId"].as_str().unwrap();
        let path = format!("{}/media/v1/assets/{id}", node.api);
        let public = asset["storageKey"].as_str().unwrap().to_owned();
        let moved = patch(&path, ANNA.2, json!({"visibility": "PRIVATE"})).await;
        assert_eq!(moved.status, 200, "{}", moved.text());
        let moved = moved.json();
        assert_eq!(moved["storageKey"], private.replace("{id}", id));
        let link = get_as(&path, ANNA.2).await.json()["url"].as_str().unwrap().to_owned();
        assert!(get(&link, &[]).await.body == bytes, "it is where its link says");
        assert!(!is_there(bucket, &public).await, "and no more where it was");
        assert!(is_there(bucket, &private.replace("{id}", id)).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_from_the_promise_is_removed_and_no_tenant_reads_anothers() {
    server().make_bucket("wrong-anna").await;
    let layout = "path = \"vivreal-{key}\"\nbucket = \"wrong-{key}\"";
    let (_folder, node) = serve(layout, &server().address);
    // Bytes that aren't a picture's: S3 takes them, Signet doesn't.
    let ticket = ticket(&node.api, ANNA.2, "a.jpg", 10, json!({})).await;
    let id = ticket["assetId"].as_str().unwrap();
    assert_eq!(put(&ticket, Bytes::from_static(b"%PDF-1.7\n1")).await.status, 200);
    let key = ticket["storageKey"].as_str().unwrap();
    assert!(is_there("wrong-anna", key).await);
    finalize(&node.api, BEN.2, id).await.assert_problem(404, "asset-not-found");
    finalize(&node.api, ANNA.2, id).await.assert_problem(409, "upload-rejected");
    assert!(!is_there("wrong-anna", key).await);
    // A signed upload is good for one place: not for reading, and not for another's bucket.
    let url = ticket["uploadUrl"].as_str().unwrap();
    assert_eq!(get(url, &[]).await.status, 403);
    let others = url.replacen("wrong-anna", "wrong-ben", 1);
    let headers = ticket["headers"].as_object().unwrap();
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
    assert_eq!(send("PUT", &others, &headers, picture(10, 0)).await.status, 403);
}

/// Two tenants on S3 at an address.
fn serve(layout: &str, address: &str) -> (TempDir, Node) {
    let folder = TempDir::new().unwrap();
    let settings = two_tenants(folder.path(), layout, "vectors/rsa", false);
    let environment = server().environment(address);
    let environment: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let node = Node::serve(folder.path(), &settings, &environment);
    (folder, node)
}

async fn is_there(bucket: &str, key: &str) -> bool {
    let place = ObjectLocation { bucket: bucket.to_owned(), key: key.to_owned() };
    server().store().await.head(&place).await.unwrap().is_some()
}
