//! A ticket that is sent many times at once takes the disk space of one file.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::support::backed::until;
use crate::support::http::{get, parse};
use crate::support::multipart::{InParts, PART, SMALL_PARTS, three_parts};
use crate::support::upload::{finalize, picture, put, ticket};
use crate::support::{Node, fresh_dev};

const SENDERS: usize = 40;

/// Begins to send a body as a request says: its head, and so many bytes.
fn begin(request: &Value, body: &[u8], first: usize) -> TcpStream {
    let (host, path) =
        request["uploadUrl"].as_str().unwrap().strip_prefix("http://").unwrap().split_once('/').unwrap();
    let headers = request["headers"].as_object().unwrap();
    let headers: String =
        headers.iter().map(|(name, value)| format!("{name}: {}\r\n", value.as_str().unwrap())).collect();
    let head = format!(
        "PUT /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    );
    let mut socket = TcpStream::connect(host).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    socket.set_write_timeout(Some(Duration::from_secs(60))).unwrap();
    socket.write_all(head.as_bytes()).unwrap();
    // One that is refused may be closed before all is sent.
    let _ = socket.write_all(&body[..first]);
    socket
}

/// Sends the rest; the status and code of the answer.
fn end(mut socket: TcpStream, body: &[u8], first: usize) -> (u16, String) {
    let _ = socket.write_all(&body[first..]);
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    if answer.is_empty() {
        return (0, String::new());
    }
    let answer = parse(&answer);
    (answer.status, answer.text())
}

/// Number and bytes of the drafts.
fn drafts(node: &Node) -> (usize, u64) {
    let entries = std::fs::read_dir(drafts_of(&node.data)).unwrap();
    let sizes = entries.filter_map(|entry| entry.ok()?.metadata().ok()).map(|metadata| metadata.len());
    sizes.fold((0, 0), |(count, sum), size| (count + 1, sum + size))
}

fn drafts_of(data: &Path) -> std::path::PathBuf {
    let folders =
        [data.join("objects/drafts"), data.join("store/objects/drafts"), data.join("data/objects/drafts")];
    folders.into_iter().find(|folder| folder.exists()).expect("a folder of drafts")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn uploads_of_one_ticket_at_once_make_one_draft() {
    let (_folder, node) = fresh_dev();
    let bytes = picture(1024 * 1024, 1);
    let ticket =
        ticket(&node.api, &node.api_key, "a.jpg", bytes.len(), json!({"visibility": "PUBLIC"})).await;
    let half = bytes.len() / 2;
    let mut sockets: Vec<TcpStream> = vec![begin(&ticket, &bytes, half)];
    until(async || drafts(&node).1 > 0).await;
    sockets.extend((1..SENDERS).map(|_| begin(&ticket, &bytes, half)));
    // The others are refused while the first one is still sending.
    let first = sockets.remove(0);
    for socket in sockets {
        let (status, text) = end(socket, &bytes, half);
        assert_eq!(status, 409, "{text}");
        assert!(text.contains("<Code>ConditionalRequestConflict</Code>"), "{text}");
        let (count, size) = drafts(&node);
        assert!(count == 1 && size <= bytes.len() as u64, "{count} drafts, {size} bytes");
    }
    assert_eq!(end(first, &bytes, half).0, 200);
    assert_eq!(put(&ticket, bytes.clone()).await.status, 412);
    let asset = finalize(&node.api, &node.api_key, ticket["assetId"].as_str().unwrap()).await.json();
    assert_eq!(get(asset["url"].as_str().unwrap(), &[]).await.body, bytes);
    assert_eq!(drafts(&node).0, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_upload_that_hangs_up_frees_its_place() {
    let (_folder, node) = fresh_dev();
    let bytes = picture(100_000, 1);
    let ticket = ticket(&node.api, &node.api_key, "a.jpg", bytes.len(), json!({})).await;
    for _ in 0..3 {
        let socket = begin(&ticket, &bytes, 50_000);
        until(async || drafts(&node).0 == 1).await;
        drop(socket);
        until(async || drafts(&node).0 == 0).await;
    }
    assert_eq!(put(&ticket, bytes).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parts_of_one_number_at_once_make_one_draft() {
    let folder = tempfile::TempDir::new().unwrap();
    let node = Node::dev(&folder.path().join("data"), &SMALL_PARTS);
    let large = three_parts();
    let upload = InParts::begin(&node.api, &node.api_key, &large).await;
    let part = upload.ticket["multipart"]["parts"][0].clone();
    let bytes = &large[..PART];
    let first = begin(&part, bytes, 1_000_000);
    until(async || drafts(&node).1 > 0).await;
    for _ in 0..5 {
        let (status, text) = end(begin(&part, bytes, 0), bytes, 0);
        assert_eq!(status, 409, "{text}");
        assert_eq!(drafts(&node).0, 1);
    }
    assert_eq!(end(first, bytes, 1_000_000).0, 200);
    let tags = upload.send_all(&large).await;
    assert_eq!(upload.complete(&tags).await.status, 200);
}
