//! What is counted: everything from the first scrape, in every mode, and no more for anything that a stranger does.

use std::collections::BTreeSet;

use serde_json::json;
use tempfile::TempDir;

use crate::support::backed::Ground;
use crate::support::http::{get, post, send};
use crate::support::prometheus::{project, promtool};
use crate::support::settings::{ANNA, two_tenants};
use crate::support::upload::{finalize, picture, put, ready, ticket};
use crate::support::{Node, fresh_dev};

async fn scrape(node: &Node) -> String {
    let answer = get(&format!("{}/metrics", node.admin), &[]).await;
    assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"));
    answer.text()
}

/// The names of the families.
fn families(text: &str) -> BTreeSet<String> {
    let helps = text.lines().filter_map(|line| line.strip_prefix("# HELP "));
    helps.map(|help| help.split(' ').next().unwrap().to_owned()).collect()
}

/// The series: names with their labels.
fn series(text: &str) -> BTreeSet<&str> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples.map(|line| line.rsplit_once(' ').unwrap().0).collect()
}

fn value(text: &str, series: &str) -> f64 {
    let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {series} in {text}")).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_family_and_every_series_is_there_from_the_first_scrape_in_every_mode() {
    let (_data, dev) = fresh_dev();
    let folder = TempDir::new().unwrap();
    let embedded = Node::serve(folder.path(), &two_tenants(folder.path(), "", "vectors/ecdsa", false), &[]);
    let backed = Ground::new().await;
    let backed = backed.node().await;
    let (dev, embedded, backed) = (scrape(&dev).await, scrape(&embedded).await, scrape(&backed.node).await);
    // Key pair ids are the settings' own.
    let comparable =
        |text: &'static str| series(text).into_iter().filter(|series| !series.contains("key_pair_id"));
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    let (dev, embedded, backed) = (leak(dev), leak(embedded), leak(backed));
    assert!(families(dev).len() > 50, "{:?}", families(dev));
    for other in [embedded, backed] {
        assert_eq!(families(dev), families(other));
        let (one, two): (BTreeSet<_>, BTreeSet<_>) = (comparable(dev).collect(), comparable(other).collect());
        let odd: Vec<_> = one.symmetric_difference(&two).collect();
        assert!(odd.is_empty(), "only in one of them: {odd:?}");
    }
    for text in [dev, embedded, backed] {
        for family in families(text) {
            let own = |series: &&str| series.starts_with(family.as_str());
            assert!(series(text).iter().any(own), "{family} has no series");
        }
        assert_eq!((value(text, "signet_ready"), value(text, "signet_store_writable")), (1.0, 1.0));
    }
}

#[tokio::test]
async fn promtool_and_the_operations_page_know_every_family() {
    let (_data, node) = fresh_dev();
    let text = scrape(&node).await;
    assert_eq!(promtool(&["check", "metrics"], &text), Ok(String::new()));
    let operations = std::fs::read_to_string(project("docs/operations.md")).unwrap();
    for family in families(&text) {
        let told = [format!("`{family}`"), format!("`{family}{{")];
        assert!(told.iter().any(|name| operations.contains(name)), "docs/operations.md lacks {family}");
    }
}

