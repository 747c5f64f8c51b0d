//! What every object store must do, the presigned way in included.

use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::StreamExt;
use signet::media::{Checksum, ContentType, Timestamp};
use signet::service::ports::{
    ByteRange, Clock, ObjectLocation, ObjectStore, Presigned, SystemClock, UploadTerms,
};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

type Store = Arc<dyn ObjectStore>;

/// How a client reaches the store: an HTTP client, or what stands in for one.
#[async_trait]
pub trait Door: Send + Sync + 'static {
    /// Sends an upload now.
    async fn send(&self, upload: Upload) -> Sent;

    /// Reads a URL now: what comes, or nothing where that is refused or isn't there.
    async fn read(&self, url: &str) -> Option<Bytes>;

    /// The longest part of a key between slashes that the store takes, in bytes. S3 itself knows none.
    fn longest_segment(&self) -> usize {
        1_024
    }
}

type Entrance = Arc<dyn Door>;

/// A request as a client sends it.
#[derive(Debug, Clone)]
pub struct Upload {
    /// Where to.
    pub url: String,
    /// Its headers, `content-length` included.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub body: Bytes,
    /// Whether the connection breaks after the body.
    pub cut: bool,
}

/// What became of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It was taken.
    Stored,
    /// Something is there already.
    Exists,
    /// It was refused, for whatever other reason.
    Refused,
}

/// All checks, one after the other.
pub async fn all(store: Store, door: Entrance) {
    an_upload_is_stored_as_promised(store.clone(), door.clone()).await;
    a_ticket_never_asks_for_what_clients_derive(store.clone()).await;
    what_differs_from_the_ticket_is_refused(store.clone(), door.clone()).await;
    a_tampered_url_is_refused(store.clone(), door.clone()).await;
    a_ticket_runs_out(store.clone(), door.clone()).await;
    of_racing_uploads_one_wins(store.clone(), door.clone()).await;
    ranges_are_parts_of_the_file(store.clone(), door.clone()).await;
    a_copy_is_whole_and_replaces(store.clone(), door.clone()).await;
    deleting_twice_is_no_error(store.clone(), door.clone()).await;
    a_tombstone_is_nothing_and_keeps_uploads_out(store.clone(), door.clone()).await;
    a_list_is_of_all_under_a_prefix(store.clone(), door.clone()).await;
    without_versions_a_removal_is_for_good(store.clone(), door.clone()).await;
    keys_never_collide(store.clone(), door.clone()).await;
    a_presigned_read_is_of_one_file_for_its_time(store.clone(), door.clone()).await;
    a_cut_upload_leaves_nothing(store, door).await;
}

async fn an_upload_is_stored_as_promised(store: Store, door: Entrance) {
    for content in [Bytes::from_static(b"x"), noise(3_000_000)] {
        for checked in [false, true] {
            let place = fresh_place("a.png");
            let presigned = presign(&store, &place, &content, checked).await;
            assert_eq!(presigned.method, "PUT");
            assert!(store.head(&place).await.unwrap().is_none());
            assert_eq!(door.send(upload(&presigned, &content)).await, Sent::Stored);

            let stored = store.head(&place).await.unwrap().unwrap();
            assert_eq!(stored.size_bytes, content.len() as u64);
            assert_eq!(stored.content_type, "image/png");
            assert!(stored.etag.starts_with('"') && stored.etag.ends_with('"') && stored.etag.len() > 2);
            if let Some(sha256) = &stored.sha256 {
                assert_eq!(*sha256, sha256_of(&content));
            }
            assert_eq!(bytes_of(&store, &place, None).await, Some((None, content.clone())));
        }
    }
}

