//! Documents that are too large, too deep, no JSON, or of another type: each a clear problem.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use async_compression::Level;
use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder, ZstdEncoder};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use crate::support::http::{Answer, get, post, send};
use crate::support::splices::changes;
use crate::support::{Node, fresh_dev};

const LIMIT: usize = 16 * 1024 * 1024;
const ENCODINGS: [&str; 3] = ["gzip", "br", "zstd"];

async fn compress(encoding: &str, plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let level = Level::Fastest;
    match encoding {
        "gzip" => GzipEncoder::with_quality(plain, level).read_to_end(&mut out).await.unwrap(),
        "br" => BrotliEncoder::with_quality(plain, level).read_to_end(&mut out).await.unwrap(),
        _ => ZstdEncoder::with_quality(plain, level).read_to_end(&mut out).await.unwrap(),
    };
    out
}

async fn send_as(node: &Node, headers: &[(&str, &str)], body: impl Into<bytes::Bytes>) -> Answer {
    let headers = [&[("authorization", node.api_key.as_str())], headers].concat();
    send("POST", &format!("{}/media/v1/documents", node.api), &headers, body).await
}

async fn encoded(node: &Node, encoding: &str, body: Vec<u8>) -> Answer {
    send_as(node, &[("content-type", "application/json"), ("content-encoding", encoding)], body).await
}

