//! Nothing that was answered is lost: not by SIGKILL, not by SIGTERM, not by a restart.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::Node;
use crate::support::http::{Answer, get, get_as, parse, post};
use crate::support::upload::{finalize, picture, put, ready, ticket};

const ROUNDS: u64 = 6;
const UPLOADERS: u64 = 4;

/// Bytes that tell one upload from another.
fn content(seed: u64) -> Bytes {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        u8::try_from(state >> 56).unwrap()
    };
    let noise = std::iter::repeat_with(next).take(20_000 + usize::try_from(seed % 5).unwrap() * 40_000);
    picture(4, 0).into_iter().chain(noise).collect()
}

/// Uploads until the node is gone; notes each asset once its finalize is answered.
async fn upload_until_the_end(api: String, key: String, number: u64, done: Arc<Mutex<Vec<(String, u64)>>>) {
    for turn in 0.. {
        let seed = number * 1_000_000 + turn;
        let bytes = content(seed);
        let more = json!({"visibility": if turn % 2 == 0 { "PUBLIC" } else { "PRIVATE" }});
        let ticket = ticket(&api, &key, "a.jpg", bytes.len(), more).await;
        assert_eq!(put(&ticket, bytes).await.status, 200);
        let id = ticket["assetId"].as_str().unwrap();
        assert_eq!(finalize(&api, &key, id).await.status, 200);
        done.lock().unwrap().push((id.to_owned(), seed));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_finalized_survives_kill_9() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let done = Arc::new(Mutex::new(Vec::new()));
    let mut node = Node::dev(&data, &[]);
    for round in 0..ROUNDS {
        let already = done.lock().unwrap().len();
        let (api, key) = (node.api.clone(), node.api_key.clone());
        let uploaders: Vec<_> = (0..UPLOADERS)
            .map(|number| {
                let upload =
                    upload_until_the_end(api.clone(), key.clone(), round * UPLOADERS + number, done.clone());
                tokio::spawn(upload)
            })
            .collect();
        // Once some are done, at any moment of the others.
        while done.lock().unwrap().len() < already + 3 {
            assert!(!uploaders.iter().all(tokio::task::JoinHandle::is_finished), "nobody uploads any more");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(17 * round % 41)).await;
        node.kill();
        for uploader in uploaders {
            // It ends by the connection that breaks, and not by an answer that it didn't expect.
            let panic = uploader.await.unwrap_err().into_panic();
            let said = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            assert!(!said.starts_with("assertion"), "{said}");
        }
        node = Node::dev(&data, &[]);
        let all = done.lock().unwrap().clone();
        for (id, seed) in &all[already..] {
            let asset = get_as(&format!("{}/media/v1/assets/{id}", node.api), &node.api_key).await.json();
            assert_eq!(asset["status"], "READY", "{asset}");
            let file = get(asset["url"].as_str().unwrap(), &[]).await;
            assert!(file.status == 200 && file.body == content(*seed), "{id} isn't whole");
        }
    }
    assert!(done.lock().unwrap().len() >= usize::try_from(ROUNDS * 3).unwrap());
    // Every one that is READY has its bytes, finalize answered or not.
    let usage = get_as(&format!("{}/media/v1/usage", node.api), &node.api_key).await.json();
    let (mut count, mut query) = (0, "status=READY&limit=200".to_owned());
    loop {
        let page = get_as(&format!("{}/media/v1/assets?{query}", node.api), &node.api_key).await.json();
        for asset in page["items"].as_array().unwrap() {
            let file = get(asset["url"].as_str().unwrap(), &[]).await;
            assert_eq!((file.status, file.body.len() as u64), (200, asset["sizeBytes"].as_u64().unwrap()));
            count += 1;
        }
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        query = format!("status=READY&limit=200&cursor={cursor}");
    }
    assert_eq!(usage["count"], count);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_finds_everything_again() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let first = Node::dev(&data, &[]);
    let bytes = content(1);
    let asset = ready(&first.api, &first.api_key, "a.jpg", &bytes, json!({"visibility": "PUBLIC"})).await;
    let pending = ticket(&first.api, &first.api_key, "b.jpg", bytes.len(), json!({})).await;
    let list = get_as(&format!("{}/media/v1/assets?limit=1", first.api), &first.api_key).await.json();
    let (facts, token) = (first.facts.clone(), format!("Bearer {}", first.facts["token"].as_str().unwrap()));
    let pem = std::fs::read(data.join("keys/private.pem")).unwrap();
    assert_eq!(first.terminate(), Some(0));

    let second = Node::dev(&data, &[]);
    for name in ["apiKey", "tenant", "bucket", "keyPairId", "publicKey"] {
        assert_eq!(second.facts[name], facts[name], "{name}");
    }
    assert_eq!(std::fs::read(data.join("keys/private.pem")).unwrap(), pem);
    for credentials in [facts["apiKey"].as_str().unwrap(), &token] {
        let id = asset["assetId"].as_str().unwrap();
        let found = get_as(&format!("{}/media/v1/assets/{id}", second.api), credentials).await.json();
        assert_eq!((&found["status"], &found["createdAt"]), (&json!("READY"), &asset["createdAt"]));
        assert!(get(found["url"].as_str().unwrap(), &[]).await.body == bytes);
    }
    // A cursor holds across the restart, and so does an upload's ticket.
    let cursor = list["nextCursor"].as_str().unwrap();
    let next = get_as(&format!("{}/media/v1/assets?cursor={cursor}", second.api), &token).await;
    assert_eq!(next.status, 200, "{}", next.text());
    let mut pending = pending;
    let moved = pending["uploadUrl"].as_str().unwrap().replace(facts["api"].as_str().unwrap(), &second.api);
    pending["uploadUrl"] = json!(moved);
    let sent = put(&pending, bytes.clone()).await;
    let finalized = finalize(&second.api, &token, pending["assetId"].as_str().unwrap()).await;
    assert_eq!((sent.status, finalized.status), (200, 200), "{}", sent.text());
}

/// A request of which half has been sent.
fn half(base: &str, head: &str, body: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(base.strip_prefix("http://").unwrap()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    socket.write_all(head.as_bytes()).unwrap();
    socket.write_all(&body[..body.len() / 2]).unwrap();
    socket
}

fn rest(mut socket: TcpStream, body: &[u8]) -> Answer {
    socket.write_all(&body[body.len() / 2..]).unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    parse(&answer)
}

fn target<'a>(url: &'a str, base: &str) -> &'a str {
    url.strip_prefix(base).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sigterm_lets_uploads_and_downloads_under_way_end() {
    let folder = TempDir::new().unwrap();
    let mut node = Node::dev(&folder.path().join("data"), &[]);
    let (api, key) = (node.api.clone(), node.api_key.clone());
    // More than what the sockets between the two hold.
    let filler = (0..24_000_000_u32).map(|index| u8::try_from(index % 251).unwrap());
    let large: Bytes = picture(4, 0).into_iter().chain(filler).collect();
    let asset = ready(&api, &key, "large.jpg", &large, json!({"visibility": "PUBLIC"})).await;
    let link = asset["url"].as_str().unwrap();
    let head = format!("GET {} HTTP/1.1\r\nhost: {}\r\n\r\n", target(link, &node.edge), &node.edge[7..]);
    let mut download = half(&node.edge, &head, b"");
    let mut begun = vec![0; 1000];
    download.read_exact(&mut begun).unwrap();

    let bytes = content(7);
    let ticket = ticket(&api, &key, "b.jpg", bytes.len(), json!({})).await;
    let mut head = format!("PUT {} HTTP/1.1\r\n", target(ticket["uploadUrl"].as_str().unwrap(), &api));
    for (name, value) in ticket["headers"].as_object().unwrap() {
        head.push_str(&format!("{name}: {}\r\n", value.as_str().unwrap()));
    }
    head.push_str(&format!("host: {}\r\ncontent-length: {}\r\n\r\n", &api[7..], bytes.len()));
    let upload = half(&api, &head, &bytes);
    let document = json!({"text": "x".repeat(1000)}).to_string();
    let head = format!(
        "POST /media/v1/documents HTTP/1.1\r\nhost: x\r\nauthorization: {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        document.len()
    );
    let signing = half(&api, &head, document.as_bytes());

    node.signal("TERM");
    // It says that it isn't ready, and takes no more connections, while it finishes what it has begun.
    for _ in 0..500 {
        if TcpStream::connect(&api[7..]).is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(TcpStream::connect(&api[7..]).is_err(), "it still listens");
    assert_eq!(get(&format!("{}/readyz", node.admin), &[]).await.status, 503);

    let signed = rest(signing, document.as_bytes());
    assert_eq!((signed.status, signed.text()), (200, document.clone()));
    assert_eq!(rest(upload, &bytes).status, 200);
    download.read_to_end(&mut begun).unwrap();
    assert!(parse(&begun).body == large, "the download is whole");
    assert_eq!(node.exit_code(), Some(0));
    assert!(!node.log().contains("panicked"), "{}", node.log());
    drop(node);

    let again = Node::dev(&folder.path().join("data"), &[]);
    let finalized = finalize(&again.api, &key, ticket["assetId"].as_str().unwrap()).await;
    assert_eq!((finalized.status, &finalized.json()["status"]), (200, &json!("READY")));
    let links =
        post(&format!("{}/media/v1/links", again.api), &key, json!({"ids": [ticket["assetId"]]})).await;
    let links: Value = links.json();
    assert!(get(links["links"][0]["link"].as_str().unwrap(), &[]).await.body == bytes);
}
