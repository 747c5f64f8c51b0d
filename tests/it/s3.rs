//! S3: the contract, and what is its own.

use std::sync::Arc;

use bytes::Bytes;
use signet::media::Timestamp;
use signet::service::ports::{Clock, ObjectLocation, ObjectStore, SystemClock};
use signet::store::s3::S3;

use crate::contract;
use crate::contract::objects::{Door, bytes_of, fresh_place, noise, presign, put, terms};
use crate::support::http::send;
use crate::support::s3::{ORIGIN, Wire, server};

const MIB: usize = 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract_of_objects() {
    let (store, door) = doors().await;
    contract::objects::all(store, door).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract_of_parts() {
    let (store, door) = doors().await;
    contract::parts::all(store, door).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_time_gives_the_same_ticket_and_another_one_another() {
    let (one, other) = (server().store().await, server().store().await);
    let place = fresh_place("a.png");
    let terms = terms(b"x", true);
    let at = Timestamp::from_seconds(1_800_000_000);
    let first = one.presign_put(&place, &terms, at, 900).await.unwrap();
    assert_eq!(other.presign_put(&place, &terms, at, 900).await.unwrap(), first);
    let later = one.presign_put(&place, &terms, at.plus_seconds(1), 900).await.unwrap();
    assert_ne!(later.url, first.url);
    assert!(first.url.contains("X-Amz-Date=20270115T080000Z"), "{}", first.url);
    let bound = "cache-control%3Bcontent-disposition%3Bcontent-encoding%3Bcontent-length%3Bcontent-type%3Bhost%3B\
                 if-none-match%3Bx-amz-checksum-sha256";
    assert!(first.url.contains(&format!("X-Amz-SignedHeaders={bound}&")), "{}", first.url);
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_name_the_host_that_browsers_reach() {
    let public = "https://s3.example.com".to_owned();
    let (place, now) = (fresh_place("a.png"), SystemClock.now());
    let url = async |store: &S3| store.presign_put(&place, &terms(b"x", true), now, 900).await.unwrap().url;

    let store = server().store_with(|options| options.public_endpoint = Some(public.clone())).await;
    assert!(url(&store).await.starts_with("https://s3.example.com/signet-contract/"));
    assert!(store.head(&place).await.unwrap().is_none(), "it asks elsewhere itself");
    let hosts = |options: &mut signet::store::s3::S3Options| {
        options.public_endpoint = Some(public.clone());
        options.path_style = false;
    };
    let store = server().store_with(hosts).await;
    assert!(url(&store).await.starts_with("https://signet-contract.s3.example.com/"));
    let aws = |options: &mut signet::store::s3::S3Options| {
        options.endpoint = None;
        options.path_style = false;
    };
    let store = server().store_with(aws).await;
    assert!(url(&store).await.starts_with("https://signet-contract.s3.eu-central-1.amazonaws.com/"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_is_copied_in_parts_with_its_type() {
    let (store, door) = doors().await;
    let content = noise(12 * MIB + 345);
    let (from, to) = (fresh_place("große datei+1.png"), fresh_place("private/kopie?.dat"));
    put(&store, &door, &from, &content).await;
    put(&store, &door, &to, b"old").await;
    assert!(store.copy(&from, &to).await.unwrap());
    let stored = store.head(&to).await.unwrap().unwrap();
    assert_eq!((stored.content_type.as_str(), stored.size_bytes), ("image/png", content.len() as u64));
    assert!(stored.etag.ends_with("-3\""), "in three parts: {}", stored.etag);
    assert_eq!(bytes_of(&store, &to, None).await, Some((None, content)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checksum_is_known_where_one_was_sent() {
    let (store, door) = doors().await;
    for checked in [true, false] {
        let (place, content) = (fresh_place("a.png"), noise(100));
        let ticket = presign(&store, &place, &content, checked).await;
        door.send(contract::objects::upload(&ticket, &content)).await;
        assert_eq!(store.head(&place).await.unwrap().unwrap().sha256.is_some(), checked);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_says_so_in_one_line() {
    let store = server().store().await;
    let nowhere = ObjectLocation { bucket: "no-such-bucket".into(), key: "a/b.png".into() };
    let error = store.get(&nowhere, None).await.err().unwrap().to_string();
    assert!(error.contains("reading no-such-bucket/a/b.png: NoSuchBucket: "), "{error}");
    assert!(store.delete(&nowhere).await.is_err());
    assert!(store.head(&nowhere).await.unwrap().is_none(), "HEAD doesn't tell");

    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let store = server().store_with(|options| options.endpoint = Some(format!("http://{closed}"))).await;
    let error = store.head(&nowhere).await.unwrap_err().to_string();
    assert!(error.contains("looking at no-such-bucket/a/b.png: ") && !error.contains('\n'), "{error}");
    assert!(error.contains("onnect"), "{error}");
}

/// What a browser does before and with an upload from a page of another origin.
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_may_upload_from_the_origins_that_are_named() {
    server().make_bucket("signet-cors").await;
    let store = server().store().await;
    let place = ObjectLocation { bucket: "signet-cors".into(), ..fresh_place("a.png") };
    let content = Bytes::from_static(b"0123456789");
    let ticket = store.presign_put(&place, &terms(&content, true), SystemClock.now(), 900).await.unwrap();
    let mut names: Vec<&str> = ticket.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    let preflight = async |origin: &str, names: &str| {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "PUT"),
            ("access-control-request-headers", names),
        ];
        send("OPTIONS", &ticket.url, &headers, Bytes::new()).await
    };
    let allowed = preflight(ORIGIN, &names.join(",")).await;
    assert_eq!(allowed.status, 200, "{}", allowed.text());
    assert_eq!(allowed.header("access-control-allow-origin"), ORIGIN);
    assert!(allowed.header("access-control-allow-methods").contains("PUT"));
    let listed = allowed.header("access-control-allow-headers").to_lowercase();
    assert!(names.iter().all(|name| listed.contains(name)), "{listed}");
    let stranger = preflight("https://evil.example", &names.join(",")).await;
    assert_eq!(stranger.header("access-control-allow-origin"), "");
    // A browser goes on only where each of its headers is listed.
    let other = preflight(ORIGIN, "x-other").await;
    assert!(!other.header("access-control-allow-headers").contains("x-other"));

    let mut headers: Vec<(&str, &str)> =
        ticket.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    headers.push(("origin", ORIGIN));
    let put = send("PUT", &ticket.url, &headers, content).await;
    assert_eq!(put.status, 200, "{}", put.text());
    assert_eq!(put.header("access-control-allow-origin"), ORIGIN);
    assert!(put.header("access-control-expose-headers").to_lowercase().contains("etag"));
    let again = send("PUT", &ticket.url, &headers, Bytes::from_static(b"0123456789")).await;
    assert_eq!(again.status, 412, "once");
}

async fn doors() -> (Arc<dyn ObjectStore>, Arc<dyn Door>) {
    server().make_bucket("signet-contract").await;
    (Arc::new(server().store().await), Arc::new(Wire))
}