async fn a_ticket_never_asks_for_what_clients_derive(store: Store) {
    let content = Bytes::from_static(b"x");
    let presigned = presign(&store, &fresh_place("a.png"), &content, true).await;
    let mut names: Vec<&str> = presigned.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    // What S3 would keep with the file, whoever chooses it; local files keep none of it.
    names.retain(|name| !["cache-control", "content-disposition", "content-encoding"].contains(name));
    assert_eq!(names, ["content-type", "if-none-match", "x-amz-checksum-sha256"]);
    for part in ["X-Amz-Algorithm=", "X-Amz-Date=", "&X-Amz-Expires=900", "&X-Amz-Signature="] {
        assert!(presigned.url.contains(part), "{part}");
    }
    assert!(!format!("{presigned:?}").contains("X-Amz"), "a ticket isn't for logs");
}

async fn what_differs_from_the_ticket_is_refused(store: Store, door: Entrance) {
    let content = Bytes::from_static(b"0123456789");
    let place = fresh_place("a.png");
    let good = upload(&presign(&store, &place, &content, true).await, &content);
    let without = |name: &str| {
        let mut bad = good.clone();
        bad.headers.retain(|(header, _)| header != name);
        bad
    };
    let with = |name: &str, value: &str| {
        let mut bad = without(name);
        bad.headers.push((name.into(), value.into()));
        bad
    };
    let body = |bytes: &'static [u8]| Upload { body: Bytes::from_static(bytes), ..good.clone() };
    let cases = [
        ("no length", without("content-length")),
        ("no type", without("content-type")),
        ("no condition", without("if-none-match")),
        ("no checksum", without("x-amz-checksum-sha256")),
        ("another type", with("content-type", "image/gif")),
        ("another condition", with("if-none-match", "\"x\"")),
        ("another checksum", with("x-amz-checksum-sha256", &sha256_of(b"9876543210"))),
        ("longer, honestly", Upload { body: "0123456789x".into(), ..with("content-length", "11") }),
        ("shorter, honestly", Upload { body: "012345678".into(), ..with("content-length", "9") }),
        ("longer than its header", body(b"0123456789x")),
        ("shorter than its header", body(b"012345678")),
        ("empty", body(b"")),
        ("as long, but another", body(b"9876543210")),
    ];
    for (what, bad) in cases {
        assert_eq!(door.send(bad).await, Sent::Refused, "{what}");
        assert!(store.head(&place).await.unwrap().is_none(), "{what}");
    }
    assert_eq!(door.send(good).await, Sent::Stored, "the ticket itself is good still");

    // Where no checksum is promised, the length is what is left to hold a body to.
    let place = fresh_place("a.png");
    let good = upload(&presign(&store, &place, &content, false).await, &content);
    for bytes in ["012345678", "0123456789x", ""] {
        assert_eq!(door.send(Upload { body: bytes.into(), ..good.clone() }).await, Sent::Refused, "{bytes}");
        assert!(store.head(&place).await.unwrap().is_none(), "{bytes}");
    }
    assert_eq!(door.send(good).await, Sent::Stored);
}

async fn a_tampered_url_is_refused(store: Store, door: Entrance) {
    let content = Bytes::from_static(b"0123456789");
    let place = fresh_place("a.png");
    let good = upload(&presign(&store, &place, &content, false).await, &content);
    let change = |from: &str, to: &str| {
        let url = good.url.replacen(from, to, 1);
        assert_ne!(url, good.url, "{from}");
        Upload { url, ..good.clone() }
    };
    let (path, query) = good.url.split_once('?').unwrap();
    let signature = query.split("X-Amz-Signature=").nth(1).unwrap();
    let flipped = if signature.starts_with('0') { "1" } else { "0" };
    let cases = [
        ("another key", change("a.png", "b.png")),
        ("another bucket", change(&place.bucket, "bucket-of-others")),
        ("a longer life", change("X-Amz-Expires=900", "X-Amz-Expires=9000")),
        ("another time", change("X-Amz-Date=2", "X-Amz-Date=3")),
        ("fewer signed headers", change("content-length%3B", "")),
        ("another algorithm", change("X-Amz-Algorithm=", "X-Amz-Algorithm=X")),
        ("another signature", change(signature, &format!("{flipped}{}", &signature[1..]))),
        ("an empty signature", change(signature, "")),
        ("a cut signature", change(signature, &signature[..32])),
        ("no signature", change(&format!("&X-Amz-Signature={signature}"), "")),
        ("no query", Upload { url: path.into(), ..good.clone() }),
        ("one parameter twice", Upload { url: format!("{}&X-Amz-Expires=900", good.url), ..good.clone() }),
        ("one parameter more", Upload { url: format!("{}&x-id=PutObject", good.url), ..good.clone() }),
    ];
    for (what, bad) in cases {
        assert_eq!(door.send(bad).await, Sent::Refused, "{what}");
        assert!(store.head(&place).await.unwrap().is_none(), "{what}");
    }
    let elsewhere = ObjectLocation { key: place.key.replace("a.png", "b.png"), ..place.clone() };
    assert!(store.head(&elsewhere).await.unwrap().is_none());
    assert_eq!(door.send(good).await, Sent::Stored);

    // Another spelling is refused, or means the same key.
    let place = fresh_place("a.png");
    let good = upload(&presign(&store, &place, &content, false).await, &content);
    let spelled = Upload { url: good.url.replacen("a.png", "%61.png", 1), ..good.clone() };
    let taken = door.send(spelled).await == Sent::Stored;
    assert_eq!(store.head(&place).await.unwrap().is_some(), taken);
    assert_eq!(door.send(good).await, if taken { Sent::Exists } else { Sent::Stored });
}

