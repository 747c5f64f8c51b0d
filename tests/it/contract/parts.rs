//! What every object store must do with files that come in parts.

use std::sync::Arc;

use bytes::Bytes;
use signet::media::{ContentType, MIN_PART_BYTES, Timestamp};
use signet::service::ports::{
    Clock, Completion, ObjectLocation, ObjectStore, PartTag, PartTerms, PartsId, StoredPart, SystemClock,
};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::objects::{Door, Sent, Upload, bytes_of, fresh_place, noise, put, upload};

type Store = Arc<dyn ObjectStore>;
type Entrance = Arc<dyn Door>;

/// All checks, one after the other.
pub async fn all(store: Store, door: Entrance) {
    parts_become_one_file(store.clone(), door.clone()).await;
    one_small_part_is_a_file(store.clone(), door.clone()).await;
    a_part_that_is_sent_again_counts(store.clone(), door.clone()).await;
    what_differs_from_a_part_s_ticket_is_refused(store.clone(), door.clone()).await;
    a_part_s_ticket_runs_out(store.clone(), door.clone()).await;
    wrong_parts_are_named_and_nothing_is_lost(store.clone(), door.clone()).await;
    nothing_is_replaced(store.clone(), door.clone()).await;
    racing_completions_make_one_file(store.clone(), door.clone()).await;
    what_is_given_up_is_gone(store.clone(), door.clone()).await;
    an_upload_belongs_to_its_place(store, door).await;
}

async fn parts_become_one_file(store: Store, door: Entrance) {
    let place = fresh_place("a b/ä.mp4");
    let id = begin(&store, &place).await;
    assert_eq!(store.parts(&place, &id).await.unwrap(), Some(vec![]));
    // In whatever order they come.
    let contents = [noise(MIN), noise(MIN + 1), noise(100_000)];
    for index in [2, 0, 1] {
        send(&store, &door, &place, &id, index + 1, &contents[usize::from(index)]).await;
    }
    assert!(store.head(&place).await.unwrap().is_none(), "nothing is seen before");
    let parts = store.parts(&place, &id).await.unwrap().unwrap();
    let listed: Vec<_> = parts.iter().map(|part| (part.number, part.size_bytes)).collect();
    assert_eq!(listed, [(1, MIN_PART_BYTES), (2, MIN_PART_BYTES + 1), (3, 100_000)]);
    assert!(parts.iter().all(|part| part.etag.starts_with('"') && part.etag.len() > 2));

    for attempt in 0..3 {
        let completion = store.complete_parts(&place, &id, &tags(&parts)).await.unwrap();
        assert_eq!(completion, Completion::Done, "attempt {attempt}");
        let stored = store.head(&place).await.unwrap().unwrap();
        assert_eq!(stored.size_bytes, 2 * MIN_PART_BYTES + 1 + 100_000);
        assert_eq!((stored.content_type.as_str(), stored.sha256), ("video/mp4", None));
        assert!(stored.etag.starts_with('"') && stored.etag.len() > 2);
    }
    assert_eq!(bytes_of(&store, &place, None).await, Some((None, contents.concat().into())));
    assert_eq!(store.parts(&place, &id).await.unwrap(), None);
    store.abort_parts(&place, &id).await.unwrap();
    assert!(store.head(&place).await.unwrap().is_some(), "the file stays");
    let copy = fresh_place("copy.mp4");
    assert!(store.copy(&place, &copy).await.unwrap());
    assert_eq!(bytes_of(&store, &copy, None).await, Some((None, contents.concat().into())));
}

async fn one_small_part_is_a_file(store: Store, door: Entrance) {
    let place = fresh_place("a.mp4");
    let id = begin(&store, &place).await;
    let content = noise(10);
    send(&store, &door, &place, &id, 1, &content).await;
    assert_eq!(complete(&store, &place, &id).await, Completion::Done);
    assert_eq!(bytes_of(&store, &place, None).await, Some((None, content)));
}

