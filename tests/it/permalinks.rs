//! Permalinks that are ready: the same answers as those that are made, for as long as what they are made of stays.

use std::collections::BTreeMap;

use serde_json::json;
use signet::cloudfront::PublicKey;
use tempfile::TempDir;

use crate::support::Node;
use crate::support::http::{Answer, get, send};
use crate::support::program;
use crate::support::settings::{ANNA, BEN, two_tenants};
use crate::support::upload::{picture, ready};
use crate::support::verify;

/// A node with a PUBLIC asset of Anna's that has derivatives.
async fn scene(variables: &[(&str, &str)]) -> (TempDir, Node, String) {
    let folder = TempDir::new().unwrap();
    let settings = two_tenants(folder.path(), "path = \"{tenant}\"", "vectors/rsa", false);
    let node = Node::serve(folder.path(), &settings, variables);
    let metadata =
        json!({"visibility": "PUBLIC", "metadata": {"derivatives": [320, 640], "derivativeFormat": "webp"}});
    let asset = ready(&node.api, ANNA.2, "a.jpg", &picture(10, b'x'), metadata).await;
    let id = asset["assetId"].as_str().unwrap().to_owned();
    (folder, node, id)
}

/// What verifies the node's links.
fn key() -> PublicKey {
    verify::public_key(program::file("vectors/rsa-public"))
}

/// What doesn't differ from request to request.
fn lasting(answer: &Answer) -> (u16, BTreeMap<String, Vec<String>>) {
    let mut headers = BTreeMap::<String, Vec<String>>::new();
    for (name, value) in &answer.headers {
        if !["date", "x-request-id", "cache-control"].contains(&name.as_str()) {
            headers.entry(name.to_string()).or_default().push(value.to_str().unwrap().to_ascii_lowercase());
        }
    }
    headers.values_mut().for_each(|values| values.sort());
    (answer.status, headers)
}

