//! `Idempotency-Key`: a call that is made again does nothing new.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::http::{Answer, get_as, send};
use crate::support::settings::{ANNA, BEN, two_tenants};
use crate::support::upload::{finalize, picture, put};
use crate::support::{Node, fresh_dev};

async fn call(api: &str, credentials: &str, keys: &[&str], body: &Value) -> Answer {
    let mut headers = vec![("authorization", credentials), ("content-type", "application/json")];
    headers.extend(keys.iter().map(|key| ("idempotency-key", *key)));
    send("POST", &format!("{api}/media/v1/uploads"), &headers, body.to_string()).await
}

fn request(size: usize) -> Value {
    json!({"filename": "a.jpg", "contentType": "image/jpeg", "sizeBytes": size,
        "metadata": {"alt": "x", "crop": {"x": 1, "y": 2}}})
}

/// A ticket without what passes with time.
fn lasting(answer: &Answer) -> Value {
    assert_eq!(answer.status, 201, "{}", answer.text());
    let mut ticket = answer.json();
    let seconds = ticket["expiresInSeconds"].take().as_u64().unwrap();
    assert!((840..=900).contains(&seconds), "{seconds}");
    ticket
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_call_gives_the_same_ticket_and_another_body_is_refused() {
    let folder = tempfile::TempDir::new().unwrap();
    let data = folder.path().join("data");
    let node = Node::dev(&data, &[]);
    let (api, key) = (node.api.as_str(), node.api_key.as_str());
    let first = lasting(&call(api, key, &["k-1"], &request(10)).await);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let again = call(api, key, &["k-1"], &request(10)).await;
    assert_eq!(lasting(&again), first);
    assert!(again.json()["expiresInSeconds"].as_u64().unwrap() < 900, "time has passed");
    let turned = json!({"metadata": {"crop": {"y": 2, "x": 1}, "alt": "x"}, "sizeBytes": 10,
        "contentType": "image/jpeg", "filename": "a.jpg"});
    assert_eq!(lasting(&call(api, key, &["k-1"], &turned).await), first, "members have no order");

    for member in ["sizeBytes", "filename", "visibility", "checksum", "metadata", "contentType"] {
        let mut other = request(10);
        other[member] = match member {
            "sizeBytes" => json!(11),
            "filename" => json!("b.jpg"),
            "visibility" => json!("PUBLIC"),
            "checksum" => json!("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
            "metadata" => json!({"alt": "y"}),
            _ => json!("image/png"),
        };
        call(api, key, &["k-1"], &other).await.assert_problem(422, "idempotency-mismatch");
    }
    let count = async |api: &str| {
        let page = get_as(&format!("{api}/media/v1/assets?status=PENDING"), key).await.json();
        page["items"].as_array().unwrap().len()
    };
    assert_eq!(count(api).await, 1, "nothing new came of it");
    for other in ["K-1", "k-2"] {
        assert_ne!(lasting(&call(api, key, &[other], &request(10)).await)["assetId"], first["assetId"]);
    }
    assert_ne!(lasting(&call(api, key, &[], &request(10)).await)["assetId"], first["assetId"]);

    // The ticket that was given again is good, also after a restart.
    let old = node.api.clone();
    assert_eq!(node.terminate(), Some(0));
    let node = Node::dev(&data, &[]);
    let mut ticket = lasting(&call(&node.api, &node.api_key, &["k-1"], &request(10)).await);
    assert_eq!(ticket["assetId"], first["assetId"]);
    assert_eq!(ticket["uploadUrl"].as_str().unwrap().replace(&node.api, &old), first["uploadUrl"]);
    assert_eq!(put(&ticket, picture(10, 0)).await.status, 200);
    let id = ticket["assetId"].take();
    assert_eq!(finalize(&node.api, &node.api_key, id.as_str().unwrap()).await.status, 200);
    assert_eq!(lasting(&call(&node.api, &node.api_key, &["k-1"], &request(10)).await)["assetId"], id);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_at_the_same_time_make_one_asset() {
    let (_folder, node) = fresh_dev();
    let mut calls = JoinSet::new();
    for _ in 0..16 {
        let (api, key) = (node.api.clone(), node.api_key.clone());
        calls.spawn(async move { lasting(&call(&api, &key, &["same"], &request(10)).await) });
    }
    let mut tickets = calls.join_all().await;
    tickets.dedup();
    assert_eq!(tickets.len(), 1, "{tickets:?}");
    let page = get_as(&format!("{}/media/v1/assets?status=PENDING", node.api), &node.api_key).await;
    assert_eq!(page.json()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_its_tenants_and_free_again_after_its_ticket() {
    let folder = tempfile::TempDir::new().unwrap();
    let settings = two_tenants(folder.path(), "[uploads]\nticket_seconds = 3", "vectors/rsa", false);
    let node = Node::serve(folder.path(), &settings, &[]);
    let id = async |credentials: &str, size: usize| {
        let answer = call(&node.api, credentials, &["k"], &request(size)).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["assetId"].clone()
    };
    let first = id(ANNA.2, 10).await;
    assert_ne!(id(BEN.2, 11).await, first, "another tenant's key is another key");
    assert_eq!(id(&ANNA.token(folder.path()), 10).await, first, "whatever its credentials");
    tokio::time::sleep(Duration::from_millis(3_100)).await;
    assert_ne!(id(ANNA.2, 12).await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_none_are_refused() {
    let (_folder, node) = fresh_dev();
    let long = "x".repeat(256);
    for keys in [&["a b"][..], &["é"], &[&long], &["a", "a"], &[""]] {
        let problem = call(&node.api, &node.api_key, keys, &request(10)).await;
        let problem = problem.assert_problem(400, "invalid-header");
        assert_eq!(problem["header"], "Idempotency-Key", "{keys:?}");
    }
    let longest = "x".repeat(255);
    assert_eq!(call(&node.api, &node.api_key, &[&longest], &request(10)).await.status, 201);
    // What isn't allowed at all doesn't use the key up.
    let wrong = call(&node.api, &node.api_key, &["later"], &request(0)).await;
    wrong.assert_problem(422, "invalid-field");
    let ticket = call(&node.api, &node.api_key, &["later"], &request(10)).await.json();
    assert_eq!(put(&ticket, picture(10, 1)).await.status, 200);
}