async fn a_ticket_runs_out(store: Store, door: Entrance) {
    let content = Bytes::from_static(b"0123456789");
    let place = fresh_place("a.png");
    let long_ago = Timestamp::from_seconds(SystemClock.now().seconds() - 3_600);
    let terms = terms(&content, false);
    let old = store.presign_put(&place, &terms, long_ago, 900).await.unwrap();
    assert_eq!(door.send(upload(&old, &content)).await, Sent::Refused);
    assert!(store.head(&place).await.unwrap().is_none());
    let still_good = store.presign_put(&place, &terms, long_ago, 7_200).await.unwrap();
    assert_eq!(door.send(upload(&still_good, &content)).await, Sent::Stored);
}

async fn of_racing_uploads_one_wins(store: Store, door: Entrance) {
    let place = fresh_place("a.png");
    let start = Arc::new(Barrier::new(16));
    let mut racers = JoinSet::new();
    for _ in 0..16 {
        let (door, start, content) = (door.clone(), start.clone(), noise(200_000));
        let request = upload(&presign(&store, &place, &content, true).await, &content);
        racers.spawn(async move {
            start.wait().await;
            (door.send(request).await, content)
        });
    }
    let (won, lost): (Vec<_>, Vec<_>) =
        racers.join_all().await.into_iter().partition(|(sent, _)| *sent == Sent::Stored);
    assert_eq!(won.len(), 1);
    assert!(lost.iter().all(|(sent, _)| *sent == Sent::Exists));
    assert_eq!(bytes_of(&store, &place, None).await, Some((None, won[0].1.clone())));
}

async fn ranges_are_parts_of_the_file(store: Store, door: Entrance) {
    let place = fresh_place("a.png");
    let content = noise(300_000);
    put(&store, &door, &place, &content).await;
    let part = |first: u64, last: u64| (Some((first, last)), content.slice(first as usize..=last as usize));
    let cases = [
        (ByteRange::FromTo(0, 0), part(0, 0)),
        (ByteRange::FromTo(1, 200_000), part(1, 200_000)),
        (ByteRange::FromTo(299_999, 299_999), part(299_999, 299_999)),
        (ByteRange::FromTo(299_000, u64::MAX), part(299_000, 299_999)),
        (ByteRange::From(0), part(0, 299_999)),
        (ByteRange::From(131_072), part(131_072, 299_999)),
        (ByteRange::Last(1), part(299_999, 299_999)),
        (ByteRange::Last(999_999), part(0, 299_999)),
        (ByteRange::From(300_000), (None, Bytes::new())),
        (ByteRange::FromTo(5, 4), (None, Bytes::new())),
        (ByteRange::Last(0), (None, Bytes::new())),
    ];
    for (range, expected) in cases {
        assert_eq!(bytes_of(&store, &place, Some(range)).await, Some(expected), "{range:?}");
    }
    assert_eq!(bytes_of(&store, &fresh_place("none"), Some(ByteRange::From(0))).await, None);
}

