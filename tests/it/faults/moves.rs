//! Changes of visibility that were cut off: the next call finishes them before it answers.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use signet::media::{Asset, AssetId, Hold, Timestamp, Visibility};
use signet::service::ports::{AssetStore, ObjectLocation, ObjectStore, Update};
use signet::store::embedded::{Embedded, Files};
use tempfile::TempDir;

use crate::support::Node;
use crate::support::backed::Ground;
use crate::support::http::{get, get_as, patch, post};
use crate::support::proxy::Wire;
use crate::support::settings::{ANNA, two_tenants};
use crate::support::upload::{picture, ready};

const LAYOUT: &str = "path = \"{tenant}\"\nbucket = \"media\"";

fn serve(folder: &Path) -> Node {
    Node::serve(folder, &two_tenants(folder, LAYOUT, "vectors/rsa", false), &[])
}

fn location(asset: &Asset, visibility: Visibility) -> ObjectLocation {
    let key = match visibility {
        Visibility::Public => asset.key.in_public(),
        Visibility::Private => asset.key.in_private(),
    };
    ObjectLocation { bucket: "media".to_owned(), key: format!("{}/{}", ANNA.0, key.as_str()) }
}

/// The stores of a node that is down.
async fn open(folder: &Path) -> (Embedded, Files) {
    let store = Embedded::open(&folder.join("data")).unwrap();
    let secret = store.secret("uploads").await.unwrap();
    let files = Files::new(store.objects_dir(), "http://127.0.0.1/objects", &secret).unwrap();
    (store, files)
}

/// Leaves an asset as a node does that is killed in the middle of a move: a copy of the file lies in both places, and the
/// hold lasts until `until`. `moved_to` is there if the node had pointed the asset at the copy.
async fn cut_off(folder: &Path, id: &str, moved_to: Option<Visibility>, until: Timestamp) {
    let (store, files) = open(folder).await;
    let id: AssetId = id.parse().unwrap();
    let asset = store.find_anywhere(id).await.unwrap().unwrap();
    let other = match asset.visibility {
        Visibility::Public => Visibility::Private,
        Visibility::Private => Visibility::Public,
    };
    let (here, there) = (location(&asset, asset.visibility), location(&asset, other));
    assert!(files.copy(&here, &there).await.unwrap(), "{here}");
    let now = Timestamp::from_seconds(until.seconds() - 1);
    let mut held = asset.clone().held(Hold { by: "a node that was killed".to_owned(), until }, now);
    // The worker, which looks at what is due when a node starts, isn't to be faster than the test.
    held.due_at = Some(until.plus_seconds(3_600));
    if let Some(visibility) = moved_to {
        held.visibility = visibility;
        held.key = match visibility {
            Visibility::Public => asset.key.in_public(),
            Visibility::Private => asset.key.in_private(),
        };
        held.moved = true;
    }
    assert_eq!(store.update(&held).await.unwrap(), Update::Done);
}

/// Leaves a restored asset as a node does that is killed before it has cleared the trash.
async fn leave_in_trash(folder: &Path, id: &str) {
    let (store, files) = open(folder).await;
    let asset = store.find_anywhere(id.parse().unwrap()).await.unwrap().unwrap();
    let trash = trash(&asset);
    assert!(files.copy(&location(&asset, asset.visibility), &trash).await.unwrap(), "{trash}");
    let mut held = asset.held(Hold { by: "a node that was killed".to_owned(), until: now() }, now());
    held.due_at = Some(now().plus_seconds(3_600));
    assert_eq!(store.update(&held).await.unwrap(), Update::Done);
}

fn trash(asset: &Asset) -> ObjectLocation {
    let key = asset.key.in_trash();
    ObjectLocation { bucket: "media".to_owned(), key: format!("{}/{}", ANNA.0, key.as_str()) }
}

/// Whether there is a public copy of an asset's file, and a private one.
async fn copies(folder: &Path, id: &str) -> (bool, bool) {
    let (store, files) = open(folder).await;
    let asset = store.find_anywhere(id.parse().unwrap()).await.unwrap().unwrap();
    let there = async |visibility| files.head(&location(&asset, visibility)).await.unwrap().is_some();
    (there(Visibility::Public).await, there(Visibility::Private).await)
}