#[tokio::test]
async fn what_happens_is_counted() {
    let (_data, node) = fresh_dev();
    let key = node.api_key.clone();
    let before = scrape(&node).await;
    let bytes = picture(500, 3);
    let asset = ready(&node.api, &key, "a.jpg", &bytes, json!({"visibility": "PUBLIC"})).await;
    let bad = ticket(&node.api, &key, "b.jpg", 400, json!({})).await;
    assert_eq!(put(&bad, picture(300, 1)).await.status / 100, 4);
    let missing = finalize(&node.api, &key, bad["assetId"].as_str().unwrap()).await;
    assert_eq!(missing.status, 409);
    let gone = format!("{}/media/v1/uploads/{}", node.api, bad["assetId"].as_str().unwrap());
    assert_eq!(send("DELETE", &gone, &[("authorization", &key)], "").await.status, 204);
    let refused = json!({"filename": "x", "contentType": "nonsense", "sizeBytes": 1});
    assert_eq!(post(&format!("{}/media/v1/uploads", node.api), &key, refused).await.status, 422);
    let permalink = format!("{}/m/{}", node.api, asset["assetId"].as_str().unwrap());
    for _ in 0..3 {
        assert_eq!(get(&permalink, &[]).await.status, 302);
    }
    let documents = format!("{}/media/v1/documents", node.api);
    for (document, status) in [
        (
            r#"{"a": {"key": "x/a.jpg", "type": "image"}, "b": "med_00000000000000000000000000"}"#.to_owned(),
            200,
        ),
        ("{".to_owned(), 400),
        ("[".repeat(129) + &"]".repeat(129), 422),
    ] {
        assert_eq!(post(&documents, &key, document).await.status, status);
    }
    let many: Vec<String> = (0..1_001).map(|number| format!("x/{number}.jpg")).collect();
    let batch = post(&format!("{}/media/v1/links", node.api), &key, json!({"keys": many})).await;
    batch.assert_problem(422, "too-many-items");

    let after = scrape(&node).await;
    for (series, grown) in [
        ("signet_tickets_total{outcome=\"created\"}", 2.0),
        ("signet_tickets_total{outcome=\"finalized\"}", 1.0),
        ("signet_tickets_total{outcome=\"aborted\"}", 1.0),
        ("signet_tickets_total{outcome=\"refused\"}", 1.0),
        ("signet_store_operations_total{operation=\"insert_asset\",outcome=\"done\"}", 2.0),
        ("signet_store_operation_duration_seconds_count{operation=\"insert_asset\"}", 2.0),
        ("signet_object_operations_total{operation=\"presign_put\",outcome=\"done\"}", 2.0),
        ("signet_http_requests_total{method=\"GET\",route=\"/m/{id}\",status=\"302\"}", 3.0),
        ("signet_http_request_duration_seconds_count{route=\"/m/{id}\"}", 3.0),
        ("signet_documents_total{outcome=\"signed\"}", 1.0),
        ("signet_documents_total{outcome=\"invalid\"}", 1.0),
        ("signet_documents_total{outcome=\"too_large\"}", 1.0),
        ("signet_document_duration_seconds_count{outcome=\"signed\"}", 1.0),
        ("signet_document_sites_total{outcome=\"unsigned\"}", 1.0),
        ("signet_document_unsigned_total{reason=\"unknown\"}", 1.0),
        ("signet_limits_hit_total{limit=\"document_depth\"}", 1.0),
        ("signet_limits_hit_total{limit=\"items\"}", 1.0),
        ("signet_stale_answers_total", 0.0),
        ("signet_signing_queue_length", 0.0),
    ] {
        assert_eq!(value(&after, series) - value(&before, series), grown, "{series}");
    }
    let signatures = |text: &str| {
        let lines =
            text.lines().filter(|line| line.starts_with("signet_signatures_total{algorithm=\"rsa-sha1\""));
        lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum::<f64>()
    };
    assert!(signatures(&after) > signatures(&before), "{after}");
    let waited = "signet_signing_queue_wait_seconds_count";
    assert!(value(&after, waited) > value(&before, waited));
    let entries = "signet_link_cache_entries{part=\"signatures\"}";
    assert!(value(&after, entries) > value(&before, entries));
    assert_eq!(value(&after, "signet_link_cache_entries{part=\"assets\"}"), 1.0);
}

#[tokio::test]
async fn a_stranger_adds_no_series() {
    let (_data, node) = fresh_dev();
    let strange = async |mark: usize| {
        for number in 0..60 {
            let name = format!("{mark}-{number}");
            let method = ["GET", "POST", "PUT", "BREW", "PROPFIND", "DELETE", "OPTIONS"][number % 7];
            let path = [
                format!("/{name}"),
                format!("/m/{name}"),
                format!("/m/med_{name:0>26}?w={number}&{name}=1"),
                format!("/media/v1/assets/{name}"),
                format!("/media/v1/uploads/{name}/finalize"),
                format!("/objects/{name}/{name}"),
                format!("/docs/{name}"),
            ];
            let path = &path[(number / 7) % 7];
            let headers = [
                ("host", format!("{name}.example")),
                ("x-request-id", name.clone()),
                ("authorization", format!("key-{name}")),
                ("user-agent", name.clone()),
            ];
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            for base in [&node.api, &node.edge] {
                send(method, &format!("{base}{path}"), &headers, name.clone()).await;
            }
        }
    };
    let counted = async || series(&scrape(&node).await).len();
    let first = counted().await;
    strange(1).await;
    let second = counted().await;
    // Methods and statuses that the description doesn't name come as they are met.
    assert!(second < first + 150, "{first} {second}");
    strange(2).await;
    assert_eq!(counted().await, second);
    assert!(!scrape(&node).await.contains("1-5"), "nothing that a stranger has named is repeated");
    assert!(second < 3_000, "{second}");
}

#[tokio::test]
async fn routes_are_known_by_their_names() {
    let folder = TempDir::new().unwrap();
    let node = Node::serve(folder.path(), &two_tenants(folder.path(), "", "vectors/rsa", false), &[]);
    for path in
        ["/m/x", "/openapi.json", "/docs", "/docs/x", "/media/v1/usage", "/media/v1/assets/x", "/objects/x"]
    {
        get(&format!("{}{path}", node.api), &[("authorization", ANNA.2)]).await;
    }
    get(&format!("{}/x", node.edge), &[]).await;
    get(&format!("{}/x", node.api), &[]).await;
    let text = scrape(&node).await;
    for route in
        ["/m/{id}", "/openapi.json", "/docs", "/docs/{*file}", "/media/v1/usage", "/media/v1/assets/{id}"]
            .into_iter()
            .chain(["/objects/{*path}", "edge", "unmatched"])
    {
        let count = format!("signet_http_request_duration_seconds_count{{route=\"{route}\"}}");
        assert_eq!(value(&text, &count), 1.0, "{route}");
    }
    assert_eq!(value(&text, "signet_http_request_duration_seconds_count{route=\"other\"}"), 0.0);
}