async fn a_copy_is_whole_and_replaces(store: Store, door: Entrance) {
    let (from, to) = (fresh_place("a.png"), fresh_place("private/a.png"));
    assert!(!store.copy(&from, &to).await.unwrap(), "nothing to copy");
    assert!(store.head(&to).await.unwrap().is_none());
    let content = noise(200_000);
    put(&store, &door, &from, &content).await;
    put(&store, &door, &to, b"old").await;
    assert!(store.copy(&from, &to).await.unwrap());
    assert!(store.copy(&from, &from).await.unwrap(), "onto itself");
    for place in [&from, &to] {
        assert_eq!(bytes_of(&store, place, None).await, Some((None, content.clone())));
        assert_eq!(store.head(place).await.unwrap().unwrap().content_type, "image/png");
    }
    store.delete(&from).await.unwrap();
    assert_eq!(bytes_of(&store, &to, None).await, Some((None, content)));
}

async fn deleting_twice_is_no_error(store: Store, door: Entrance) {
    let place = fresh_place("a.png");
    store.delete(&place).await.unwrap();
    put(&store, &door, &place, b"x").await;
    store.delete(&place).await.unwrap();
    store.delete(&place).await.unwrap();
    assert!(store.head(&place).await.unwrap().is_none());
    assert_eq!(bytes_of(&store, &place, None).await, None);
    put(&store, &door, &place, b"y").await;
}

async fn a_tombstone_is_nothing_and_keeps_uploads_out(store: Store, door: Entrance) {
    for filled in [false, true] {
        let (place, other) = (fresh_place("a.png"), fresh_place("b.png"));
        let content = noise(1_000);
        if filled {
            put(&store, &door, &place, &content).await;
        }
        store.put_tombstone(&place).await.unwrap();
        store.put_tombstone(&place).await.unwrap();
        assert_eq!(store.head(&place).await.unwrap(), None);
        assert_eq!(bytes_of(&store, &place, None).await, None);
        assert_eq!(bytes_of(&store, &place, Some(ByteRange::FromTo(0, 9))).await, None);
        assert_eq!(bytes_of(&store, &place, Some(ByteRange::From(5))).await, None);
        assert!(!store.copy(&place, &other).await.unwrap(), "nothing to copy");
        assert_eq!(store.head(&other).await.unwrap(), None);
        for checked in [false, true] {
            let presigned = presign(&store, &place, &content, checked).await;
            assert_eq!(door.send(upload(&presigned, &content)).await, Sent::Exists);
        }
        assert_eq!(store.head(&place).await.unwrap(), None);
        // A file replaces it, and it doesn't come back.
        put(&store, &door, &other, &content).await;
        assert!(store.copy(&other, &place).await.unwrap());
        assert_eq!(bytes_of(&store, &place, None).await, Some((None, content.clone())));
        store.put_tombstone(&place).await.unwrap();
        store.delete(&place).await.unwrap();
        put(&store, &door, &place, &content).await;
    }
}

async fn without_versions_a_removal_is_for_good(store: Store, door: Entrance) {
    let place = fresh_place("a.png");
    let prefix = place.key.strip_suffix("a.png").unwrap();
    assert!(!store.keeps_versions(&place.bucket).await.unwrap());
    put(&store, &door, &place, b"x").await;
    store.restore_versions(&place, prefix).await.unwrap();
    assert!(store.head(&place).await.unwrap().is_some());
    store.delete(&place).await.unwrap();
    store.restore_versions(&place, prefix).await.unwrap();
    store.delete_versions(&place.bucket, prefix).await.unwrap();
    assert!(store.head(&place).await.unwrap().is_none());
}

