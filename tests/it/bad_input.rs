//! Whatever comes in: a clear problem, never a panic, never a hang, nothing lost.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::http::{get_as, parse, patch, post, raw, raw_request, send};
use crate::support::{Node, shared_dev};

const ID: &str = "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E";
const POSTS: [&str; 4] = ["/media/v1/links", "/media/v1/cookies", "/media/v1/uploads", "/media/v1/documents"];

struct Server(Arc<(TempDir, Node)>);

impl Server {
    fn node(&self) -> &Node {
        &self.0.1
    }

    fn key(&self) -> &str {
        &self.node().api_key
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.node().api)
    }

    /// The server still answers as it should, and nothing in it has panicked.
    async fn assert_well(&self) {
        assert_eq!(get_as(&self.url("/media/v1/assets"), self.key()).await.status, 200);
        let log = self.node().log();
        assert!(!log.contains("panicked"), "{log}");
    }
}

fn server() -> Server {
    Server(shared_dev())
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_not_json_are_400() {
    let server = server();
    for path in POSTS {
        for body in [
            "",
            " ",
            "{",
            "{\"ids\":[\"",
            "nul",
            "{'a':1}",
            "{\"a\":01}",
            "{} {}",
            "\u{feff}{}",
            "\0",
            "[1,]",
        ] {
            let answer = post(&server.url(path), server.key(), body).await;
            answer.assert_problem(400, "malformed-json");
        }
        let headers = [("authorization", server.key()), ("content-type", "application/json")];
        let answer = send("POST", &server.url(path), &headers, &b"{\"\xff\":1}"[..]).await;
        answer.assert_problem(400, "malformed-json");
    }
    let patched = patch(&server.url(&format!("/media/v1/assets/{ID}")), server.key(), "{").await;
    patched.assert_problem(400, "malformed-json");
    server.assert_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_cut_off_by_the_client_are_no_hang() {
    let server = server();
    for path in POSTS {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\ncontent-type: application/json\r\n\
             content-length: 100\r\n\r\n{{\"ids\":[",
            server.key()
        );
        // The client goes away in the middle: nobody is there to be answered.
        raw(&server.node().api, request.as_bytes(), Duration::from_millis(50));
        let chunked = request.replace("content-length: 100", "transfer-encoding: chunked");
        raw(&server.node().api, chunked.as_bytes(), Duration::from_millis(50));
    }
    for garbage in [&b"\x16\x03\x01\x02\x00"[..], b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", &[0; 4096]] {
        raw(&server.node().api, garbage, Duration::from_millis(200));
        raw(&server.node().edge, garbage, Duration::from_millis(200));
    }
    server.assert_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_are_wrong_are_422_and_named() {
    let server = server();
    let upload = |change: Value| {
        let mut body = json!({"filename": "a.png", "contentType": "image/png", "sizeBytes": 1});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        body
    };
    for (path, body, pointer) in [
        ("links", json!([]), ""),
        ("links", json!("x"), ""),
        ("links", json!({"ids": "x"}), "/ids"),
        ("links", json!({"ids": [1]}), "/ids/0"),
        ("links", json!({"keys": ["a", null]}), "/keys/1"),
        ("links", json!({"uris": []}), "/uris"),
        ("cookies", json!({}), ""),
        ("cookies", json!({"folder": 1}), "/folder"),
        ("cookies", json!({"folder": "a/", "ttl": 1}), "/ttl"),
        ("uploads", json!({}), ""),
        ("uploads", upload(json!({"sizeBytes": "1"})), "/sizeBytes"),
        ("uploads", upload(json!({"sizeBytes": -1})), "/sizeBytes"),
        ("uploads", upload(json!({"sizeBytes": 0})), "/sizeBytes"),
        ("uploads", upload(json!({"sizeBytes": 1e300})), "/sizeBytes"),
        ("uploads", upload(json!({"sizeBytes": 104_857_601})), "/sizeBytes"),
        ("uploads", upload(json!({"filename": ""})), "/filename"),
        ("uploads", upload(json!({"contentType": "text/html"})), "/contentType"),
        ("uploads", upload(json!({"contentType": "image/svg+xml"})), "/contentType"),
        ("uploads", upload(json!({"contentType": "x"})), "/contentType"),
        ("uploads", upload(json!({"visibility": "public"})), "/visibility"),
        ("uploads", upload(json!({"checksum": "abc"})), "/checksum"),
        ("uploads", upload(json!({"metadata": []})), "/metadata"),
        ("uploads", upload(json!({"metadata": {"a": "x".repeat(17_000)}})), "/metadata"),
        ("uploads", upload(json!({"tenantId": "t_other"})), "/tenantId"),
    ] {
        let answer = post(&server.url(&format!("/media/v1/{path}")), server.key(), &body).await;
        let problem = answer.assert_problem(422, "invalid-field");
        assert_eq!(problem["pointer"], pointer, "{body}: {problem}");
    }
    for body in [json!({"status": "READY"}), json!({"metadata": 1}), json!({"visibility": "SECRET"})] {
        let answer = patch(&server.url(&format!("/media/v1/assets/{ID}")), server.key(), &body).await;
        answer.assert_problem(422, "invalid-field");
    }
    let deep = "[".repeat(200) + &"]".repeat(200);
    post(&server.url("/media/v1/documents"), server.key(), &deep).await.assert_problem(422, "too-deep");
    for path in ["links", "cookies", "uploads"] {
        let answer = post(&server.url(&format!("/media/v1/{path}")), server.key(), &deep).await;
        assert!(matches!(answer.status, 400 | 422), "{}", answer.text());
    }
    server.assert_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn huge_bodies_are_413_and_the_answer_arrives() {
    let server = server();
    for (path, size) in [
        ("/media/v1/cookies", 65_537),
        ("/media/v1/uploads", 1_000_000),
        ("/media/v1/links", 10 * 1024 * 1024 + 1),
        ("/media/v1/documents", 16 * 1024 * 1024 + 1),
    ] {
        for framing in [format!("content-length: {size}"), "transfer-encoding: chunked".to_owned()] {
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\ncontent-type: application/json\r\n\
                 connection: close\r\n{framing}\r\n\r\n",
                server.key()
            );
            let mut request = head.into_bytes();
            if framing.starts_with("transfer") {
                request.extend(format!("{size:x}\r\n").as_bytes());
            }
            request.extend(std::iter::repeat_n(b' ', size));
            if framing.starts_with("transfer") {
                request.extend(b"\r\n0\r\n\r\n");
            }
            let api = server.node().api.clone();
            let answer = tokio::task::spawn_blocking(move || raw(&api, &request, Duration::from_secs(20)))
                .await
                .unwrap();
            let problem = parse(&answer).assert_problem(413, "body-too-large");
            assert!(problem["limit"].as_u64().unwrap() < size as u64);
        }
    }
    server.assert_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_media_types_and_encodings_are_415() {
    let server = server();
    for path in POSTS {
        for content_type in
            ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json"]
        {
            let mut headers = vec![("authorization", server.key())];
            if !content_type.is_empty() {
                headers.push(("content-type", content_type));
            }
            let answer = send("POST", &server.url(path), &headers, "{}").await;
            answer.assert_problem(415, "unsupported-media-type");
        }
        let headers = [("authorization", server.key()), ("content-type", "application/json")];
        let zip = [&headers[..], &[("content-encoding", "compress")]].concat();
        send("POST", &server.url(path), &zip, "{}").await.assert_problem(415, "unsupported-encoding");
        let corrupt = [&headers[..], &[("content-encoding", "gzip")]].concat();
        send("POST", &server.url(path), &corrupt, "{}").await.assert_problem(400, "corrupt-body");
    }
    server.assert_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_ids_paths_methods_and_parameters_are_told_apart() {
    let server = server();
    let lower = ID.to_lowercase();
    for id in [
        ID,
        "med_",
        "x",
        "01JC8Z3V5N7Q9R1T3W5Y7A9C1E",
        &lower,
        "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1EX",
        "%ff",
        "%00",
    ] {
        for path in [format!("/m/{id}"), format!("/media/v1/assets/{id}")] {
            get_as(&server.url(&path), server.key()).await.assert_problem(404, "asset-not-found");
        }
        let finalize = server.url(&format!("/media/v1/uploads/{id}/finalize"));
        post(&finalize, server.key(), "").await.assert_problem(404, "asset-not-found");
    }
    for path in [
        "/",
        "/m",
        "/m/",
        "/media/v1",
        "/media/v2/links",
        "/media/v1/links/",
        "/media/v1/assets/a/b",
        "/..",
        "//m/x",
    ] {
        raw_request(&server.node().api, "GET", path, &[]).assert_problem(404, "not-found");
    }
    for (method, path, allow) in [
        ("GET", "/media/v1/links", "POST"),
        ("DELETE", "/media/v1/documents", "POST"),
        ("PUT", "/media/v1/uploads", "POST"),
        ("POST", "/media/v1/assets", "GET,HEAD"),
        ("POST", "/m/x", "GET,HEAD"),
        ("POST", "/media/v1/assets/x", "GET,HEAD,PATCH,DELETE"),
        ("GET", "/media/v1/uploads/x/finalize", "POST"),
        ("GET", "/media/v1/uploads/x", "DELETE"),
        ("POST", "/media/v1/uploads/x/parts", "GET,HEAD"),
        ("BREW", "/media/v1/usage", "GET,HEAD"),
    ] {
        let answer = send(method, &server.url(path), &[("authorization", server.key())], "").await;
        answer.assert_problem(405, "method-not-allowed");
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
    }
    for (query, parameter) in [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=ten", "limit"),
        ("limit=1&limit=2", "limit"),
        ("visibility=SECRET", "visibility"),
        ("status=GONE", "status"),
        ("contentType=png", "contentType"),
        ("cursor=x", "cursor"),
        ("cursor=", "cursor"),
        ("page=2", "page"),
        ("limit=%ff", "limit"),
    ] {
        let answer = get_as(&server.url(&format!("/media/v1/assets?{query}")), server.key()).await;
        assert_eq!(answer.assert_problem(400, "invalid-query")["parameter"], parameter, "{query}");
    }
    for path in ["/media/v1/usage?x=1".to_owned(), format!("/m/{ID}?w=0"), format!("/m/{ID}?format=xml")] {
        get_as(&server.url(&path), server.key()).await.assert_problem(400, "invalid-query");
    }
    post(&server.url("/media/v1/documents?strict=yes"), server.key(), "{}")
        .await
        .assert_problem(400, "invalid-query");
    server.assert_well().await;
}