fn now() -> Timestamp {
    Timestamp::from_seconds(signet::config::time::now())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_call_answers_only_when_the_other_copy_is_gone() {
    let folder = TempDir::new().unwrap();
    for (asked, pointed) in [
        (Visibility::Private, Some(Visibility::Private)),
        (Visibility::Private, None),
        (Visibility::Public, Some(Visibility::Public)),
    ] {
        let node = serve(folder.path());
        let first = if asked == Visibility::Private { "PUBLIC" } else { "PRIVATE" };
        let asset = ready(&node.api, ANNA.2, "a.jpg", &picture(500, 1), json!({"visibility": first})).await;
        let id = asset["assetId"].as_str().unwrap().to_owned();
        assert_eq!(node.terminate(), Some(0));
        cut_off(folder.path(), &id, pointed, now()).await;
        assert_eq!(copies(folder.path(), &id).await, (true, true));
        let node = serve(folder.path());
        let url = format!("{}/media/v1/assets/{id}", node.api);
        let wanted = if asked == Visibility::Private { "PRIVATE" } else { "PUBLIC" };
        let again = patch(&url, ANNA.2, json!({"visibility": wanted, "metadata": {"alt": "b"}})).await;
        assert_eq!(again.status, 200, "{}", again.text());
        let again = again.json();
        assert_eq!((&again["visibility"], &again["metadata"]["alt"]), (&json!(wanted), &json!("b")));
        assert_eq!(get(again["url"].as_str().unwrap(), &[]).await.status, 200);
        assert_eq!(node.terminate(), Some(0));
        let is_public = asked == Visibility::Public;
        assert_eq!(copies(folder.path(), &id).await, (is_public, !is_public), "{asked:?} {pointed:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_waits_for_a_move_that_is_under_way_and_then_gets_a_503_with_retry_after() {
    let folder = TempDir::new().unwrap();
    let node = serve(folder.path());
    let public = json!({"visibility": "PUBLIC"});
    let mut ids = Vec::new();
    for _ in 0..2 {
        let asset = ready(&node.api, ANNA.2, "a.jpg", &picture(500, 1), public.clone()).await;
        ids.push(asset["assetId"].as_str().unwrap().to_owned());
    }
    assert_eq!(node.terminate(), Some(0));
    let began = Instant::now();
    for (id, seconds) in ids.iter().zip([2, 3_600]) {
        cut_off(folder.path(), id, None, Timestamp::from_seconds(now().seconds() + seconds)).await;
    }
    let node = serve(folder.path());
    let [soon, late] = [0, 1].map(|at| format!("{}/media/v1/assets/{}", node.api, ids[at]));
    let private = json!({"visibility": "PRIVATE"});
    let (soon, refused) =
        tokio::join!(patch(&soon, ANNA.2, private.clone()), patch(&late, ANNA.2, private.clone()));
    assert_eq!(soon.status, 200, "{}", soon.text());
    assert!(began.elapsed() >= Duration::from_secs(1), "it hasn't waited");
    refused.assert_problem(503, "concurrent-change");
    assert_ne!(refused.header("retry-after"), "");
    // What doesn't move the file goes on meanwhile.
    let described = patch(&late, ANNA.2, json!({"metadata": {"alt": "b"}})).await;
    assert_eq!((described.status, &described.json()["visibility"]), (200, &json!("PUBLIC")));
    assert_eq!(get_as(&late, ANNA.2).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_the_object_store_leaves_no_hold() {
    let ground = Ground::new().await;
    let backed = ground.node().await;
    let asset = ready(&backed.node.api, ANNA.2, "a.jpg", &picture(500, 1), json!({})).await;
    let url = backed.url(&format!("/media/v1/assets/{}", asset["assetId"].as_str().unwrap()));
    for wanted in ["PUBLIC", "PRIVATE"] {
        backed.s3.set(Wire::Cut);
        let refused = patch(&url, ANNA.2, json!({"visibility": wanted})).await;
        refused.assert_problem(503, "store-unavailable");
        assert_ne!(refused.header("retry-after"), "");
        backed.s3.set(Wire::Whole);
        let began = Instant::now();
        let again = patch(&url, ANNA.2, json!({"visibility": wanted})).await;
        assert_eq!((again.status, &again.json()["visibility"]), (200, &json!(wanted)), "{}", again.text());
        assert!(began.elapsed() < Duration::from_secs(5), "it has waited for a hold");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_was_cut_off_is_finished_by_the_next_call() {
    let folder = TempDir::new().unwrap();
    let node = serve(folder.path());
    let mut ids = Vec::new();
    for _ in 0..2 {
        let asset = ready(&node.api, ANNA.2, "a.jpg", &picture(500, 1), json!({})).await;
        ids.push(asset["assetId"].as_str().unwrap().to_owned());
    }
    assert_eq!(node.terminate(), Some(0));
    for id in &ids {
        leave_in_trash(folder.path(), id).await;
    }
    let node = serve(folder.path());
    let [repeated, moved] = [0, 1].map(|at| format!("{}/media/v1/assets/{}", node.api, ids[at]));
    let restore = post(&format!("{repeated}/restore"), ANNA.2, "").await;
    assert_eq!((restore.status, &restore.json()["status"]), (200, &json!("READY")), "{}", restore.text());
    post(&format!("{repeated}/restore"), ANNA.2, "").await.assert_problem(409, "not-deleted");
    let patched = patch(&moved, ANNA.2, json!({"visibility": "PUBLIC"})).await;
    assert_eq!(patched.status, 200, "{}", patched.text());
    assert_eq!(node.terminate(), Some(0));
    let (store, files) = open(folder.path()).await;
    for id in &ids {
        let asset = store.find_anywhere(id.parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(files.head(&trash(&asset)).await.unwrap(), None, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_that_is_changed_while_its_asset_moves_stays() {
    let ground = Ground::new().await;
    let (moving, other) = (ground.node().await, ground.node().await);
    let asset = ready(&moving.node.api, ANNA.2, "a.jpg", &picture(500, 1), json!({})).await;
    let path = format!("/media/v1/assets/{}", asset["assetId"].as_str().unwrap());
    moving.s3.keep_back("x-amz-copy-source");
    let url = moving.url(&path);
    let change = json!({"visibility": "PUBLIC", "metadata": {"alt": "b"}});
    let move_it = tokio::spawn(async move { patch(&url, ANNA.2, change).await });
    moving.s3.kept_back().await;
    let described = patch(&other.url(&path), ANNA.2, json!({"metadata": {"title": "c"}})).await;
    assert_eq!(described.status, 200, "{}", described.text());
    moving.s3.let_through();
    assert_eq!(move_it.await.unwrap().status, 200);
    let now = get_as(&moving.url(&path), ANNA.2).await.json();
    assert_eq!(now["visibility"], json!("PUBLIC"));
    assert_eq!((&now["metadata"]["alt"], &now["metadata"]["title"]), (&json!("b"), &json!("c")));
}