async fn a_part_that_is_sent_again_counts(store: Store, door: Entrance) {
    let place = fresh_place("a.mp4");
    let id = begin(&store, &place).await;
    let (first, second, last) = (noise(MIN), noise(MIN + 7), noise(10));
    send(&store, &door, &place, &id, 1, &first).await;
    let old = store.parts(&place, &id).await.unwrap().unwrap();
    send(&store, &door, &place, &id, 2, &last).await;
    // Some servers tell parts of one number apart by their times, of whole seconds.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    send(&store, &door, &place, &id, 1, &second).await;
    let parts = store.parts(&place, &id).await.unwrap().unwrap();
    let listed: Vec<_> = parts.iter().map(|part| (part.number, part.size_bytes)).collect();
    assert_eq!(listed, [(1, MIN_PART_BYTES + 7), (2, 10)], "each number once");
    assert_ne!(parts[0].etag, old[0].etag);
    let stale = [tags(&old), tags(&parts[1..])].concat();
    let wrong = store.complete_parts(&place, &id, &stale).await.unwrap();
    assert!(names(&wrong, 1), "{wrong:?}");
    assert_eq!(complete(&store, &place, &id).await, Completion::Done);
    assert_eq!(bytes_of(&store, &place, None).await, Some((None, [second, last].concat().into())));
}

async fn what_differs_from_a_part_s_ticket_is_refused(store: Store, door: Entrance) {
    let place = fresh_place("a.mp4");
    let (id, other) = (begin(&store, &place).await, begin(&store, &place).await);
    let content = Bytes::from_static(b"0123456789");
    let good = ticket(&store, &place, &id, 7, &content).await;
    let length = |length: &str, body: &'static str| {
        let mut bad = Upload { body: body.into(), ..good.clone() };
        bad.headers.retain(|(name, _)| name != "content-length");
        bad.headers.push(("content-length".into(), length.into()));
        bad
    };
    let change = |from: &str, to: &str| {
        let url = good.url.replacen(from, to, 1);
        assert_ne!(url, good.url, "{from}");
        Upload { url, ..good.clone() }
    };
    let whole = store.presign_put(&place, &super::objects::terms(&content, false), now(), 900).await.unwrap();
    let without_part =
        |url: &str| url.replacen("partNumber=7", "", 1).replacen(&format!("uploadId={id}"), "", 1);
    let mut cases = vec![
        ("longer, honestly", length("11", "0123456789x")),
        ("shorter, honestly", length("9", "012345678")),
        ("another number", change("partNumber=7", "partNumber=8")),
        ("another upload", change(id.as_str(), other.as_str())),
        ("another key", change("a.mp4", "b.mp4")),
        ("a longer life", change("X-Amz-Expires=900", "X-Amz-Expires=9000")),
        ("no number", change("partNumber=7", "x=7")),
        ("a number twice", Upload { url: format!("{}&partNumber=7", good.url), ..good.clone() }),
        (
            "as a whole file",
            Upload { url: without_part(&good.url).replace("&&", "&").replace("?&", "?"), ..good.clone() },
        ),
    ];
    let as_part =
        Upload { url: format!("{}&partNumber=7&uploadId={id}", whole.url), ..upload(&whole, &content) };
    cases.push(("a whole file's ticket", as_part));
    cases.push(("cut off", Upload { body: content.slice(..5), cut: true, ..good.clone() }));
    for (what, bad) in cases {
        assert_eq!(door.send(bad).await, Sent::Refused, "{what}");
        assert_eq!(store.parts(&place, &id).await.unwrap(), Some(vec![]), "{what}");
        assert_eq!(store.parts(&place, &other).await.unwrap(), Some(vec![]), "{what}");
        assert!(store.head(&place).await.unwrap().is_none(), "{what}");
    }
    assert_eq!(door.send(good).await, Sent::Stored, "the ticket itself is good still");
    for upload in [&id, &other] {
        store.abort_parts(&place, upload).await.unwrap();
    }
}

async fn a_part_s_ticket_runs_out(store: Store, door: Entrance) {
    let place = fresh_place("a.mp4");
    let id = begin(&store, &place).await;
    let content = Bytes::from_static(b"0123456789");
    let terms = PartTerms { number: 1, size_bytes: 10 };
    let long_ago = Timestamp::from_seconds(now().seconds() - 3_600);
    let old = store.presign_part(&place, &id, terms, long_ago, 900).await.unwrap();
    assert_eq!(door.send(upload(&old, &content)).await, Sent::Refused);
    assert_eq!(store.parts(&place, &id).await.unwrap(), Some(vec![]));
    let still_good = store.presign_part(&place, &id, terms, long_ago, 7_200).await.unwrap();
    assert_eq!(door.send(upload(&still_good, &content)).await, Sent::Stored);
    store.abort_parts(&place, &id).await.unwrap();
}