async fn plain(node: &Node, body: impl ToString) -> Answer {
    post(&format!("{}/media/v1/documents", node.api), &node.api_key, body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_document_is_signed_and_a_bomb_is_refused() {
    let (_folder, node) = fresh_dev();
    let document = std::fs::read(node.data.join("content.json")).unwrap();
    let bomb = vec![b' '; LIMIT + 1];
    for encoding in ENCODINGS {
        let signed = encoded(&node, encoding, compress(encoding, &document).await).await;
        assert_eq!((signed.status, changes(&document, &signed.body).len()), (200, 6), "{encoding}");
        let body = compress(encoding, &bomb).await;
        assert!(body.len() < LIMIT / 100, "{encoding}");
        let problem = encoded(&node, encoding, body).await.assert_problem(413, "body-too-large");
        assert_eq!(problem["limit"], LIMIT, "{encoding}");
        let mut cut = compress(encoding, &document).await;
        cut.truncate(cut.len() / 2);
        for body in [cut, b"{}".to_vec()] {
            encoded(&node, encoding, body).await.assert_problem(400, "corrupt-body");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_lines_are_signed_and_what_is_cut_off_ends_with_a_problem() {
    let (_folder, node) = fresh_dev();
    let line = r#"{"logo":{"key":"a/logo.png","name":"Logo"}}"#;
    let plain = format!("{line}\n[\n").repeat(2_000);
    for encoding in ENCODINGS {
        let headers = [("content-type", "application/x-ndjson"), ("content-encoding", encoding)];
        let mut body = compress(encoding, plain.as_bytes()).await;
        let answer = send_as(&node, &headers, body.clone()).await;
        let text = answer.text();
        let answers: Vec<&str> = text.lines().collect();
        assert_eq!((answer.status, answers.len()), (200, 4_000), "{encoding}");
        for pair in answers.chunks(2) {
            assert_eq!(changes(line.as_bytes(), pair[0].as_bytes()).len(), 1, "{encoding}");
            assert!(pair[1].contains("urn:signet:problem:malformed-json"), "{encoding}");
        }
        body.truncate(body.len() / 2);
        let cut = send_as(&node, &headers, body).await;
        let text = cut.text();
        let last = text.lines().last().unwrap();
        assert!(cut.status == 200 && last.contains("urn:signet:problem:corrupt-body"), "{encoding}: {last}");
    }
}

/// Sends a head and a part of a body by hand, and reads the answer.
fn by_hand(node: &Node, length: &str, body: &[u8]) -> String {
    let mut request = Vec::new();
    let host = node.api.strip_prefix("http://").unwrap();
    write!(
        request,
        "POST /media/v1/documents HTTP/1.1\r\nhost: {host}\r\nauthorization: {}\r\n\
         content-type: application/json\r\nconnection: close\r\n{length}\r\n\r\n",
        node.api_key
    )
    .unwrap();
    request.extend_from_slice(body);
    let answer = crate::support::http::raw(&node.api, &request, Duration::from_secs(30));
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_refused_with_its_length_said_or_not() {
    let (_folder, node) = fresh_dev();
    let mut largest = vec![b' '; LIMIT];
    largest[..2].copy_from_slice(b"[]");
    let json = [("content-type", "application/json")];
    let answer = send_as(&node, &json, largest.clone()).await;
    assert_eq!((answer.status, answer.body.len()), (200, LIMIT), "exactly the limit is signed");
    // Who asks first, as curl does with large bodies, needn't send it at all.
    let ask = format!("expect: 100-continue\r\ncontent-length: {}", LIMIT + 1);
    let said = by_hand(&node, &ask, b"");
    let mut chunk = format!("{:x}\r\n", LIMIT + 1).into_bytes();
    chunk.extend_from_slice(&largest);
    chunk.extend_from_slice(b" \r\n0\r\n\r\n");
    let unsaid = by_hand(&node, "transfer-encoding: chunked", &chunk);
    for answer in [said, unsaid] {
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(
            answer.contains("urn:signet:problem:body-too-large") && answer.contains("\"limit\":16777216")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_whose_link_would_be_too_long_stays_alone_unsigned() {
    let (_folder, node) = fresh_dev();
    let url = format!("https://media.vivreal.io/vivreal-demo/a.jpg?q={}", "x".repeat(7_900));
    let file = json!({"key": "a/b.jpg", "type": "image"});
    let answer = plain(&node, json!([url, file])).await;
    assert_eq!((answer.status, answer.header("signet-media")), (200, "found=2, signed=1, unsigned=1"));
    let signed: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(signed[0], url);
    let url = format!("{}/media/v1/documents?strict=true", node.api);
    let problem =
        post(&url, &node.api_key, json!([signed[0]]).to_string()).await.assert_problem(422, "unsigned-media");
    assert_eq!(problem["unsigned"][0]["reason"], "invalid_url");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_up_is_signed_for_no_further() {
    let (_folder, node) = fresh_dev();
    let files: Vec<Value> =
        (0..15_000).map(|n| json!({"key": format!("cold/{n}.jpg"), "type": "image"})).collect();
    let body = json!(files).to_string();
    let mut socket = TcpStream::connect(node.api.strip_prefix("http://").unwrap()).unwrap();
    write!(
        socket,
        "POST /media/v1/documents HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        node.api_key,
        body.len()
    )
    .unwrap();
    let begun = Instant::now();
    while signatures(&node).await < 50 {
        assert!(begun.elapsed() < Duration::from_secs(60), "it isn't signed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(socket);
    let mut made = signatures(&node).await;
    loop {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = signatures(&node).await;
        if now == made {
            break;
        }
        made = now;
    }
    assert!(made < 15_000, "all {made} were signed for nobody");
}

async fn signatures(node: &Node) -> u64 {
    let metrics = get(&format!("{}/metrics", node.admin), &[]).await.text();
    let lines = metrics.lines().filter(|line| line.starts_with("signet_signatures_total{"));
    lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn depth_and_links_are_limited() {
    let (_folder, node) = fresh_dev();
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert_eq!(plain(&node, nested(128)).await.text(), nested(128));
    let problem = plain(&node, nested(129)).await.assert_problem(422, "too-deep");
    assert_eq!((&problem["limit"], &problem["offset"]), (&json!(128), &json!(128)));

    let url = "https://media.vivreal.io/vivreal-demo/a.jpg";
    let answer = plain(&node, json!(vec![url; 20_000])).await;
    assert_eq!(
        (answer.status, answer.header("signet-media")),
        (200, "found=20000, signed=20000, unsigned=0")
    );
    let problem = plain(&node, json!(vec![url; 20_001])).await.assert_problem(422, "too-many-links");
    assert_eq!(problem["limit"], 20_000);
    // Each derivative wants a link of its own.
    let widths: Vec<u32> = (1..=16).collect();
    let meta = json!({"derivatives": widths, "derivativeFormat": "jpg"});
    let pictures = vec![json!({"key": "a/b.jpg", "type": "image", "meta": meta}); 1_177];
    plain(&node, json!(pictures)).await.assert_problem(422, "too-many-links");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_json_is_refused_with_its_place() {
    let (_folder, node) = fresh_dev();
    for (body, offset, line, column) in [
        ("", 0, 1, 1),
        ("{\"a\": 1,}", 8, 1, 9),
        ("[1, 2", 5, 1, 6),
        ("{\n \"größe\" 1}", 13, 2, 10),
        ("\u{feff}[]", 0, 1, 1),
        ("[] []", 3, 1, 4),
        ("[01]", 2, 1, 3),
        ("{'a':1}", 1, 1, 2),
        ("nul", 0, 1, 1),
    ] {
        let problem = plain(&node, body).await.assert_problem(400, "malformed-json");
        let place = [&problem["offset"], &problem["line"], &problem["column"]].map(Value::as_u64);
        assert_eq!(place, [offset, line, column].map(Some), "{body:?}");
        assert!(problem["detail"].as_str().unwrap().contains("expected"), "{problem}");
    }
    let bytes: [&[u8]; 2] = [b"[\"\xff\"]", b"\xfe\xff\x00["];
    for bytes in bytes {
        let answer = send_as(&node, &[("content-type", "application/json")], bytes.to_vec()).await;
        answer.assert_problem(400, "malformed-json");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_media_types_and_encodings_are_415() {
    let (_folder, node) = fresh_dev();
    for media_type in
        ["text/plain", "text/json", "application/xml", "application/json; charset=latin1", "json", ""]
    {
        let headers = [("content-type", media_type)];
        let headers = if media_type.is_empty() { &[][..] } else { &headers[..] };
        let problem = send_as(&node, headers, "[]").await.assert_problem(415, "unsupported-media-type");
        assert_eq!(problem["supported"], json!(["application/json", "application/x-ndjson"]));
    }
    for encoding in ["deflate", "gzip, gzip", "compress", "lzma"] {
        let answer = encoded(&node, encoding, b"[]".to_vec()).await;
        answer.assert_problem(415, "unsupported-encoding");
        assert_eq!(answer.header("accept-encoding"), "gzip, br, zstd");
    }
    assert_eq!(encoded(&node, "identity", b"[]".to_vec()).await.text(), "[]");
}
