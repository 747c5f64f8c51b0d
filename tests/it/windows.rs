//! Links are the same from every node, and never live too short or too long.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::http::{get, post};
use crate::support::program::file;
use crate::support::settings::{ANNA, two_tenants};
use crate::support::{Node, verify};

const BASE: &str = "https://media.vivreal.io";

fn node(folder: &TempDir, key: &str, ttl: &str) -> Node {
    let settings = two_tenants(folder.path(), "", key, false);
    let environment = [("CDN_BASE_URL", BASE), ("SIGNET__SIGNING__TTL_SECONDS", ttl)];
    Node::serve(folder.path(), &settings, &environment)
}

async fn links(node: &Node) -> (Vec<Value>, u64) {
    let keys: Vec<String> = (0..40).map(|index| format!("groupObjects/{index}/größe {index}.jpg")).collect();
    let urls = [format!("{BASE}/vivreal-anna/a.jpg?w=640"), format!("{BASE}/vivreal-anna/private/b.jpg")];
    let body = json!({"keys": keys, "urls": urls});
    let answer = post(&format!("{}/media/v1/links", node.api), ANNA.2, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let max_age = answer.header("cache-control").strip_prefix("private, max-age=").unwrap().parse().unwrap();
    (answer.json()["links"].as_array().unwrap().clone(), max_age)
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_with_the_same_key_give_the_same_links() {
    for key in ["vectors/rsa", "vectors/ecdsa"] {
        let folders = [TempDir::new().unwrap(), TempDir::new().unwrap()];
        let nodes = folders.each_ref().map(|folder| node(folder, key, "604800"));
        // A window may end between the two: then the next try is within one.
        let mut same = false;
        for _ in 0..3 {
            let [one, other] = [links(&nodes[0]).await, links(&nodes[1]).await];
            assert!(one.0.iter().all(|row| row["link"].is_string()), "{:?}", one.0);
            same = same || one.0 == other.0;
        }
        assert!(same, "{key}");
        let public = verify::public_key(file(&format!("{key}-public")));
        let (rows, _) = links(&nodes[0]).await;
        for row in &rows {
            verify::assert_served(row["link"].as_str().unwrap(), &public, verify::now());
        }
        let document = json!({"src": format!("{BASE}/vivreal-anna/a.jpg?w=640")});
        let signed = post(&format!("{}/media/v1/documents", nodes[1].api), ANNA.2, document).await.json();
        let link = &rows[40]["link"];
        assert!(signed["src"] == *link || !same, "a document's link is the batch's");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_lives_more_than_half_of_its_ttl_and_is_kept_no_longer_than_it_should() {
    let folder = TempDir::new().unwrap();
    let node = node(&folder, "vectors/rsa", "60");
    let public = verify::public_key(file("vectors/rsa-public"));
    let mut turns = std::collections::HashSet::new();
    // Within a step of thirty seconds each file rolls over once; with forty of them that takes moments.
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(2)
        || (turns.len() < 2 && start.elapsed() < Duration::from_secs(31))
    {
        let before = verify::now();
        let (rows, max_age) = links(&node).await;
        let after = verify::now();
        // The last one lies under private/, which has a TTL of its own.
        let (private, rest) = rows.split_last().unwrap();
        let expiries: Vec<u64> = rest
            .iter()
            .map(|row| verify::assert_served(row["link"].as_str().unwrap(), &public, after))
            .collect();
        for expires in &expiries {
            assert!((before + 31..=after + 60).contains(expires), "{expires} between {before} and {after}");
        }
        let private = verify::assert_served(private["link"].as_str().unwrap(), &public, after);
        assert!((before + 151..=after + 300).contains(&private), "{private}");
        let shortest = *expiries.iter().min().unwrap();
        assert!(max_age <= shortest - before - 15 && max_age > 15, "{max_age}");
        turns.insert(expiries);
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    assert!(turns.len() > 1, "no link rolled over");
    let flat: std::collections::HashSet<u64> = turns.into_iter().flatten().collect();
    assert!(flat.len() > 5, "files roll over spread out in time: {flat:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permalink_is_cached_for_less_than_its_link_lives() {
    let folder = TempDir::new().unwrap();
    let settings = two_tenants(folder.path(), "", "vectors/rsa", false);
    let node = Node::serve(folder.path(), &settings, &[("SIGNET__SIGNING__TTL_SECONDS", "60")]);
    let bytes = crate::support::upload::picture(10, 0);
    let more = json!({"visibility": "PUBLIC"});
    let asset = crate::support::upload::ready(&node.api, ANNA.2, "a.jpg", &bytes, more).await;
    let public = verify::public_key(file("vectors/rsa-public"));
    for _ in 0..3 {
        let before = verify::now();
        let answer = get(&format!("{}/m/{}", node.api, asset["assetId"].as_str().unwrap()), &[]).await;
        let expires = verify::assert_served(answer.header("location"), &public, before);
        let max_age: u64 =
            answer.header("cache-control").strip_prefix("public, max-age=").unwrap().parse().unwrap();
        assert!(max_age > 15 && max_age <= expires - before - 15, "{max_age}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}