async fn wrong_parts_are_named_and_nothing_is_lost(store: Store, door: Entrance) {
    let place = fresh_place("a.mp4");
    let id = begin(&store, &place).await;
    let contents = [noise(MIN), noise(MIN - 1), noise(10)];
    for (number, content) in (1..).zip(&contents) {
        send(&store, &door, &place, &id, number, content).await;
    }
    let good = tags(&store.parts(&place, &id).await.unwrap().unwrap());
    let tag = |number: u16, etag: &str| PartTag { number, etag: etag.into() };
    let [first, second, third] = [0, 1, 2].map(|index| good[index].clone());
    let cases = [
        ("too small", vec![first.clone(), second.clone(), third.clone()], 2),
        ("missing", vec![first.clone(), tag(4, &third.etag)], 4),
        ("another's ETag", vec![tag(1, &third.etag), third.clone()], 1),
        ("no ETag", vec![first.clone(), tag(3, "\"0123456789abcdef0123456789abcdef\"")], 3),
    ];
    for (what, parts, number) in cases {
        let completion = store.complete_parts(&place, &id, &parts).await.unwrap();
        assert!(names(&completion, number), "{what}: {completion:?}");
        assert!(store.head(&place).await.unwrap().is_none(), "{what}");
    }
    for parts in [vec![], vec![third.clone(), first.clone()], vec![first.clone(), first.clone()]] {
        let completion = store.complete_parts(&place, &id, &parts).await.unwrap();
        assert!(matches!(completion, Completion::WrongParts(_)), "{completion:?}");
        assert!(store.head(&place).await.unwrap().is_none());
    }
    assert_eq!(tags(&store.parts(&place, &id).await.unwrap().unwrap()), good, "all is as it was");
    // What stands in between may be left out, and quotes too.
    let bare = tag(1, first.etag.trim_matches('"'));
    assert_eq!(store.complete_parts(&place, &id, &[bare, third]).await.unwrap(), Completion::Done);
    let whole = [&contents[0][..], &contents[2][..]].concat();
    assert_eq!(bytes_of(&store, &place, None).await, Some((None, whole.into())));
}

async fn nothing_is_replaced(store: Store, door: Entrance) {
    let place = fresh_place("a.mp4");
    let (first, second) = (begin(&store, &place).await, begin(&store, &place).await);
    for (id, content) in [(&first, "first"), (&second, "second")] {
        send(&store, &door, &place, id, 1, &Bytes::from_static(content.as_bytes())).await;
    }
    assert_eq!(complete(&store, &place, &first).await, Completion::Done);
    assert_eq!(complete(&store, &place, &second).await, Completion::Exists);
    assert_eq!(bytes_of(&store, &place, None).await, Some((None, "first".into())));
    store.abort_parts(&place, &second).await.unwrap();

    let place = fresh_place("a.mp4");
    let id = begin(&store, &place).await;
    send(&store, &door, &place, &id, 1, &Bytes::from_static(b"in parts")).await;
    put(&store, &door, &place, b"whole").await;
    assert_eq!(complete(&store, &place, &id).await, Completion::Exists);
    assert_eq!(bytes_of(&store, &place, None).await, Some((None, "whole".into())));
    store.abort_parts(&place, &id).await.unwrap();
}

async fn racing_completions_make_one_file(store: Store, door: Entrance) {
    let place = fresh_place("a.mp4");
    let id = begin(&store, &place).await;
    let contents = [noise(MIN), noise(MIN), noise(1)];
    for (number, content) in (1..).zip(&contents) {
        send(&store, &door, &place, &id, number, content).await;
    }
    let tags = tags(&store.parts(&place, &id).await.unwrap().unwrap());
    let start = Arc::new(Barrier::new(8));
    let mut racers = JoinSet::new();
    for _ in 0..8 {
        let (store, place, id, tags, start) =
            (store.clone(), place.clone(), id.clone(), tags.clone(), start.clone());
        racers.spawn(async move {
            start.wait().await;
            store.complete_parts(&place, &id, &tags).await.unwrap()
        });
    }
    for completion in racers.join_all().await {
        assert_eq!(completion, Completion::Done);
    }
    assert_eq!(bytes_of(&store, &place, None).await, Some((None, contents.concat().into())));
    assert_eq!(store.parts(&place, &id).await.unwrap(), None);
}