async fn a_list_is_of_all_under_a_prefix(store: Store, door: Entrance) {
    let place = fresh_place("");
    let at =
        |tail: &str| ObjectLocation { bucket: place.bucket.clone(), key: format!("{}{tail}", place.key) };
    for tail in ["x/a.png", "x/a b.png.320.jpg", "x/y/c", "xx/d"] {
        put(&store, &door, &at(tail), b"x").await;
    }
    store.put_tombstone(&at("x/gone")).await.unwrap();
    let list = async |tail: &str| {
        let found = at(tail);
        store.list(&found.bucket, &found.key).await.unwrap()
    };
    let Some(mut found) = list("x/").await else {
        assert_eq!(list("").await, None, "a store lists, or it doesn't");
        return;
    };
    found.sort_unstable();
    let expected = ["x/a b.png.320.jpg", "x/a.png", "x/gone", "x/y/c"].map(|tail| at(tail).key);
    assert_eq!(found, expected);
    assert_eq!(list("none/").await, Some(Vec::new()));
}

async fn keys_never_collide(store: Store, door: Entrance) {
    let place = fresh_place("");
    let stem = place.key;
    let mut tails: Vec<String> = [
        "a",
        "a/b",
        "a/b/c",
        "A",
        "a.",
        "a ",
        " a",
        "a+b",
        "a%20b",
        "a%2Fb",
        "ä",
        "a\u{308}",
        "日本/🎬.mp4",
        "CON",
        "nul.txt",
        "a?b=c",
        "a&b;c=d",
        "~!@#$^*()'\"<>|",
        ".hidden",
        "...",
        "a:b",
    ]
    .map(Into::into)
    .to_vec();
    tails.push("s".repeat(255));
    let longest = door.longest_segment();
    tails.push(long_tail("x", 1_024 - stem.len(), longest));
    tails.push(long_tail("é", 1_024 - stem.len(), longest));
    for tail in &tails {
        let place = ObjectLocation { bucket: place.bucket.clone(), key: format!("{stem}{tail}") };
        put(&store, &door, &place, tail.as_bytes()).await;
    }
    for tail in &tails {
        let place = ObjectLocation { bucket: place.bucket.clone(), key: format!("{stem}{tail}") };
        let found = bytes_of(&store, &place, None).await;
        assert_eq!(found, Some((None, Bytes::from(tail.clone()))), "{tail}");
    }
}

async fn a_presigned_read_is_of_one_file_for_its_time(store: Store, door: Entrance) {
    let place = fresh_place("ä b/a.png");
    let other = ObjectLocation { key: place.key.replace("a.png", "b.png"), ..place.clone() };
    let content = noise(200_000);
    put(&store, &door, &place, &content).await;
    put(&store, &door, &other, b"other").await;
    let now = SystemClock.now();
    let good = store.presign_get(&place, now, 300).await.unwrap();
    assert_eq!((good.method, good.headers.len()), ("GET", 0));
    assert_eq!(store.presign_get(&place, now, 300).await.unwrap(), good, "the same on every node");
    assert_eq!(door.read(&good.url).await, Some(content.clone()));
    assert_eq!(door.read(&good.url).await, Some(content.clone()), "as often as one likes");

    let change = |from: &str, to: &str| {
        let url = good.url.replacen(from, to, 1);
        assert_ne!(url, good.url, "{from}");
        url
    };
    let cases = [
        ("another key", change("a.png?", "b.png?")),
        ("a longer life", change("X-Amz-Expires=300", "X-Amz-Expires=3000")),
        ("another time", change("X-Amz-Date=2", "X-Amz-Date=3")),
        ("no signature", good.url.split("&X-Amz-Signature=").next().unwrap().to_owned()),
        ("no query", good.url.split('?').next().unwrap().to_owned()),
    ];
    for (what, url) in cases {
        assert_eq!(door.read(&url).await, None, "{what}");
    }
    let upload_url = presign(&store, &place, &content, false).await.url;
    assert_eq!(door.read(&upload_url).await, None, "an upload's");
    let sent = Upload { url: good.url.clone(), headers: Vec::new(), body: content.clone(), cut: false };
    assert_eq!(door.send(sent).await, Sent::Refused, "it doesn't write");

    let earlier = Timestamp::from_seconds(now.seconds() - 200);
    let begun = store.presign_get(&place, earlier, 300).await.unwrap();
    assert_eq!(door.read(&begun.url).await, Some(content), "its time began before");
    let over = store.presign_get(&place, earlier, 100).await.unwrap();
    assert_eq!(door.read(&over.url).await, None, "its time is over");

    let nothing = store.presign_get(&fresh_place("none"), now, 300).await.unwrap();
    assert_eq!(door.read(&nothing.url).await, None);
}

