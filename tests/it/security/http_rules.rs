//! What HTTP asks of a server, so that nobody reads a request or an answer otherwise than Signet does.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use crate::support::http::{Answer, get, get_as, parse, post, raw, send};
use crate::support::upload::{picture, ready};
use crate::support::{Node, fresh_dev, shared_dev};

const PATIENCE: Duration = Duration::from_secs(30);

/// A request over HTTP/1 with these header lines.
fn ask(base: &str, request_line: &str, lines: &str) -> Answer {
    parse(&raw(base, format!("{request_line}\r\n{lines}connection: close\r\n\r\n").as_bytes(), PATIENCE))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_names_one_server_on_every_listener() {
    let (_folder, node) = fresh_dev();
    let public = json!({"visibility": "PUBLIC"});
    let asset = ready(&node.api, &node.api_key, "a.jpg", &picture(500, 9), public).await;
    let permalink = format!("/m/{}", asset["assetId"].as_str().unwrap());
    let edge = get(&format!("{}{permalink}", node.api), &[]).await;
    let edge = edge.header("location").strip_prefix(&node.edge).unwrap().to_owned();
    let Node { api, admin, edge: edge_base, .. } = &node;
    for (base, path, status) in [
        (api, permalink.as_str(), 302),
        (api, "/m/not-an-id", 404),
        (api, "/nowhere", 404),
        (api, "/openapi.json", 200),
        (api, "/media/v1/usage", 401),
        (api, "/objects/x/y", 403),
        (edge_base, edge.as_str(), 200),
        (admin, "/readyz", 200),
    ] {
        let own = base.strip_prefix("http://").unwrap();
        let one = format!("host: {own}\r\n");
        let taken = |version: &str, lines: &str| ask(base, &format!("GET {path} {version}"), lines);
        assert_eq!(taken("HTTP/1.1", &one).status, status, "{path}");
        for lines in [
            String::new(),
            format!("{one}{one}"),
            format!("{one}Host: other.example\r\n"),
            "host:\r\n".to_owned(),
            "host: \r\n".to_owned(),
            "host: a b\r\n".to_owned(),
            "host: a.example/path\r\n".to_owned(),
            "host: user@a.example\r\n".to_owned(),
            "host: a.example?x\r\n".to_owned(),
            "host: a.example, b.example, \"\r\n".to_owned(),
            "host: \u{e9}.example\r\n".to_owned(),
        ] {
            let refused = taken("HTTP/1.1", &lines);
            let problem = refused.assert_problem(400, "invalid-header");
            assert_eq!(problem["header"], "Host", "{lines:?}");
            assert_eq!(refused.header("x-request-id"), problem["requestId"].as_str().unwrap());
            if !lines.is_empty() {
                assert_eq!(taken("HTTP/1.0", &lines).status, 400, "HTTP/1.0 {lines:?}");
            }
        }
        // The host of the absolute form is no header.
        let absolute = format!("GET http://{own}{path} HTTP/1.1");
        assert_eq!(ask(base, &absolute, "").status, 400, "{path}");
        assert_eq!(ask(base, &absolute, &one).status, status, "{path}");
        // Before HTTP/1.1 there was none. The edge needs it to know which URL was signed.
        let old = if base == edge_base { 400 } else { status };
        assert_eq!(taken("HTTP/1.0", "").status, old, "HTTP/1.0 {path}");
    }
    // A body of a refused request is read, so that the answer isn't lost; the next request is answered.
    let post = "POST /media/v1/links HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc";
    let next = format!("GET /nowhere HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", "a.example");
    let answers = String::from_utf8(raw(api, format!("{post}{next}").as_bytes(), PATIENCE)).unwrap();
    assert_eq!(
        answers.matches("HTTP/1.1 400 ").count() + answers.matches("HTTP/1.1 404 ").count(),
        2,
        "{answers}"
    );
    assert_eq!(node.terminate(), Some(0));
}

/// A field of HPACK that isn't indexed.
fn field(name: &str, value: &str) -> Vec<u8> {
    let length = |text: &str| u8::try_from(text.len()).unwrap();
    [&[0, length(name)][..], name.as_bytes(), &[length(value)], value.as_bytes()].concat()
}

/// The HPACK bytes of the head that answers `GET /nowhere` with these further fields.
fn over_http_2(base: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        [&[0, length[0], length[1], kind, flags, 0, 0, 0, stream][..], payload].concat()
    };
    let mut head = [&[0x82, 0x86][..], &field(":path", "/nowhere")].concat();
    fields.iter().for_each(|(name, value)| head.extend(field(name, value)));
    let mut socket = TcpStream::connect(base.strip_prefix("http://").unwrap()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let asked =
        [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(4, 0, 0, b"")[..], &frame(1, 5, 1, &head)].concat();
    socket.write_all(&asked).unwrap();
    loop {
        let mut start = [0; 9];
        socket.read_exact(&mut start).unwrap();
        let mut payload = vec![0; usize::from(u16::from_be_bytes([start[1], start[2]]))];
        socket.read_exact(&mut payload).unwrap();
        match start[3] {
            1 => return payload,
            3 | 7 => panic!("ended: {payload:?}"),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_over_http_2_names_one_server_too() {
    let shared = shared_dev();
    let (authority, host) = ((":authority", "a.example"), ("host", "a.example"));
    let other = ("host", "b.example");
    // 400 and 404 stand in HPACK's static table.
    const BAD_REQUEST: u8 = 0x80 | 12;
    const NOT_FOUND: u8 = 0x80 | 13;
    for (fields, status) in [
        (&[authority][..], NOT_FOUND),
        (&[host], NOT_FOUND),
        (&[authority, host], NOT_FOUND),
        (&[], BAD_REQUEST),
        (&[host, host], BAD_REQUEST),
        (&[authority, other], BAD_REQUEST),
        (&[authority, host, host], BAD_REQUEST),
        (&[("host", "a b")], BAD_REQUEST),
    ] {
        assert_eq!(over_http_2(&shared.1.api, fields)[0], status, "{fields:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_taken_for_nothing_but_what_they_say_they_are() {
    let (_folder, node) = fresh_dev();
    let (api, key) = (&node.api, node.api_key.as_str());
    let public = json!({"visibility": "PUBLIC"});
    let asset = ready(api, key, "a.jpg", &picture(500, 9), public).await;
    let id = asset["assetId"].as_str().unwrap();
    let url = |path: &str| format!("{api}{path}");
    let lines = [("authorization", key), ("content-type", "application/x-ndjson")];
    let html = "<script>alert(1)</script>";
    let answers = [
        get(&url(&format!("/m/{id}?format=json")), &[]).await,
        get_as(&url(&format!("/media/v1/assets/{id}")), key).await,
        get_as(&url("/media/v1/assets"), key).await,
        get_as(&url("/media/v1/usage"), key).await,
        post(&url("/media/v1/links"), key, json!({"keys": [html]})).await,
        post(&url("/media/v1/documents"), key, json!({"a": html})).await,
        post(&url("/media/v1/documents?report=true"), key, json!({"a": html})).await,
        send("POST", &url("/media/v1/documents"), &lines, format!("{{\"a\":\"{html}\"}}\n")).await,
        post(&url("/media/v1/cookies"), key, json!({"folder": "a/"})).await,
        get(&url("/openapi.json"), &[]).await,
        get(&url("/docs/"), &[]).await,
        get(&url("/nowhere"), &[]).await,
        get(&url("/m/not-an-id"), &[]).await,
        send("BREW", &url("/media/v1/usage"), &[], "").await,
        get_as(&url("/media/v1/usage"), "sk_guess").await,
        get(&url("/media/v1/usage"), &[]).await,
        post(&url("/media/v1/links"), key, "{").await,
        ask(api, "GET /nowhere HTTP/1.1", ""),
        get(&url("/objects/x/y"), &[]).await,
        get(&format!("{}/x/y", node.edge), &[]).await,
        get(&format!("{}/metrics", node.admin), &[]).await,
        get(&format!("{}/nowhere", node.admin), &[]).await,
    ];
    for (number, answer) in answers.iter().enumerate() {
        let told = format!("{number}: {} {:?}", answer.status, answer.headers);
        assert!(answer.headers.contains_key("content-type"), "{told}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{told}");
    }
}