async fn what_is_given_up_is_gone(store: Store, door: Entrance) {
    let place = fresh_place("a.mp4");
    let id = begin(&store, &place).await;
    let content = noise(10);
    let late = ticket(&store, &place, &id, 2, &content).await;
    send(&store, &door, &place, &id, 1, &content).await;
    let tags = tags(&store.parts(&place, &id).await.unwrap().unwrap());
    store.abort_parts(&place, &id).await.unwrap();
    store.abort_parts(&place, &id).await.unwrap();
    assert_eq!(store.parts(&place, &id).await.unwrap(), None);
    assert_eq!(door.send(late).await, Sent::Refused);
    assert_eq!(store.complete_parts(&place, &id, &tags).await.unwrap(), Completion::Unknown);
    assert!(store.head(&place).await.unwrap().is_none());
    assert_eq!(store.parts(&place, &id).await.unwrap(), None);
}

async fn an_upload_belongs_to_its_place(store: Store, door: Entrance) {
    let (place, elsewhere) = (fresh_place("a.mp4"), fresh_place("b.mp4"));
    let id = begin(&store, &place).await;
    send(&store, &door, &place, &id, 1, &Bytes::from_static(b"x")).await;
    let tags = tags(&store.parts(&place, &id).await.unwrap().unwrap());
    assert_eq!(store.parts(&elsewhere, &id).await.unwrap(), None);
    assert_eq!(store.complete_parts(&elsewhere, &id, &tags).await.unwrap(), Completion::Unknown);
    store.abort_parts(&elsewhere, &id).await.unwrap();
    assert!(store.head(&elsewhere).await.unwrap().is_none());
    for none in ["", "x", "../x", "01ARZ3NDEKTSV4RRFFQ69G5FAV"].map(PartsId::new) {
        assert_eq!(store.parts(&place, &none).await.unwrap(), None, "{none}");
        assert_eq!(store.complete_parts(&place, &none, &tags).await.unwrap(), Completion::Unknown, "{none}");
        store.abort_parts(&place, &none).await.unwrap();
    }
    assert_eq!(store.complete_parts(&place, &id, &tags).await.unwrap(), Completion::Done);
}

async fn begin(store: &Store, place: &ObjectLocation) -> PartsId {
    store.begin_parts(place, &ContentType::parse("video/mp4").unwrap()).await.unwrap()
}

/// Sends a part under a ticket made for it.
pub async fn send(
    store: &Store,
    door: &Entrance,
    place: &ObjectLocation,
    id: &PartsId,
    number: u16,
    content: &Bytes,
) {
    let request = ticket(store, place, id, number, content).await;
    assert_eq!(door.send(request).await, Sent::Stored, "part {number} of {place}");
}

async fn ticket(store: &Store, place: &ObjectLocation, id: &PartsId, number: u16, content: &Bytes) -> Upload {
    let terms = PartTerms { number, size_bytes: content.len() as u64 };
    let presigned = store.presign_part(place, id, terms, now(), 900).await.unwrap();
    assert_eq!((presigned.method, presigned.headers.as_slice()), ("PUT", &[][..]));
    upload(&presigned, content)
}

async fn complete(store: &Store, place: &ObjectLocation, id: &PartsId) -> Completion {
    let tags = tags(&store.parts(place, id).await.unwrap().unwrap());
    store.complete_parts(place, id, &tags).await.unwrap()
}

fn tags(parts: &[StoredPart]) -> Vec<PartTag> {
    parts.iter().map(|part| PartTag { number: part.number, etag: part.etag.clone() }).collect()
}

fn names(completion: &Completion, number: u16) -> bool {
    matches!(completion, Completion::WrongParts(why) if why.contains(&format!("part {number} ")))
}

fn now() -> Timestamp {
    SystemClock.now()
}

const MIN: usize = 5 * 1024 * 1024;
