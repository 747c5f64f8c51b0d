//! Pages of other origins: which may call the API from a browser, and what they can read of its answers.

use serde_json::json;
use tempfile::TempDir;

use crate::support::Node;
use crate::support::http::{Answer, get, send};
use crate::support::program::signet;
use crate::support::settings::{ANNA, two_tenants};
use crate::support::shared_dev;
use crate::support::upload::{picture, ready};

const PAGE: &str = "https://www.example.com";
const OTHER: &str = "http://localhost:5173";

fn serve(folder: &TempDir, origins: &str) -> Node {
    let settings = two_tenants(folder.path(), "path = \"{tenant}\"", "vectors/rsa", false);
    Node::serve(folder.path(), &settings, &[("SIGNET__SERVER__CORS_ORIGINS", origins)])
}

/// All values of a header, as one list in lower case.
fn list(answer: &Answer, name: &str) -> Vec<String> {
    let values = answer.headers.get_all(name).iter().flat_map(|value| value.to_str().unwrap().split(','));
    values.map(|value| value.trim().to_ascii_lowercase()).collect()
}

fn has(answer: &Answer, name: &str, wanted: &[&str]) -> bool {
    wanted.iter().all(|value| list(answer, name).contains(&(*value).to_owned()))
}

async fn preflight(node: &Node, path: &str, origin: &str, method: &str, headers: &str) -> Answer {
    let asked = [
        ("origin", origin),
        ("access-control-request-method", method),
        ("access-control-request-headers", headers),
    ];
    send("OPTIONS", &format!("{}{path}", node.api), &asked, "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_the_settings_origins_may_call_and_no_other() {
    let folder = TempDir::new().unwrap();
    let node = serve(&folder, &format!("{PAGE}, {OTHER}"));
    let wanted = "authorization,content-type,if-match,if-none-match,idempotency-key,traceparent";
    for origin in [PAGE, OTHER] {
        for (method, path) in
            [("POST", "/media/v1/uploads"), ("PATCH", "/media/v1/assets/x"), ("DELETE", "/media/v1/assets/x")]
        {
            let answer = preflight(&node, path, origin, method, wanted).await;
            assert_eq!(answer.status, 200, "nobody has to log in to ask");
            assert_eq!(answer.header("access-control-allow-origin"), origin);
            assert!(has(
                &answer,
                "access-control-allow-methods",
                &["get", "head", "post", "patch", "delete"]
            ));
            let headers: Vec<&str> = wanted.split(',').collect();
            assert!(has(&answer, "access-control-allow-headers", &headers), "{:?}", answer.headers);
            assert_eq!(answer.header("access-control-max-age"), "7200");
            assert!(has(&answer, "vary", &["origin"]));
            assert!(answer.headers.get("access-control-allow-credentials").is_none());
        }
    }
    let url = format!("{}/media/v1/usage", node.api);
    for origin in ["https://evil.example", "https://www.example.com.evil.example", "null"] {
        let answer = preflight(&node, "/media/v1/uploads", origin, "POST", wanted).await;
        assert!(answer.headers.get("access-control-allow-origin").is_none(), "{origin}");
        let answer = get(&url, &[("origin", origin), ("authorization", ANNA.2)]).await;
        assert_eq!(answer.status, 200);
        assert!(answer.headers.get("access-control-allow-origin").is_none(), "{origin}");
        assert!(
            has(&answer, "vary", &["origin"]),
            "no cache may keep this answer for a page that may read it"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_can_read_answers_and_problems_alike() {
    let folder = TempDir::new().unwrap();
    let node = serve(&folder, PAGE);
    let long = vec![b' '; 70_000];
    let json = ("content-type", "application/json");
    let key = ("authorization", ANNA.2);
    for (status, method, path, headers, body) in [
        (200, "GET", "/media/v1/usage", vec![key], vec![]),
        (200, "POST", "/media/v1/documents", vec![key, json], b"{}".to_vec()),
        (401, "GET", "/media/v1/usage", vec![], vec![]),
        (404, "GET", "/nowhere", vec![], vec![]),
        (404, "GET", "/m/med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E", vec![], vec![]),
        (405, "DELETE", "/media/v1/usage", vec![], vec![]),
        (413, "POST", "/media/v1/cookies", vec![key, json], long),
        (415, "POST", "/media/v1/links", vec![key], b"x".to_vec()),
        (422, "POST", "/media/v1/links", vec![key, json], b"[]".to_vec()),
    ] {
        let headers = [&headers[..], &[("origin", PAGE)]].concat();
        let answer = send(method, &format!("{}{path}", node.api), &headers, body).await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.header("access-control-allow-origin"), PAGE, "{method} {path}");
        let exposed = ["etag", "signet-media", "signet-stale", "retry-after", "x-request-id", "location"];
        assert!(has(&answer, "access-control-expose-headers", &exposed), "{method} {path}");
        assert!(has(&answer, "vary", &["origin"]), "{method} {path}");
        if status >= 400 {
            assert_eq!(answer.header("content-type"), "application/problem+json");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_answers_vary_by_already_stays() {
    let folder = TempDir::new().unwrap();
    let node = serve(&folder, PAGE);
    let public = json!({"visibility": "PUBLIC"});
    let asset = ready(&node.api, ANNA.2, "a.jpg", &picture(10, b'x'), public).await;
    let list_url = format!("{}/media/v1/assets", node.api);
    let answer = get(&list_url, &[("authorization", ANNA.2), ("origin", PAGE)]).await;
    assert!(has(&answer, "vary", &["authorization", "origin"]), "{:?}", answer.headers);
    let link = format!("{}/m/{}", node.api, asset["assetId"].as_str().unwrap());
    let answer = get(&link, &[("origin", PAGE)]).await;
    assert_eq!(answer.status, 302);
    assert!(has(&answer, "vary", &["accept", "origin"]), "{:?}", answer.headers);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_development_every_page_may_call() {
    let shared = shared_dev();
    let usage = format!("{}/media/v1/usage", shared.1.api);
    let answer = get(&usage, &[("authorization", &shared.1.api_key), ("origin", PAGE)]).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, "*"));
    assert!(answer.headers.get("access-control-allow-credentials").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_may_call_unless_the_settings_say_so() {
    let folder = TempDir::new().unwrap();
    let node = serve(&folder, "");
    let answer = preflight(&node, "/media/v1/uploads", PAGE, "POST", "authorization").await;
    answer.assert_problem(405, "method-not-allowed");
    let answer = get(&format!("{}/media/v1/usage", node.api), &[("origin", PAGE)]).await;
    assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control")));
    // Uploads and the description are for all pages: a signature is the permission, and nothing is secret.
    let answer = preflight(&node, "/objects/x", PAGE, "PUT", "content-type,if-none-match").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, "*"));
    let answer = get(&format!("{}/openapi.json", node.api), &[("origin", PAGE)]).await;
    assert_eq!(list(&answer, "access-control-allow-origin"), ["*"]);
}

#[test]
fn an_origin_that_no_browser_sends_keeps_it_from_starting() {
    let folder = TempDir::new().unwrap();
    let settings = two_tenants(folder.path(), "path = \"{tenant}\"", "vectors/rsa", false);
    for origin in ["https://www.example.com/", "www.example.com", "https://*.example.com"] {
        let file = folder.path().join("signet.toml");
        let head = "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n";
        let text = format!("{head}cors_origins = [\"{origin}\"]\n[cdn]\n{settings}");
        std::fs::write(&file, text).unwrap();
        for command in ["serve", "check"] {
            let run = signet(&[command, "--config", file.to_str().unwrap()], b"");
            assert_eq!(run.code, 1, "{command} {origin}");
            let said = format!("server.cors_origins: \"{origin}\" must be an origin");
            assert!(run.diagnostics.contains(&said), "{}", run.diagnostics);
        }
    }
}
