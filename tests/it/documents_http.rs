//! POST `/media/v1/documents`: every piece of media signed for the edge, reported, or refused.

use serde_json::{Value, json};

use crate::support::http::{Answer, get, max_age, post};
use crate::support::splices::{Change, changes, parse, unsigned};
use crate::support::verify::{assert_served, now, public_key};
use crate::support::{Node, fresh_dev};

const FOLDER: &str = "groupObjects/68bfac783bc7c024975c90cb/1757391992521";
/// The lifetime of links unless set, in seconds.
const TTL: u64 = 300;

async fn sign(node: &Node, query: &str, document: &str) -> Answer {
    post(&format!("{}/media/v1/documents{query}", node.api), &node.api_key, document).await
}

/// The changes of an answer, each of whose links is verified.
fn verified(node: &Node, document: &str, answer: &Answer) -> Vec<Change> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let key = public_key(node.facts["publicKey"].as_str().unwrap());
    let changes = changes(document.as_bytes(), &answer.body);
    for link in changes.iter().flat_map(Change::links) {
        assert_served(&link, &key, now());
    }
    changes
}

fn file(path: &str) -> Vec<u8> {
    std::fs::read(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_seeded_document_comes_back_with_links_that_the_edge_serves() {
    let (_folder, node) = fresh_dev();
    let document = std::fs::read_to_string(node.data.join("content.json")).unwrap();
    let before = now();
    let answer = sign(&node, "", &document).await;
    let after = now();
    let changes = verified(&node, &document, &answer);
    let places: Vec<&str> = changes.iter().map(|change| change.pointer.as_str()).collect();
    let slides = "/data/carousel/slides";
    let expected = ["/data/hero", "/data/portrait"].map(str::to_owned).into_iter();
    let expected = expected.chain(["/0/0", "/0/1", "/1/0"].map(|place| format!("{slides}{place}")));
    assert_eq!(places, expected.chain(["/data/body".to_owned()]).collect::<Vec<_>>());
    assert_eq!(answer.header("signet-media"), "found=6, signed=6, unsigned=0");
    assert_eq!(answer.header("content-type"), "application/json");

    let links: Vec<String> = changes.iter().flat_map(Change::links).collect();
    assert_eq!(links.len(), 10);
    for link in &links {
        let bare = unsigned(link);
        assert!(bare.starts_with(&format!("{}/vivreal-demo/", node.edge)), "{link}");
        let picture = get(link, &[]).await;
        assert_eq!((picture.status, picture.header("content-type")), (200, "image/jpeg"), "{link}");
        let name = bare.rsplit('/').next().unwrap();
        assert_eq!(picture.body, file(&format!("src/app/dev/seed/{name}")), "{name}");
        assert_eq!(get(&bare, &[]).await.status, 403, "{bare} is served without a signature");
    }

    let expiry = |link: &String| {
        let query = link.split_once("Expires=").unwrap().1;
        query.split('&').next().unwrap().parse::<u64>().unwrap()
    };
    let first = links.iter().map(expiry).min().unwrap();
    let age = max_age(&answer).unwrap();
    assert!((first - after - TTL / 4..=first - before - TTL / 4).contains(&age), "{age} of {first}");
    assert!(age > TTL / 4 - (after - before), "{age}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gallery_three_arrays_deep_is_wholly_signed() {
    let (_folder, node) = fresh_dev();
    let picture = |name: &str| json!({"key": format!("{FOLDER}/{name}"), "name": name});
    let row = |x, y| -> Vec<Value> { (0..3).map(|z| picture(&format!("{x}{y}{z}.jpg"))).collect() };
    let gallery: Vec<Vec<_>> = (0..3).map(|x| (0..3).map(|y| row(x, y)).collect()).collect();
    let document = json!({"gallery": gallery, "mug": [[[picture("mug.jpg")]]]}).to_string();
    let answer = sign(&node, "?strict=true", &document).await;
    let changes = verified(&node, &document, &answer);
    assert_eq!(answer.header("signet-media"), "found=28, signed=28, unsigned=0");
    let sources: Vec<String> = changes.iter().map(|change| unsigned(&change.links()[0])).collect();
    let root = format!("{}/vivreal-demo/{FOLDER}", node.edge);
    let expected = (0..27).map(|i| format!("{root}/{}{}{}.jpg", i / 9, i / 3 % 3, i % 3));
    assert_eq!(sources, expected.chain([format!("{root}/mug.jpg")]).collect::<Vec<_>>());
    assert_eq!(get(&changes[27].links()[0], &[]).await.body, file("src/app/dev/seed/mug.jpg"));
}

/// Rows of a report without what changes from call to call, after a look at that.
fn told(rows: &Value) -> Vec<Value> {
    let mut rows = rows.as_array().unwrap().clone();
    for row in rows.iter_mut().map(|row| row.as_object_mut().unwrap()) {
        if row.get("reason") == Some(&json!("invalid_derivatives")) {
            row.remove("reason");
        }
        let link = row.remove("link");
        row.remove("links");
        assert_eq!(link.is_some(), row.get("reason").is_none(), "{row:?}");
        assert_eq!(row.remove("expiresAt").is_some(), link.is_some(), "{row:?}");
    }
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fixture_is_signed_reported_and_refused_as_expected_on_either_host() {
    let (_folder, node) = fresh_dev();
    let expected = String::from_utf8(file("tests/fixtures/expected.json")).unwrap();
    for host in ["https://media.vivreal.io", &node.edge] {
        let here = |text: &str| text.replace("https://media.vivreal.io", host);
        let expected: Value = serde_json::from_str(&here(&expected)).unwrap();
        for (name, rows) in expected["files"].as_object().unwrap() {
            let document = here(std::str::from_utf8(&file(&format!("tests/fixtures/{name}"))).unwrap());
            let mut rows = rows.as_array().unwrap().clone();
            for row in rows.iter_mut().filter(|row| row["kind"] == "reference") {
                row["reason"] = json!("unknown");
            }
            let (unsigned_rows, signed): (Vec<Value>, Vec<Value>) =
                rows.iter().cloned().partition(|row| row.get("reason").is_some());
            let counts =
                format!("found={}, signed={}, unsigned={}", rows.len(), signed.len(), unsigned_rows.len());

            let plain = sign(&node, "", &document).await;
            let changes = verified(&node, &document, &plain);
            assert_eq!((changes.len(), plain.header("signet-media")), (signed.len(), &*counts), "{name}");
            for link in changes.iter().flat_map(Change::links) {
                let own = [host, &node.edge].map(|host| format!("{host}/vivreal-demo/"));
                assert!(own.iter().any(|root| link.starts_with(root)), "{name}: {link}");
            }
            assert_eq!(max_age(&plain).is_some(), !signed.is_empty());

            let report = sign(&node, "?report=true", &document).await;
            assert_eq!((report.status, report.header("signet-media")), (200, &*counts), "{name}");
            assert_eq!(told(&parse(&report.body)["media"]), rows, "{name} on {host}");
            assert_eq!(report.header("content-type"), "application/json");
            let text = report.text();
            let inner = text.strip_prefix("{\"document\":").unwrap().rsplit_once(",\"media\":").unwrap().0;
            assert_eq!(changed(&document, inner), places(&changes));

            let strict = sign(&node, "?strict=true", &document).await;
            if unsigned_rows.is_empty() {
                assert_eq!(verified(&node, &document, &strict).len(), signed.len());
            } else {
                let problem = strict.assert_problem(422, "unsigned-media");
                assert_eq!(told(&problem["unsigned"]), unsigned_rows, "{name}");
                assert_eq!(
                    (&problem["found"], &problem["signed"]),
                    (&json!(rows.len()), &json!(signed.len()))
                );
                assert_eq!(strict.header("cache-control"), "no-store");
            }
        }
    }
}

fn changed(before: &str, after: &str) -> Vec<String> {
    places(&changes(before.as_bytes(), after.as_bytes()))
}

fn places(changes: &[Change]) -> Vec<String> {
    changes.iter().map(|change| change.pointer.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_of_the_alias_is_signed_on_its_own_host() {
    let (_folder, node) = fresh_dev();
    let document = json!([
        "https://media.vivreal.io/vivreal-demo/a.jpg?w=1&Expires=1&Signature=x&Key-Pair-Id=K",
        format!("{}/vivreal-demo/{FOLDER}/mug.jpg", node.edge),
        {"key": format!("{FOLDER}/mug.jpg"), "type": "image"},
    ])
    .to_string();
    let answer = sign(&node, "?strict=true", &document).await;
    let links: Vec<String> = verified(&node, &document, &answer).iter().flat_map(Change::links).collect();
    let mug = format!("{}/vivreal-demo/{FOLDER}/mug.jpg", node.edge);
    let bare: Vec<String> = links.iter().map(|link| unsigned(link)).collect();
    assert_eq!(bare, ["https://media.vivreal.io/vivreal-demo/a.jpg?w=1", &mug, &mug]);
    assert_eq!(links[1], links[2], "one file, one link");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_without_sites_comes_back_as_the_same_bytes_and_keeps_its_type() {
    let (_folder, node) = fresh_dev();
    let document = " {\"a\" :[1.0,1e400, -0],\"a\":\"\\u00e9\\/\"}\r\n";
    let headers = [("authorization", node.api_key.as_str()), ("content-type", "application/ld+json")];
    let url = format!("{}/media/v1/documents", node.api);
    let answer = crate::support::http::send("POST", &url, &headers, document).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, document));
    assert_eq!(answer.header("content-type"), "application/ld+json");
    assert_eq!(answer.header("signet-media"), "found=0, signed=0, unsigned=0");
    assert_eq!(max_age(&answer), None);
    for query in ["?report=1", "?strict=", "?references=all", "?reprot=true", "?report=true&report=true"] {
        sign(&node, query, document).await.assert_problem(400, "invalid-query");
    }
}