async fn a_cut_upload_leaves_nothing(store: Store, door: Entrance) {
    let place = fresh_place("a.png");
    let content = noise(500_000);
    let good = upload(&presign(&store, &place, &content, false).await, &content);
    for sent in [0, 1, 250_000, 499_999] {
        let cut = Upload { body: content.slice(..sent), cut: true, ..good.clone() };
        assert_eq!(door.send(cut).await, Sent::Refused, "after {sent} bytes");
        assert!(store.head(&place).await.unwrap().is_none(), "after {sent} bytes");
    }
    assert_eq!(door.send(good).await, Sent::Stored, "the ticket itself is good still");
}

/// Stores a content under a ticket made for it.
pub async fn put(store: &Store, door: &Entrance, place: &ObjectLocation, content: &[u8]) {
    let content = Bytes::copy_from_slice(content);
    let presigned = presign(store, place, &content, true).await;
    assert_eq!(door.send(upload(&presigned, &content)).await, Sent::Stored, "{place}");
}

/// Range and bytes of what is stored.
pub async fn bytes_of(
    store: &Store,
    place: &ObjectLocation,
    range: Option<ByteRange>,
) -> Option<(Option<(u64, u64)>, Bytes)> {
    let mut body = store.get(place, range).await.unwrap()?;
    let mut bytes = Vec::new();
    while let Some(chunk) = body.bytes.next().await {
        bytes.extend_from_slice(&chunk.unwrap());
    }
    Some((body.range, bytes.into()))
}

/// A place that nothing else uses.
pub fn fresh_place(tail: &str) -> ObjectLocation {
    ObjectLocation { bucket: "signet-contract".into(), key: format!("{}/{tail}", ulid::Ulid::generate()) }
}

/// The request that a client makes of a ticket.
pub fn upload(presigned: &Presigned, content: &Bytes) -> Upload {
    let mut headers = presigned.headers.clone();
    headers.push(("content-length".into(), content.len().to_string()));
    Upload { url: presigned.url.clone(), headers, body: content.clone(), cut: false }
}

/// A ticket for a content.
pub async fn presign(store: &Store, place: &ObjectLocation, content: &Bytes, checked: bool) -> Presigned {
    store.presign_put(place, &terms(content, checked), SystemClock.now(), 900).await.unwrap()
}

/// What a ticket for a content is bound to.
pub fn terms(content: &[u8], checked: bool) -> UploadTerms {
    UploadTerms {
        content_type: ContentType::parse("image/png").unwrap(),
        size_bytes: content.len() as u64,
        checksum: checked.then(|| Checksum::parse(&sha256_of(content)).unwrap()),
    }
}

fn sha256_of(content: &[u8]) -> String {
    STANDARD.encode(digest(&SHA256, content))
}

/// A text of so many bytes, or one less, with a slash wherever a segment would be too long.
fn long_tail(letter: &str, bytes: usize, longest_segment: usize) -> String {
    let (mut text, mut segment) = (String::new(), 0);
    while text.len() + letter.len() <= bytes {
        if segment + letter.len() > longest_segment && text.len() + 1 + letter.len() <= bytes {
            text.push('/');
            segment = 0;
        }
        text.push_str(letter);
        segment += letter.len();
    }
    text
}

/// Random bytes, so that no two contents are alike.
pub fn noise(length: usize) -> Bytes {
    let mut bytes = vec![0; length];
    rand::fill(&mut bytes[..]);
    bytes.into()
}