/// How long a public answer may be kept, in seconds.
fn max_age(answer: &Answer) -> u64 {
    answer.header("cache-control").strip_prefix("public, max-age=").unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ready_permalink_is_answered_as_a_made_one() {
    for origins in ["", "https://www.example.com", "*"] {
        let (_folder, node, id) = scene(&[
            ("SIGNET__SERVER__CORS_ORIGINS", origins),
            ("CLOUDFRONT_SIGNED_URL_TTL_SECONDS", "86400"),
        ])
        .await;
        for query in ["", "?w=300", "?w=400&utm_source=x", "?w=2000"] {
            let url = format!("{}/m/{id}{query}", node.api);
            // Credentials have to be looked at, so these are never answered before the routes are.
            let made = get(&url, &[("authorization", ANNA.2)]).await;
            assert_eq!(made.status, 302, "{}", made.text());
            verify::assert_served(made.header("location"), &key(), verify::now());
            for method in ["GET", "HEAD", "GET"] {
                let answer = send(method, &url, &[("x-request-id", "r-1")], "").await;
                assert_eq!(lasting(&answer), lasting(&made), "{method} {query} with origins {origins:?}");
                assert_eq!(answer.header("x-request-id"), "r-1");
                assert!(answer.body.is_empty() && max_age(&answer).abs_diff(max_age(&made)) < 30);
            }
            let strange = send("GET", &url, &[("x-request-id", "no spaces")], "").await;
            assert_eq!(strange.header("x-request-id").len(), 26, "one of its own");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_request_brings_is_looked_at_though_its_permalink_is_ready() {
    let (_folder, node, id) = scene(&[("SIGNET__SERVER__CORS_ORIGINS", "https://www.example.com")]).await;
    let url = format!("{}/m/{id}", node.api);
    for _ in 0..2 {
        assert_eq!(get(&url, &[]).await.status, 302);
    }
    assert_eq!(get(&url, &[("authorization", "wrong")]).await.status, 401);
    let page = get(&url, &[("origin", "https://www.example.com")]).await;
    assert_eq!(page.header("access-control-allow-origin"), "https://www.example.com");
    let json = get(&url, &[("accept", "application/json")]).await;
    assert_eq!((json.status, json.json()["id"].as_str()), (200, Some(&*id)));
    assert_eq!(get(&format!("{url}?format=json"), &[]).await.status, 200);
    get(&format!("{url}?w=0"), &[]).await.assert_problem(400, "invalid-query");
    send("POST", &url, &[], "").await.assert_problem(405, "method-not-allowed");
    get(&format!("{url}/"), &[]).await.assert_problem(404, "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ready_permalink_ends_with_what_it_was_made_of() {
    let (_folder, node, id) = scene(&[]).await;
    let (url, asset) = (format!("{}/m/{id}", node.api), format!("{}/media/v1/assets/{id}", node.api));
    let shown = async || {
        let (first, second) = (get(&url, &[]).await, get(&url, &[]).await);
        assert_eq!(first.status, second.status);
        (second.status == 302).then(|| second.header("location").split('?').next().unwrap().to_owned())
    };
    let headers = [("authorization", ANNA.2), ("content-type", "application/json")];
    let first = shown().await;
    assert!(first.as_ref().is_some_and(|link| link.ends_with("/a.jpg")), "{first:?}");

    let private = send("PATCH", &asset, &headers, json!({"visibility": "PRIVATE"}).to_string()).await;
    assert_eq!(private.status, 200, "{}", private.text());
    assert_eq!(shown().await, None);
    let public = send("PATCH", &asset, &headers, json!({"visibility": "PUBLIC"}).to_string()).await;
    assert_eq!(public.status, 200, "{}", public.text());
    assert_eq!(shown().await, first);

    assert_eq!(send("DELETE", &asset, &headers, "").await.status, 204);
    assert_eq!(shown().await, None);
    assert_eq!(send("POST", &format!("{asset}/restore"), &headers, "").await.status, 200);
    assert_eq!(shown().await, first);

    // Other derivatives, another width.
    let narrow = format!("{url}?w=300");
    let location = async || get(&narrow, &[]).await.header("location").split('?').next().unwrap().to_owned();
    assert!(location().await.ends_with("/a.jpg.320.webp"));
    let metadata = json!({"metadata": {"derivatives": [500], "derivativeFormat": "webp"}});
    assert_eq!(send("PATCH", &asset, &headers, metadata.to_string()).await.status, 200);
    assert!(location().await.ends_with("/a.jpg.500.webp"));
}

#[tokio::test(flavor = "multi_thread")]
async fn links_of_a_batch_are_ready_for_their_tenant_alone() {
    let (_folder, node, id) = scene(&[]).await;
    let url = format!("{}/media/v1/links", node.api);
    let unknown = "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E";
    let ask = async |key: &str| {
        let body = json!({"ids": [id, unknown, "x", id], "keys": ["a b.jpg", ""], "urls": ["https://x/"]});
        let headers = [("authorization", key), ("content-type", "application/json")];
        let answer = send("POST", &url, &headers, body.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["links"].clone()
    };
    let first = ask(ANNA.2).await;
    assert_eq!(first[0]["link"], first[3]["link"]);
    verify::assert_served(first[0]["link"].as_str().unwrap(), &key(), verify::now());
    let reasons: Vec<_> = (1..7).map(|row| first[row]["reason"].as_str()).collect();
    assert_eq!(reasons, [Some("unknown"), Some("unknown"), None, None, Some("invalid_key"), Some("foreign")]);
    assert_eq!(ask(ANNA.2).await, first);
    assert_eq!(get(&format!("{}/m/{id}", node.api), &[]).await.header("location"), first[0]["link"]);
    let other = ask(BEN.2).await;
    assert_eq!((&other[0]["reason"], &other[3]["reason"]), (&json!("foreign"), &json!("foreign")));
    let asset = format!("{}/media/v1/assets/{id}", node.api);
    assert_eq!(send("DELETE", &asset, &[("authorization", ANNA.2)], "").await.status, 204);
    assert_eq!(ask(ANNA.2).await[0]["reason"], "deleted");
}
