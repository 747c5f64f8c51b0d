//! Large files, sent in parts.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::support::Node;
use crate::support::http::{get, get_as, parse, send};
use crate::support::multipart::{InParts, PART, SMALL_PARTS, send_part, three_parts};
use crate::support::program::run as ended;
use crate::support::settings::{ANNA, two_tenants};
use crate::support::upload::{finalize, picture};

fn dev() -> (TempDir, Node) {
    let folder = TempDir::new().unwrap();
    let node = Node::dev(&folder.path().join("data"), &SMALL_PARTS);
    (folder, node)
}

/// How many uploads in parts the store knows.
fn uploads(data: &Path) -> usize {
    std::fs::read_dir(data.join("objects/parts")).unwrap().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_parts_become_one_file() {
    let (_folder, node) = dev();
    let (api, key, content) = (node.api.as_str(), node.api_key.as_str(), three_parts());
    let upload = InParts::begin(api, key, &content).await;
    let ticket = &upload.ticket;
    assert_eq!((&ticket["uploadUrl"], &ticket["headers"]), (&Value::Null, &Value::Null));
    assert_eq!((&ticket["method"], &ticket["expiresInSeconds"]), (&json!("PUT"), &json!(86_400)));
    assert_eq!(ticket["storageKey"], format!("t_demo/{}/large.jpg", upload.id));
    let multipart = &ticket["multipart"];
    assert_eq!(
        (&multipart["partSizeBytes"], &multipart["partCount"], &multipart["nextAfter"]),
        (&json!(PART), &json!(3), &Value::Null)
    );
    let sizes: Vec<_> =
        multipart["parts"].as_array().unwrap().iter().map(|part| &part["sizeBytes"]).collect();
    assert_eq!(sizes, [&json!(PART), &json!(PART), &json!(100_004)]);
    let first = &multipart["parts"][0];
    let url = first["uploadUrl"].as_str().unwrap();
    assert!(url.contains("?partNumber=1&uploadId=") && url.contains("&X-Amz-Expires=900&"), "{url}");
    assert_eq!((&first["uploaded"], &first["etag"]), (&json!(false), &Value::Null));

    // As a browser does: from another origin, and the ETag is for its eyes.
    let origin = [("origin", "https://app.example"), ("access-control-request-method", "PUT")];
    let preflight = send("OPTIONS", url, &origin, "").await;
    assert_eq!(preflight.status, 204);
    assert!(preflight.header("access-control-allow-methods").contains("PUT"));
    let tags = upload.send_all(&content).await;
    let again = send_part(&multipart["parts"][2], &content).await;
    assert_eq!(again.header("etag"), tags["parts"][2]["etag"].as_str().unwrap());
    assert!(again.header("access-control-expose-headers").contains("etag"));

    let early = finalize(api, key, &upload.id).await.assert_problem(409, "not-uploaded");
    assert!(early["detail"].as_str().unwrap().contains("/complete"), "{early}");
    let asset = upload.complete(&tags).await;
    assert_eq!(asset.status, 200, "{}", asset.text());
    assert!(asset.header("etag").starts_with(&format!("\"{}.", upload.id)), "{:?}", asset.headers);
    let asset = asset.json();
    assert_eq!((&asset["status"], &asset["checksum"]), (&json!("READY"), &Value::Null));
    let file = get(asset["url"].as_str().unwrap(), &[]).await;
    assert!(file.status == 200 && file.body == content, "the bytes are the same");
    assert_eq!(uploads(&node.data), 0);

    for repeat in [upload.complete(&tags).await, finalize(api, key, &upload.id).await] {
        assert_eq!((repeat.status, &repeat.json()["assetId"]), (200, &asset["assetId"]));
    }
    let problem = upload.parts("").await.assert_problem(409, "status-conflict");
    assert_eq!(problem["assetStatus"], "READY");
    upload.give_up().await.assert_problem(409, "status-conflict");
    assert_eq!(get(asset["url"].as_str().unwrap(), &[]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_starts_again_sends_what_is_missing() {
    let (_folder, node) = dev();
    let content = three_parts();
    let upload = InParts::begin(&node.api, &node.api_key, &content).await;
    let second = upload.send(&upload.ticket["multipart"]["parts"][1], &content).await;

    // All that the client has kept is the asset's id.
    let page = upload.parts("").await;
    assert_eq!((page.status, page.header("cache-control")), (200, "no-store"));
    let page = page.json();
    assert_eq!((page["parts"].as_array().unwrap().len(), &page["nextAfter"]), (3, &Value::Null));
    let there = json!({"partNumber": 2, "sizeBytes": PART, "uploaded": true, "etag": second});
    assert_eq!(page["parts"][1], there, "what is there needs no request");

    let (mut tags, mut after) = (Vec::new(), 0);
    loop {
        let page = upload.parts(&format!("?limit=1&after={after}")).await.json();
        let part = &page["parts"][0];
        let etag = match part["uploaded"].as_bool().unwrap() {
            true => part["etag"].as_str().unwrap().to_owned(),
            false => upload.send(part, &content).await,
        };
        tags.push(json!({"partNumber": part["partNumber"], "etag": etag}));
        let Some(next) = page["nextAfter"].as_u64() else { break };
        after = next;
    }
    let page = upload.parts("").await.json();
    let listed: Vec<_> = page["parts"].as_array().unwrap().iter().map(|part| &part["etag"]).collect();
    assert_eq!(listed, tags.iter().map(|tag| &tag["etag"]).collect::<Vec<_>>());
    assert_eq!(upload.parts("?after=3").await.json(), json!({"parts": [], "nextAfter": null}));
    for bad in ["?after=10001", "?limit=0", "?limit=1001", "?again=x", "?more=1"] {
        upload.parts(bad).await.assert_problem(400, "invalid-query");
    }
    let asset = upload.complete(&json!({"parts": tags})).await;
    assert_eq!(asset.status, 200, "{}", asset.text());
    assert!(get(asset.json()["url"].as_str().unwrap(), &[]).await.body == content);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_sent_again_counts() {
    let (_folder, node) = dev();
    let (old, content) = (three_parts(), three_parts());
    let upload = InParts::begin(&node.api, &node.api_key, &content).await;
    let stale = upload.send_all(&old).await;
    let page = upload.parts("?again=true").await.json();
    assert!(page["parts"].as_array().unwrap().iter().all(|part| part["uploaded"] == true));
    let mut tags = stale.clone();
    for (index, part) in page["parts"].as_array().unwrap().iter().enumerate() {
        tags["parts"][index]["etag"] = json!(upload.send(part, &content).await);
    }
    let problem = upload.complete(&stale).await.assert_problem(422, "invalid-field");
    assert_eq!(problem["pointer"], "/parts/0/etag");
    let asset = upload.complete(&tags).await.json();
    assert!(get(asset["url"].as_str().unwrap(), &[]).await.body == content);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_that_are_wrong_are_named_and_the_upload_goes_on() {
    let (_folder, node) = dev();
    let content = three_parts();
    let upload = InParts::begin(&node.api, &node.api_key, &content).await;
    let parts = &upload.ticket["multipart"]["parts"];
    let [first, third] = [upload.send(&parts[0], &content).await, upload.send(&parts[2], &content).await];
    let tag = |number: u32, etag: &str| json!({"partNumber": number, "etag": etag});
    let cases = [
        (vec![tag(1, &first), tag(2, "\"x\""), tag(3, &third)], "/parts/1/partNumber"),
        (vec![tag(1, &third), tag(2, "\"x\""), tag(3, &third)], "/parts/0/etag"),
        (vec![tag(1, &first), tag(3, &third)], "/parts/1/partNumber"),
        (vec![tag(1, &first)], "/parts"),
        (vec![], "/parts"),
        (vec![tag(3, &third), tag(1, &first)], "/parts/0/partNumber"),
        (vec![tag(1, "")], "/parts/0/etag"),
        (vec![tag(1, &"x".repeat(129))], "/parts/0/etag"),
        (vec![tag(65_536, "x")], "/parts/0/partNumber"),
        (vec![json!({"partNumber": 1, "etag": "x", "size": 1})], "/parts/0/size"),
        (vec![json!({"partNumber": 1})], "/parts/0"),
    ];
    for (tags, pointer) in cases {
        let problem = upload.complete(&json!({"parts": tags})).await.assert_problem(422, "invalid-field");
        assert_eq!(problem["pointer"], pointer, "{problem}");
    }
    let many: Vec<_> = (0..10_001).map(|_| tag(1, "x")).collect();
    let problem = upload.complete(&json!({"parts": many})).await.assert_problem(422, "too-many-items");
    assert_eq!((&problem["limit"], &problem["found"]), (&json!(10_000), &json!(10_001)));
    upload.complete(&json!({"parts": "x".repeat(3 << 20)})).await.assert_problem(413, "body-too-large");

    // What a part's URL binds, it binds.
    let url = parts[1]["uploadUrl"].as_str().unwrap();
    let body = || content.slice(PART..2 * PART);
    for (url, body) in [
        (url.replace("partNumber=2", "partNumber=1"), body()),
        (url.replace("X-Amz-Expires=900", "X-Amz-Expires=9000"), body()),
        (url.to_owned(), content.slice(PART..2 * PART - 1)),
        (url.to_owned(), content.slice(PART..2 * PART + 1)),
    ] {
        let refused = send("PUT", &url, &[], body).await;
        assert!(refused.status == 403 && refused.text().contains("<Code>AccessDenied"), "{}", refused.text());
    }
    let second = upload.send(&parts[1], &content).await;
    // Quotes are no part of a tag, for all that clients strip them.
    let tags = json!({"parts": [tag(1, first.trim_matches('"')), tag(2, &second), tag(3, &third)]});
    assert_eq!(upload.complete(&tags).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_sends_a_whole_part_sees_why_it_is_refused() {
    let (_folder, node) = dev();
    let host = node.api.strip_prefix("http://").unwrap();
    let answer = tokio::task::block_in_place(|| {
        let mut socket = TcpStream::connect(host).unwrap();
        // As large as parts are where nothing is set.
        let path = "/objects/vivreal-demo/a.jpg?partNumber=1&uploadId=x";
        let length = 16 << 20;
        write!(socket, "PUT {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n\r\n").unwrap();
        for _ in 0..16 {
            socket.write_all(&vec![7; length / 16]).expect("somebody reads it");
            // So that an early end is seen.
            sleep(Duration::from_millis(20));
        }
        socket.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).unwrap();
        parse(&answer)
    });
    assert!(answer.status == 403 && answer.text().contains("<Code>AccessDenied"), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_up_is_gone() {
    let (_folder, node) = dev();
    let (api, key, content) = (node.api.as_str(), node.api_key.as_str(), three_parts());
    let upload = InParts::begin(api, key, &content).await;
    let tags = upload.send_all(&content).await;
    assert_eq!(uploads(&node.data), 1);
    for _ in 0..2 {
        let given_up = upload.give_up().await;
        assert_eq!((given_up.status, given_up.body.len()), (204, 0));
    }
    assert_eq!(uploads(&node.data), 0);
    let late = send_part(&upload.ticket["multipart"]["parts"][0], &content).await;
    assert!(late.status == 404 && late.text().contains("<Code>NoSuchUpload"), "{}", late.text());
    upload.parts("").await.assert_problem(409, "ticket-expired");
    upload.complete(&tags).await.assert_problem(409, "ticket-expired");
    finalize(api, key, &upload.id).await.assert_problem(409, "ticket-expired");
    let asset = get_as(&format!("{api}/media/v1/assets/{}", upload.id), key).await.json();
    assert_eq!(asset["status"], "EXPIRED");

    // A file that is sent whole is given up the same way, but has no parts.
    let bytes = picture(100, 1);
    let whole = InParts::begin(api, key, &bytes).await;
    whole.parts("").await.assert_problem(409, "sent-whole");
    whole.complete(&json!({"parts": []})).await.assert_problem(409, "sent-whole");
    let url = whole.ticket["uploadUrl"].as_str().unwrap();
    let headers = [("content-type", "image/jpeg"), ("if-none-match", "*")];
    assert_eq!(send("PUT", url, &headers, bytes.clone()).await.status, 200);
    assert_eq!(whole.give_up().await.status, 204);
    finalize(api, key, &whole.id).await.assert_problem(409, "ticket-expired");
    assert_eq!(send("PUT", url, &headers, bytes).await.status, 412, "its ticket is used up");
    assert_eq!(whole.give_up().await.status, 204);

    let elsewhere = InParts { id: "med_01ARZ3NDEKTSV4RRFFQ69G5FAV".into(), ..whole };
    elsewhere.give_up().await.assert_problem(404, "asset-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn completions_at_the_same_time_get_the_same_answer() {
    let (_folder, node) = dev();
    let content = three_parts();
    let upload = InParts::begin(&node.api, &node.api_key, &content).await;
    let tags = upload.send_all(&content).await;
    let usage = format!("{}/media/v1/usage", node.api);
    let before = get_as(&usage, &node.api_key).await.json();
    let mut calls = JoinSet::new();
    for _ in 0..8 {
        let (url, key, tags) = (upload.url("/complete"), node.api_key.clone(), tags.clone());
        calls.spawn(async move { crate::support::http::post(&url, &key, tags).await });
    }
    let answers = calls.join_all().await;
    for answer in &answers {
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["updatedAt"], answers[0].json()["updatedAt"], "one transition");
    }
    let after = get_as(&usage, &node.api_key).await.json();
    assert_eq!(after["count"].as_u64(), before["count"].as_u64().map(|count| count + 1));
    assert!(get(answers[0].json()["url"].as_str().unwrap(), &[]).await.body == content);
    assert_eq!(uploads(&node.data), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_call_goes_on_with_the_same_upload_and_leaves_no_other() {
    let folder = TempDir::new().unwrap();
    let quota = [SMALL_PARTS[0], SMALL_PARTS[1], ("SIGNET__UPLOADS__QUOTA_COUNT", "4")];
    let node = Node::dev(&folder.path().join("data"), &quota);
    let content = three_parts();
    let call = async |api: &str, key: &str, name: Option<&str>, size: usize| {
        let mut headers = vec![("authorization", key), ("content-type", "application/json")];
        headers.extend(name.map(|name| ("idempotency-key", name)));
        let body = json!({"filename": "large.jpg", "contentType": "image/jpeg", "sizeBytes": size});
        send("POST", &format!("{api}/media/v1/uploads"), &headers, body.to_string()).await
    };
    let mut calls = JoinSet::new();
    for _ in 0..8 {
        let (api, key, size) = (node.api.clone(), node.api_key.clone(), content.len());
        calls.spawn(async move { call(&api, &key, Some("k"), size).await });
    }
    let tickets: Vec<Value> = calls.join_all().await.iter().map(|answer| answer.json()).collect();
    let upload_of = |ticket: &Value| {
        let url = ticket["multipart"]["parts"][0]["uploadUrl"].as_str().unwrap();
        (ticket["assetId"].clone(), url.split("uploadId=").nth(1).unwrap()[..26].to_owned())
    };
    let first = upload_of(&tickets[0]);
    assert!(tickets.iter().all(|ticket| upload_of(ticket) == first), "{tickets:?}");
    assert_eq!(uploads(&node.data), 1, "no upload is left that nobody knows");

    let upload = InParts {
        api: node.api.clone(),
        credentials: node.api_key.clone(),
        id: first.0.as_str().unwrap().to_owned(),
        ticket: tickets[0].clone(),
    };
    let etag = upload.send(&upload.ticket["multipart"]["parts"][0], &content).await;
    let again = call(&node.api, &node.api_key, Some("k"), content.len()).await.json();
    assert_eq!(again["assetId"], first.0);
    assert_eq!(again["multipart"]["parts"][0]["etag"], json!(etag), "it says what is there");
    let other = call(&node.api, &node.api_key, Some("k"), content.len() + 1).await;
    other.assert_problem(422, "idempotency-mismatch");
    // Two assets of the garden, this one, and one more are all that the quota allows.
    assert_eq!(call(&node.api, &node.api_key, None, content.len()).await.status, 201);
    let full = call(&node.api, &node.api_key, None, content.len()).await;
    assert!((400..500).contains(&full.status), "{}", full.text());
    assert_eq!(uploads(&node.data), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_file_has_parts_that_fit_and_a_checksum_is_for_small_ones() {
    let (_folder, node) = dev();
    let ask = async |content_type: &str, size: u64, checksum: Option<String>| {
        let mut body = json!({"filename": "a", "contentType": content_type, "sizeBytes": size});
        body["checksum"] = json!(checksum);
        crate::support::http::post(&format!("{}/media/v1/uploads", node.api), &node.api_key, body).await
    };
    const TIB: u64 = 1 << 40;
    let ticket = ask("video/mp4", 5 * TIB, None).await.json();
    let multipart = &ticket["multipart"];
    assert_eq!(
        (&multipart["partSizeBytes"], &multipart["partCount"], &multipart["nextAfter"]),
        (&json!(525 << 20), &json!(9_987), &json!(100))
    );
    assert_eq!(multipart["parts"].as_array().unwrap().len(), 100);
    let id = ticket["assetId"].as_str().unwrap();
    let page = format!("{}/media/v1/uploads/{id}/parts?after=9000&limit=1000", node.api);
    let page = get_as(&page, &node.api_key).await.json();
    let parts = page["parts"].as_array().unwrap();
    assert_eq!((parts.len(), &page["nextAfter"]), (987, &Value::Null));
    assert_eq!(parts[986]["sizeBytes"], json!(230 << 20));

    for (content_type, limit) in [
        ("video/mp4", 5 * TIB),
        ("image/png", 100 << 20),
        ("audio/ogg", 1 << 30),
        ("application/pdf", 1 << 30),
    ] {
        let problem = ask(content_type, limit + 1, None).await.assert_problem(422, "invalid-field");
        assert_eq!((&problem["pointer"], &problem["limit"]), (&json!("/sizeBytes"), &json!(limit)));
    }
    let checksum = || Some("0".repeat(64));
    let problem = ask("image/png", PART as u64 + 1, checksum()).await.assert_problem(422, "invalid-field");
    assert_eq!(problem["pointer"], "/checksum");
    assert!(problem["detail"].as_str().unwrap().contains("parts"), "{problem}");
    assert_eq!(ask("image/png", PART as u64, checksum()).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_what_it_was_said_to_be_is_rejected_for_good() {
    let (_folder, node) = dev();
    let mut content = b"<!DOCTYPE html><html>".to_vec();
    content.resize(PART + 10, b' ');
    let content = content.into();
    let upload = InParts::begin(&node.api, &node.api_key, &content).await;
    let tags = upload.send_all(&content).await;
    for _ in 0..2 {
        let problem = upload.complete(&tags).await.assert_problem(409, "upload-rejected");
        assert_eq!((&problem["what"], &problem["expected"]), (&json!("content"), &json!("image/jpeg")));
    }
    assert_eq!(upload.parts("").await.assert_problem(409, "status-conflict")["assetStatus"], "REJECTED");
    assert_eq!(uploads(&node.data), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_completes_is_removed_when_its_time_is_over() {
    let folder = TempDir::new().unwrap();
    let settings = two_tenants(folder.path(), "", "vectors/rsa", false);
    let settings = format!(
        "{settings}\n[uploads]\nmultipart_threshold_bytes = {PART}\npart_bytes = {PART}\nmultipart_seconds = 2\n\
         grace_seconds = 0\nlate_seconds = 0\n[lifecycle]\ninterval_seconds = 1\n"
    );
    let node = Node::serve(folder.path(), &settings, &[]);
    let (content, data) = (three_parts(), folder.path().join("data"));
    let upload = InParts::begin(&node.api, ANNA.2, &content).await;
    let part = &upload.ticket["multipart"]["parts"][0];
    assert!(part["uploadUrl"].as_str().unwrap().contains("&X-Amz-Expires=2&"), "no longer than the upload");
    upload.send(part, &content).await;
    assert_eq!(uploads(&data), 1);
    let deadline = Instant::now() + Duration::from_secs(60);
    while uploads(&data) > 0 {
        assert!(Instant::now() < deadline, "the parts stay");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let asset = get_as(&format!("{}/media/v1/assets/{}", node.api, upload.id), ANNA.2).await.json();
    assert_eq!(asset["status"], "EXPIRED");
    upload.parts("").await.assert_problem(409, "ticket-expired");
    assert_eq!(send_part(part, &content).await.status, 403, "its URL has run out");
}

/// The script of the docs sends a file in parts, goes on with one that was cut off, and sends a small one whole.
#[tokio::test(flavor = "multi_thread")]
async fn the_script_of_the_docs_sends_files_of_any_size() {
    let (folder, node) = dev();
    let docs = include_str!("../../docs/api.md");
    let script = docs.split("```js\n").nth(1).unwrap().split("```").next().unwrap();
    std::fs::write(folder.path().join("send.mjs"), script).unwrap();
    let run = async |name: &str, bytes: &[u8], id: Option<&str>| -> Value {
        std::fs::write(folder.path().join(name), bytes).unwrap();
        let mut command = Command::new("node");
        command.args(["send.mjs", name, "image/jpeg"]).args(id).current_dir(folder.path());
        command.env("SIGNET", &node.api).env("API_KEY", &node.api_key);
        let output = tokio::task::spawn_blocking(move || ended(&mut command, b"")).await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let content = three_parts();
    let upload = InParts::begin(&node.api, &node.api_key, &content).await;
    upload.send(&upload.ticket["multipart"]["parts"][1], &content).await;
    for (bytes, id) in [(picture(100, 3), None), (three_parts(), None), (content, Some(upload.id.as_str()))] {
        let asset = run("file.jpg", &bytes, id).await;
        assert_eq!(asset["status"], "READY");
        assert!(get(asset["url"].as_str().unwrap(), &[]).await.body == bytes);
    }
}

/// Nothing that was answered is lost: not between two parts, nor while they are put together.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_in_parts_survives_kill_9() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let content = three_parts();
    let node = Node::dev(&data, &SMALL_PARTS);
    let mut upload = InParts::begin(&node.api, &node.api_key, &content).await;
    let first = upload.send(&upload.ticket["multipart"]["parts"][0], &content).await;
    // Another part is on its way when the process ends.
    let part = upload.ticket["multipart"]["parts"][1].clone();
    let half = tokio::spawn({
        let content = content.clone();
        async move { send_part(&part, &content).await }
    });
    node.kill();
    drop(half.await);

    let node = Node::dev(&data, &SMALL_PARTS);
    upload.api.clone_from(&node.api);
    let page = upload.parts("").await.json();
    assert_eq!(page["parts"][0]["etag"], json!(first));
    let mut tags = vec![json!({"partNumber": 1, "etag": first})];
    for part in page["parts"].as_array().unwrap().iter().skip(1) {
        let etag = match part["etag"].as_str() {
            Some(etag) => etag.to_owned(),
            None => upload.send(part, &content).await,
        };
        tags.push(json!({"partNumber": part["partNumber"], "etag": etag}));
    }
    let tags = json!({"parts": tags});
    let completing = tokio::spawn({
        let (url, key, tags) = (upload.url("/complete"), upload.credentials.clone(), tags.clone());
        async move { crate::support::http::post(&url, &key, tags).await }
    });
    tokio::time::sleep(Duration::from_millis(rand::random_range(0..25))).await;
    node.kill();
    drop(completing.await);

    let node = Node::dev(&data, &SMALL_PARTS);
    upload.api.clone_from(&node.api);
    let asset = upload.complete(&tags).await;
    assert_eq!(asset.status, 200, "{}", asset.text());
    assert!(get(asset.json()["url"].as_str().unwrap(), &[]).await.body == content);
    assert_eq!(uploads(&data), 0);
    assert_eq!(std::fs::read_dir(data.join("objects/drafts")).unwrap().count(), 0);
}
