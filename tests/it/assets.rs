//! Assets through the API: lists, changes, moves, deletions, permalinks and batches.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::support::http::{get, get_as, moment, patch, post, send};
use crate::support::upload::{finalize, picture, put, ready, ticket};
use crate::support::{Node, fresh_dev, shared_dev};

fn id(asset: &Value) -> &str {
    asset["assetId"].as_str().unwrap()
}

fn url(asset: &Value) -> &str {
    asset["url"].as_str().unwrap()
}

async fn list(node: &Node, query: &str) -> Value {
    let answer = get_as(&format!("{}/media/v1/assets?{query}", node.api), &node.api_key).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    answer.json()
}

fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|asset| id(asset).to_owned()).collect()
}

async fn delete(node: &Node, id: &str) -> u16 {
    let url = format!("{}/media/v1/assets/{id}", node.api);
    send("DELETE", &url, &[("authorization", &node.api_key)], "").await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_filtered_newest_first_and_within_its_limit() {
    let (_folder, node) = fresh_dev();
    let bytes = picture(10, 0);
    let seeded = ids(&list(&node, "").await).len();
    let mut made = Vec::new();
    for visibility in ["PUBLIC", "PRIVATE", "PUBLIC"] {
        let more = json!({"visibility": visibility});
        made.push(ready(&node.api, &node.api_key, "a.jpg", &bytes, more).await);
    }
    let pdf = json!({"contentType": "application/pdf"});
    let pending = ticket(&node.api, &node.api_key, "b.pdf", 10, pdf).await;
    let rejected = ticket(&node.api, &node.api_key, "c.jpg", 10, json!({})).await;
    let all = ids(&list(&node, "").await);
    assert_eq!(all.len(), seeded + 5);
    assert_eq!(all[..2], [id(&rejected).to_owned(), id(&pending).to_owned()], "newest first");

    assert_eq!(ids(&list(&node, "contentType=application/pdf").await), [id(&pending)]);
    let both = ids(&list(&node, "status=PENDING").await);
    assert_eq!(both, [id(&rejected), id(&pending)]);
    assert!(ids(&list(&node, "status=REJECTED").await).is_empty());
    assert!(ids(&list(&node, "status=EXPIRED").await).is_empty());
    for visibility in ["PUBLIC", "PRIVATE"] {
        let page = list(&node, &format!("visibility={visibility}&status=READY")).await;
        for asset in page["items"].as_array().unwrap() {
            assert_eq!((&asset["visibility"], &asset["status"]), (&json!(visibility), &json!("READY")));
            assert!(get(url(asset), &[]).await.status == 200, "{asset}");
        }
        let wanted = made.iter().filter(|asset| asset["visibility"] == visibility);
        let listed = ids(&page);
        assert!(wanted.map(id).all(|id| listed.iter().any(|other| other == id)), "{visibility}");
    }
    for (limit, count) in [("1", 1), ("2", 2), ("200", seeded + 5)] {
        let page = list(&node, &format!("limit={limit}")).await;
        assert_eq!(ids(&page), all[..count]);
        assert_eq!(page["nextCursor"].is_null(), count == all.len());
    }
    // The links of a page bound how long it may be kept.
    let answer = get_as(&format!("{}/media/v1/assets?status=READY", node.api), &node.api_key).await;
    assert!(answer.header("cache-control").starts_with("private, max-age="), "{:?}", answer.headers);
    assert_eq!(answer.header("vary").to_lowercase(), "authorization");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_show_each_asset_once_while_others_come_and_go() {
    let (_folder, node) = fresh_dev();
    let new = async || ticket(&node.api, &node.api_key, "a.jpg", 10, json!({})).await["assetId"].clone();
    let mut before: Vec<String> = Vec::new();
    for _ in 0..24 {
        before.push(new().await.as_str().unwrap().to_owned());
    }
    before.extend(ids(&list(&node, "status=READY").await));
    let (mut seen, mut gone, mut query) = (Vec::new(), HashSet::new(), "limit=5".to_owned());
    loop {
        let page = list(&node, &query).await;
        let found = ids(&page);
        assert!(found.len() <= 5);
        seen.extend(found.clone());
        // Some that were seen and some that weren't go, the one where the next page begins among them; new
        // ones come.
        for id in [found.last(), before.iter().find(|id| !seen.contains(id) && !gone.contains(*id))] {
            let Some(id) = id else { continue };
            assert_eq!(delete(&node, id).await, 204);
            gone.insert(id.clone());
        }
        new().await;
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        assert!(cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        query = format!("limit=5&cursor={cursor}");
    }
    let once: HashSet<&String> = seen.iter().collect();
    assert_eq!(once.len(), seen.len(), "none is there twice");
    for id in &before {
        assert!(once.contains(id) || gone.contains(id), "{id} was passed over");
    }
    assert!(seen.iter().all(|id| before.contains(id)), "none that came later");
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_is_merged_and_nothing_else_moves() {
    let (_folder, node) = fresh_dev();
    let bytes = picture(10, 0);
    let more = json!({"visibility": "PUBLIC", "metadata": {"alt": "a", "crop": {"x": 1, "y": 2}}});
    let asset = ready(&node.api, &node.api_key, "a.jpg", &bytes, more).await;
    let path = format!("{}/media/v1/assets/{}", node.api, id(&asset));
    let change = json!({"metadata": {"alt": null, "crop": {"y": 3}, "caption": "c"}});
    let changed = patch(&path, &node.api_key, change).await;
    assert_eq!((changed.status, changed.header("cache-control")), (200, "no-store"));
    let changed = changed.json();
    assert_eq!(changed["metadata"], json!({"crop": {"x": 1, "y": 3}, "caption": "c"}));
    for name in ["assetId", "storageKey", "visibility", "createdAt", "status", "sizeBytes", "filename"] {
        assert_eq!(changed[name], asset[name], "{name}");
    }
    assert!(moment(&changed["updatedAt"]) >= moment(&asset["updatedAt"]));
    assert_eq!(patch(&path, &node.api_key, "{}").await.json()["metadata"], changed["metadata"]);
    assert_eq!(get_as(&path, &node.api_key).await.json()["metadata"], changed["metadata"]);
    let large = json!({"metadata": {"more": "x".repeat(16_400)}});
    patch(&path, &node.api_key, large).await.assert_problem(422, "invalid-field");
    let pending = ticket(&node.api, &node.api_key, "b.jpg", 10, json!({})).await;
    let path = format!("{}/media/v1/assets/{}", node.api, id(&pending));
    let problem = patch(&path, &node.api_key, json!({"visibility": "PUBLIC"})).await;
    assert_eq!(problem.assert_problem(409, "status-conflict")["assetStatus"], "PENDING");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_visibility_moves_the_file_and_its_derivatives() {
    let (_folder, node) = fresh_dev();
    // The seed's picture has derivatives of 320 and 640 pixels.
    let page = list(&node, "visibility=PUBLIC&status=READY").await;
    let asset = page["items"][0].clone();
    let path = format!("{}/media/v1/assets/{}", node.api, id(&asset));
    let small = |asset: &Value| format!("{}/m/{}?w=300", node.api, id(asset));
    let derivative = get_as(&small(&asset), &node.api_key).await.header("location").to_owned();
    let old = url(&asset).to_owned();
    let (bytes, smaller) = (get(&old, &[]).await.body, get(&derivative, &[]).await.body);
    assert!(smaller.len() < bytes.len() && !smaller.is_empty());

    let private = patch(&path, &node.api_key, json!({"visibility": "PRIVATE"})).await.json();
    assert_eq!(private["storageKey"], format!("private/{}", asset["storageKey"].as_str().unwrap()));
    assert_eq!((get(&old, &[]).await.status, get(&derivative, &[]).await.status), (404, 404));
    assert!(get(url(&private), &[]).await.body == bytes);
    let moved = get_as(&small(&asset), &node.api_key).await.header("location").to_owned();
    assert!(moved.contains("/private/") && get(&moved, &[]).await.body == smaller);
    get(&small(&asset), &[]).await.assert_problem(404, "asset-not-found");
    // What is the same already stays where it is.
    let again = patch(&path, &node.api_key, json!({"visibility": "PRIVATE"})).await.json();
    assert_eq!(again["storageKey"], private["storageKey"]);

    let public = patch(&path, &node.api_key, json!({"visibility": "PUBLIC"})).await.json();
    assert_eq!(public["storageKey"], asset["storageKey"]);
    assert_eq!((get(url(&private), &[]).await.status, get(&moved, &[]).await.status), (404, 404));
    assert!(get(url(&public), &[]).await.body == bytes && get(&derivative, &[]).await.body == smaller);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_is_gone_and_no_longer_counted() {
    let (_folder, node) = fresh_dev();
    let bytes = picture(1234, 1);
    let usage = async || get_as(&format!("{}/media/v1/usage", node.api), &node.api_key).await.json();
    let before = usage().await;
    let more = json!({"visibility": "PUBLIC"});
    let asset = ready(&node.api, &node.api_key, "a.jpg", &bytes, more).await;
    let pending = ticket(&node.api, &node.api_key, "b.jpg", 10, json!({})).await;
    let counted = |usage: &Value| (usage["count"].as_u64().unwrap(), usage["bytes"].as_u64().unwrap());
    let (count, size) = counted(&before);
    assert_eq!(counted(&usage().await), (count + 1, size + 1234), "a ticket doesn't count");

    assert_eq!(put(&pending, picture(10, 0)).await.status, 200);
    for asset in [&asset, &pending] {
        let id = id(asset);
        let path = format!("{}/media/v1/assets/{id}", node.api);
        assert_eq!(delete(&node, id).await, 204);
        get_as(&path, &node.api_key).await.assert_problem(404, "asset-not-found");
        patch(&path, &node.api_key, "{}").await.assert_problem(404, "asset-not-found");
        assert_eq!(delete(&node, id).await, 404);
        finalize(&node.api, &node.api_key, id).await.assert_problem(404, "asset-not-found");
        let permalink = get(&format!("{}/m/{id}", node.api), &[]).await;
        permalink.assert_problem(404, "asset-not-found");
        assert!(!ids(&list(&node, "limit=200").await).contains(&id.to_owned()));
        let links = post(&format!("{}/media/v1/links", node.api), &node.api_key, json!({"ids": [id]})).await;
        assert_eq!(links.json()["links"], json!([{"id": id, "reason": "deleted"}]));
    }
    assert_eq!(usage().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permalink_leads_to_the_file_or_its_smallest_fitting_derivative() {
    let shared = shared_dev();
    let node = &shared.1;
    let page = list(node, "visibility=PUBLIC&status=READY").await;
    let id = page["items"].as_array().unwrap().iter().map(id).next_back().unwrap().to_owned();
    let permalink = format!("{}/m/{id}", node.api);
    for (query, end) in [
        ("", "harbour.jpg"),
        ("?w=1", "harbour.jpg.320.jpg"),
        ("?w=320", "harbour.jpg.320.jpg"),
        ("?w=321", "harbour.jpg.640.jpg"),
        ("?w=641", "harbour.jpg"),
        ("?utm_source=x&w=640", "harbour.jpg.640.jpg"),
    ] {
        let answer = get(&format!("{permalink}{query}"), &[]).await;
        let (bare, _) = answer.header("location").split_once('?').unwrap();
        assert!(answer.status == 302 && bare.ends_with(&format!("/{end}")), "{query}: {bare}");
        assert_eq!(get(answer.header("location"), &[]).await.status, 200, "{query}");
        assert!(answer.header("cache-control").starts_with("public, max-age="));
        assert_eq!(answer.header("vary").to_lowercase(), "accept");

        let head = send("HEAD", &format!("{permalink}{query}"), &[], "").await;
        assert_eq!((head.status, head.body.len()), (302, 0));
        assert_eq!(head.header("location"), answer.header("location"));

        let separator = if query.is_empty() { '?' } else { '&' };
        let as_json = [
            get(&format!("{permalink}{query}"), &[("accept", "application/json")]).await,
            get(&format!("{permalink}{query}{separator}format=json"), &[]).await,
        ];
        for json in as_json {
            assert_eq!((json.status, json.header("content-type")), (200, "application/json"));
            let body = json.json();
            assert_eq!((&body["id"], &body["link"]), (&json!(id), &json!(answer.header("location"))));
            assert!(body["expiresAt"].as_str().unwrap().ends_with('Z'));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_holds_a_thousand_items_and_keeps_their_order() {
    let shared = shared_dev();
    let node = &shared.1;
    let links = format!("{}/media/v1/links", node.api);
    let keys: Vec<String> = (0..998).map(|index| format!("x/{index}.jpg")).collect();
    let unknown = "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E";
    let foreign = "https://media.vivreal.io/vivreal-other/a.jpg";
    let mut body = json!({"ids": [unknown], "keys": keys, "urls": [foreign]});
    let answer = post(&links, &node.api_key, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let rows = answer.json()["links"].as_array().unwrap().clone();
    assert_eq!(rows.len(), 1_000);
    assert_eq!(rows[0], json!({"id": unknown, "reason": "unknown"}));
    assert_eq!(rows[999], json!({"url": foreign, "reason": "foreign"}));
    for (row, key) in rows[1..999].iter().zip(&keys) {
        assert_eq!(row["key"], *key);
        assert!(row["link"].as_str().unwrap().contains(&format!("/{key}?")), "{row}");
    }
    body["urls"].as_array_mut().unwrap().push(json!(foreign));
    let problem = post(&links, &node.api_key, &body).await.assert_problem(422, "too-many-items");
    assert_eq!((&problem["limit"], &problem["found"]), (&json!(1_000), &json!(1_001)));
    let none = post(&links, &node.api_key, "{}").await;
    assert_eq!((none.json(), none.header("cache-control")), (json!({"links": []}), "no-store"));
}
