//! What is deleted, or isn't a file yet, is out of reach: no link, old or new, leads to it.

use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::backed::{Ground, until};
use crate::support::http::{get, get_as, patch, post, raw_request, send};
use crate::support::multipart::{InParts, SMALL_PARTS, three_parts};
use crate::support::program::signet;
use crate::support::proxy::Wire;
use crate::support::s3::{client, server};
use crate::support::settings::{ANNA, two_tenants};
use crate::support::upload::{finalize, picture, put, ready, ticket};
use crate::support::{Node, fresh_dev};

const STABLE: (&str, &str) = ("SIGNET__DELIVERY__PUBLIC", "stable");

fn id(asset: &Value) -> String {
    asset["assetId"].as_str().unwrap().to_owned()
}

async fn delete(url: &str, key: &str) -> u16 {
    send("DELETE", url, &[("authorization", key)], "").await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_file_is_out_of_reach_until_it_is_restored() {
    for environment in [&[][..], &[STABLE], &[("SIGNET__DELIVERY__PRIVATE", "s3")]] {
        let folder = TempDir::new().unwrap();
        let node = Node::dev(&folder.path().join("data"), environment);
        let bytes = picture(5_000, 7);
        for visibility in ["PUBLIC", "PRIVATE"] {
            let more = json!({"visibility": visibility});
            let asset = ready(&node.api, &node.api_key, "a b.jpg", &bytes, more).await;
            let url = format!("{}/media/v1/assets/{}", node.api, id(&asset));
            let links = format!("{}/media/v1/links", node.api);
            let new = async |key: &str| {
                let answer = post(&links, &node.api_key, json!({"keys": [key]})).await.json();
                answer["links"][0]["link"].as_str().map(str::to_owned)
            };
            let key = asset["storageKey"].as_str().unwrap();
            let old = [Some(asset["url"].as_str().unwrap().to_owned()), new(key).await];
            assert_eq!(get(old[0].as_ref().unwrap(), &[]).await.body, bytes);

            assert_eq!(delete(&url, &node.api_key).await, 204);
            for link in old.iter().flatten().chain(new(key).await.iter()) {
                assert_eq!(get(link, &[]).await.status, 404, "{link}");
            }
            get_as(&url, &node.api_key).await.assert_problem(404, "asset-not-found");
            assert_eq!(delete(&url, &node.api_key).await, 404, "once");

            let restored = post(&format!("{url}/restore"), &node.api_key, "").await;
            assert_eq!(restored.status, 200, "{}", restored.text());
            assert_eq!(restored.json()["storageKey"], key);
            for link in [old[0].as_ref().unwrap(), restored.json()["url"].as_str().unwrap()] {
                assert_eq!(get(link, &[]).await.body, bytes, "{link}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_caller_can_name_leads_to_the_trash() {
    let shared = [("SIGNET__CDN__PATH", "{tenant}"), ("SIGNET__CDN__BUCKET", "media")];
    for environment in [&[][..], &shared, &[STABLE], &[shared[0], shared[1], STABLE]] {
        let folder = TempDir::new().unwrap();
        let node = Node::dev(&folder.path().join("data"), environment);
        let asset =
            ready(&node.api, &node.api_key, "a.jpg", &picture(500, 7), json!({"visibility": "PUBLIC"})).await;
        let url = format!("{}/media/v1/assets/{}", node.api, id(&asset));
        assert_eq!(delete(&url, &node.api_key).await, 204);

        let is_shared = environment.contains(&shared[0]);
        let root = format!("{}/{}", node.edge, if is_shared { "t_demo" } else { "vivreal-demo" });
        let file =
            if is_shared { format!("{}/a.jpg", id(&asset)) } else { format!("t_demo/{}/a.jpg", id(&asset)) };
        let key = format!("trash/{file}");
        let ask = json!({
            "keys": [key], "urls": [format!("{root}/{key}"), format!("{root}/%74rash/{file}"), format!("{root}/trash")],
        });
        let rows = post(&format!("{}/media/v1/links", node.api), &node.api_key, ask).await.json();
        for row in rows["links"].as_array().unwrap() {
            assert_eq!((&row["reason"], row.get("link")), (&json!("invalid_key"), None), "{row}");
        }
        let document = json!([
            {"name": "a", "key": key, "type": "image/jpeg"}, format!("{root}/{key}"),
            format!("<img src='{root}/{key}'><img data-media-key='{key}'>"),
        ]);
        let signed = post(&format!("{}/media/v1/documents", node.api), &node.api_key, document).await;
        assert_eq!(signed.status, 200, "{}", signed.text());
        assert!(signed.header("signet-media").contains("signed=0"), "{:?}", signed.headers);
        for folder in ["trash/", "trash/t_demo/", "%74rash/"] {
            let cookies = format!("{}/media/v1/cookies", node.api);
            let refused = post(&cookies, &node.api_key, json!({"folder": folder})).await;
            refused.assert_problem(422, "invalid-field");
        }
        // With a good signature, too: one that was made elsewhere with the same key pair.
        let private = node.data.join("keys/private.pem");
        let pair = node.facts["keyPairId"].as_str().unwrap();
        for path in [format!("{root}/{key}"), format!("{root}/%74rash/{file}")] {
            let made = [
                "sign",
                "--private-key",
                private.to_str().unwrap(),
                "--key-pair-id",
                pair,
                "--ttl",
                "300",
                &path,
            ];
            let made = signet(&made, b"");
            assert_eq!(made.code, 0, "{}", made.diagnostics);
            let target = made.answer.trim_end().strip_prefix(node.edge.as_str()).unwrap().to_owned();
            assert_eq!(raw_request(&node.edge, "GET", &target, &[]).status, 404, "{target}");
            let bare = path.strip_prefix(node.edge.as_str()).unwrap();
            assert!(matches!(raw_request(&node.edge, "GET", bare, &[]).status, 403 | 404), "{bare}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_stable_urls_nothing_is_public_before_it_was_looked_at() {
    let folder = TempDir::new().unwrap();
    let environment = [&[STABLE, ("SIGNET__UPLOADS__GRACE_SECONDS", "0")][..], &SMALL_PARTS].concat();
    let node = Node::dev(&folder.path().join("data"), &environment);
    let key = node.api_key.clone();
    let stable = |id: &str, name: &str| format!("{}/vivreal-demo/t_demo/{id}/{name}", node.edge);
    let more = json!({"visibility": "PUBLIC"});

    let bytes = picture(5_000, 7);
    let good = ticket(&node.api, &key, "a.jpg", 5_000, more.clone()).await;
    assert!(good["storageKey"].as_str().unwrap().starts_with("private/"), "{good}");
    let url = stable(&id(&good), "a.jpg");
    assert_eq!(put(&good, bytes.clone()).await.status, 200);
    assert_eq!(get(&url, &[]).await.status, 404, "PENDING");
    let finalizing = (0..8).map(|_| {
        let (api, key, id) = (node.api.clone(), key.clone(), id(&good));
        tokio::spawn(async move { finalize(&api, &key, &id).await })
    });
    for answer in futures_util::future::join_all(finalizing).await {
        let asset = answer.unwrap();
        assert_eq!(asset.status, 200, "{}", asset.text());
        let asset = asset.json();
        assert_eq!((&asset["status"], &asset["url"]), (&json!("READY"), &json!(url)));
        assert_eq!(asset["storageKey"], format!("t_demo/{}/a.jpg", id(&good)));
    }
    assert_eq!(get(&url, &[]).await.body, bytes);
    let evil = picture(5_000, 8);
    assert_eq!(put(&good, evil.clone()).await.status, 412);
    assert_eq!(finalize(&node.api, &key, &id(&good)).await.status, 200);
    assert_eq!(get(&url, &[]).await.body, bytes);
    let asset = format!("{}/media/v1/assets/{}", node.api, id(&good));
    assert_eq!(delete(&asset, &key).await, 204);
    assert_eq!(get(&url, &[]).await.status, 404, "deleted");
    assert_eq!(put(&good, evil).await.status, 412);
    assert_eq!(post(&format!("{asset}/restore"), &key, "").await.status, 200);
    assert_eq!(get(&url, &[]).await.body, bytes);
    assert_eq!(patch(&asset, &key, json!({"visibility": "PRIVATE"})).await.status, 200);
    assert_eq!(get(&url, &[]).await.status, 404, "PRIVATE");

    let bad = ticket(&node.api, &key, "b.jpg", 5_000, more).await;
    let html = format!("{:<5000}", "<html><script>alert(1)</script>");
    assert_eq!(put(&bad, html.into()).await.status, 200);
    for _ in 0..2 {
        assert_eq!(get(&stable(&id(&bad), "b.jpg"), &[]).await.status, 404);
        finalize(&node.api, &key, &id(&bad)).await.assert_problem(409, "upload-rejected");
    }

    let large = three_parts();
    let upload = InParts::begin(&node.api, &key, &large).await;
    assert!(upload.ticket["storageKey"].as_str().unwrap().starts_with("private/"));
    let tags = upload.send_all(&large).await;
    assert_eq!(get(&stable(&upload.id, "large.jpg"), &[]).await.status, 404);
    let asset = upload.complete(&tags).await;
    assert_eq!(asset.status, 200, "{}", asset.text());
    assert!(get(&stable(&upload.id, "large.jpg"), &[]).await.body == large);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_nobody_finalizes_is_published_by_the_worker_alone() {
    let folder = TempDir::new().unwrap();
    let environment = [
        STABLE,
        ("SIGNET__UPLOADS__TICKET_SECONDS", "3"),
        ("SIGNET__UPLOADS__GRACE_SECONDS", "0"),
        ("SIGNET__LIFECYCLE__INTERVAL_SECONDS", "1"),
    ];
    let node = Node::dev(&folder.path().join("data"), &environment);
    let bytes = picture(5_000, 7);
    let ticket = ticket(&node.api, &node.api_key, "a.jpg", 5_000, json!({"visibility": "PUBLIC"})).await;
    assert_eq!(put(&ticket, bytes.clone()).await.status, 200);
    let url = format!("{}/vivreal-demo/t_demo/{}/a.jpg", node.edge, id(&ticket));
    assert_eq!(get(&url, &[]).await.status, 404);
    until(async || get(&url, &[]).await.status == 200).await;
    assert_eq!(get(&url, &[]).await.body, bytes);
    let asset = get_as(&format!("{}/media/v1/assets/{}", node.api, id(&ticket)), &node.api_key).await.json();
    assert_eq!((&asset["status"], &asset["url"]), (&json!("READY"), &json!(url)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_the_store_holds_up_says_so_and_is_finished() {
    let quick = [("SIGNET__LIFECYCLE__INTERVAL_SECONDS", "1")];
    let fast = [quick[0], ("SIGNET__SERVER__ANSWER_SECONDS", "4")];
    for (environment, wire, expected) in [(&[][..], Wire::Cut, 503), (&fast, Wire::Silent, 202)] {
        // A ground of its own: the lease of a worker that was killed is another one's for some minutes.
        let ground = Ground::new().await;
        let backed = ground.node_with(environment).await;
        let bytes = picture(5_000, 7);
        let asset = ready(&backed.node.api, ANNA.2, "a.jpg", &bytes, json!({"visibility": "PUBLIC"})).await;
        let url = backed.url(&format!("/media/v1/assets/{}", id(&asset)));
        let link = asset["url"].as_str().unwrap();
        backed.s3.set(wire);
        let answer = send("DELETE", &url, &[("authorization", ANNA.2)], "").await;
        assert_eq!(answer.status, expected, "{}", answer.text());
        if expected == 202 {
            assert_eq!(answer.json(), json!({"assetId": id(&asset), "deleting": true}));
        } else {
            answer.assert_problem(503, "store-unavailable");
            assert!(!answer.header("retry-after").is_empty());
        }
        // Links end at once; the asset says what is going on.
        let permalink = get(&backed.url(&format!("/m/{}", id(&asset))), &[]).await;
        permalink.assert_problem(404, "asset-not-found");
        let seen = get_as(&url, ANNA.2).await;
        assert_eq!((seen.status, &seen.json()["deleting"]), (200, &json!(true)), "{}", seen.text());
        assert!(seen.json().get("url").is_none());
        patch(&url, ANNA.2, json!({"visibility": "PRIVATE"})).await.assert_problem(404, "asset-not-found");

        backed.s3.set(Wire::Whole);
        if expected == 503 {
            // There is no worker that could be quicker.
            assert_eq!(delete(&url, ANNA.2).await, 204, "a repeat does what is left");
        } else {
            until(async || get_as(&url, ANNA.2).await.status == 404).await;
        }
        get_as(&url, ANNA.2).await.assert_problem(404, "asset-not-found");
        assert_eq!(get(link, &[]).await.status, 404);
        assert_eq!(post(&format!("{url}/restore"), ANNA.2, "").await.status, 200);
        assert_eq!(get(link, &[]).await.body, bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_fails_brings_nothing_back_and_loses_nothing() {
    let ground = Ground::new().await;
    let backed = ground.node().await;
    let bytes = picture(5_000, 7);
    let asset = ready(&backed.node.api, ANNA.2, "a.jpg", &bytes, json!({"visibility": "PUBLIC"})).await;
    let url = backed.url(&format!("/media/v1/assets/{}", id(&asset)));
    assert_eq!(delete(&url, ANNA.2).await, 204);
    backed.s3.set(Wire::Cut);
    let failed = post(&format!("{url}/restore"), ANNA.2, "").await;
    failed.assert_problem(503, "store-unavailable");
    get(&backed.url(&format!("/m/{}", id(&asset))), &[]).await.assert_problem(404, "asset-not-found");
    backed.s3.set(Wire::Whole);
    assert_eq!(post(&format!("{url}/restore"), ANNA.2, "").await.status, 200);
    assert_eq!(get(asset["url"].as_str().unwrap(), &[]).await.body, bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn deletions_and_moves_at_once_leave_nothing_in_reach() {
    let (_folder, node) = fresh_dev();
    for _ in 0..5 {
        let bytes = picture(200_000, 7);
        let asset = ready(&node.api, &node.api_key, "a.jpg", &bytes, json!({"visibility": "PUBLIC"})).await;
        let url = format!("{}/media/v1/assets/{}", node.api, id(&asset));
        let calls = (0..12).map(|number| {
            let (url, key) = (url.clone(), node.api_key.clone());
            tokio::spawn(async move {
                if number % 3 == 0 {
                    return (false, patch(&url, &key, json!({"visibility": "PRIVATE"})).await.status);
                }
                (true, delete(&url, &key).await)
            })
        });
        let answers: Vec<(bool, u16)> =
            futures_util::future::join_all(calls).await.into_iter().map(Result::unwrap).collect();
        // One that is held up by a change of visibility may be finished by another one.
        assert!(answers.contains(&(true, 204)), "{answers:?}");
        let expected = |(deletes, status): &(bool, u16)| match deletes {
            true => matches!(status, 204 | 404),
            false => matches!(status, 200 | 404 | 409),
        };
        assert!(answers.iter().all(expected), "{answers:?}");
        let key = asset["storageKey"].as_str().unwrap();
        for key in [key.to_owned(), format!("private/{key}")] {
            let links = format!("{}/media/v1/links", node.api);
            let row = post(&links, &node.api_key, json!({"keys": [key]})).await.json();
            if let Some(link) = row["links"][0]["link"].as_str() {
                assert_eq!(get(link, &[]).await.status, 404, "{key}");
            }
        }
    }
}

/// What lies on top of a key's versions, or is one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    File,
    Tombstone,
    Marker,
}

/// A bucket that keeps versions, for two tenants.
struct Versioned {
    bucket: String,
    folder: TempDir,
    settings: String,
    s3: aws_sdk_s3::Client,
}

impl Versioned {
    async fn new() -> Self {
        let (folder, s3) = (TempDir::new().unwrap(), client().await);
        let bucket = format!("versions-{}", ulid::Ulid::generate().to_string().to_lowercase());
        server().make_bucket(&bucket).await;
        let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        s3.put_bucket_versioning().bucket(&bucket).versioning_configuration(enabled).send().await.unwrap();
        let layout = format!("path = \"{{tenant}}\"\nbucket = \"{bucket}\"");
        let settings = two_tenants(folder.path(), &layout, "vectors/rsa", false);
        Self { bucket, folder, settings, s3 }
    }

    fn node(&self, more: &[(&str, &str)]) -> Node {
        let environment = server().environment(&server().address);
        let environment = environment.iter().map(|(name, value)| (*name, value.as_str()));
        let environment: Vec<_> = environment.chain(more.iter().copied()).collect();
        tokio::task::block_in_place(|| Node::serve(self.folder.path(), &self.settings, &environment))
    }

    async fn put(&self, key: &str, bytes: &'static [u8]) {
        self.s3.put_object().bucket(&self.bucket).key(key).body(bytes.to_vec().into()).send().await.unwrap();
    }

    async fn remove(&self, key: &str) {
        self.s3.delete_object().bucket(&self.bucket).key(key).send().await.unwrap();
    }

    /// All versions of an asset's objects: key, what it is, whether it is the newest.
    async fn all(&self, id: &str) -> Vec<(String, Version, bool)> {
        let listed = self.s3.list_object_versions().bucket(&self.bucket).send().await.unwrap();
        let mut all = Vec::new();
        for marker in listed.delete_markers() {
            all.push((marker.key().unwrap().to_owned(), Version::Marker, marker.is_latest() == Some(true)));
        }
        for version in listed.versions() {
            let head = self.s3.head_object().bucket(&self.bucket).key(version.key().unwrap());
            let head = match head.set_version_id(version.version_id.clone()).send().await {
                // A purge has removed it since it was listed.
                Err(error) if error.raw_response().is_some_and(|raw| raw.status().as_u16() == 404) => {
                    continue;
                }
                head => head.unwrap(),
            };
            let is_tombstone = head.metadata().is_some_and(|all| all.contains_key("signet-tombstone"));
            let kind = if is_tombstone { Version::Tombstone } else { Version::File };
            all.push((version.key().unwrap().to_owned(), kind, version.is_latest() == Some(true)));
        }
        all.retain(|(key, ..)| key.contains(id));
        all
    }

    /// The newest version of a key.
    async fn newest(&self, key: &str) -> Version {
        let id = key.split('/').rev().nth(1).unwrap();
        let all = self.all(id).await;
        let newest: Vec<_> = all.iter().filter(|(found, _, newest)| found == key && *newest).collect();
        assert_eq!(newest.len(), 1, "{key}: {all:?}");
        newest[0].1
    }
}

/// Where the key of a file of the tenants of [`Versioned`] lies in their bucket.
fn in_bucket(asset: &Value) -> String {
    asset["storageKey"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_keeps_versions_hides_what_is_deleted_and_copies_nothing() {
    let bucket = Versioned::new().await;
    let node = bucket.node(&[]);
    let (bytes, public) = (picture(5_000, 7), json!({"visibility": "PUBLIC"}));
    let good = ticket(&node.api, ANNA.2, "a.jpg", 5_000, public).await;
    assert_eq!(put(&good, bytes.clone()).await.status, 200);
    let asset = finalize(&node.api, ANNA.2, &id(&good)).await.json();
    let url = format!("{}/media/v1/assets/{}", node.api, id(&asset));
    let (link, file) = (asset["url"].as_str().unwrap(), in_bucket(&asset));
    let [small, gone] = ["320", "640"].map(|width| format!("{file}.{width}.jpg"));
    bucket.put(&small, b"small").await;
    bucket.put(&gone, b"gone").await;
    bucket.remove(&gone).await;
    // What was removed well before the asset was stays so.
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;

    for _ in 0..2 {
        assert_eq!(delete(&url, ANNA.2).await, 204);
        assert_eq!(get(link, &[]).await.status, 404);
        assert_eq!(bucket.newest(&file).await, Version::Tombstone, "while the ticket is good");
        assert_eq!(put(&good, picture(5_000, 8)).await.status, 412);
        assert_eq!(bucket.newest(&small).await, Version::Marker);
        let all = bucket.all(&id(&asset)).await;
        assert!(all.iter().all(|(key, ..)| !key.contains("trash/")), "{all:?}");

        assert_eq!(post(&format!("{url}/restore"), ANNA.2, "").await.status, 200);
        assert_eq!(get(link, &[]).await.body, bytes);
        assert_eq!(bucket.newest(&small).await, Version::File);
        assert_eq!(bucket.newest(&gone).await, Version::Marker, "it was deleted on purpose");
        assert_eq!(put(&good, picture(5_000, 8)).await.status, 412);
    }

    // Moved, deleted and restored: nothing comes back where it was.
    let moved = patch(&url, ANNA.2, json!({"visibility": "PRIVATE"})).await.json();
    assert_eq!(delete(&url, ANNA.2).await, 204);
    for key in [&file, &in_bucket(&moved)] {
        assert_eq!(bucket.newest(key).await, Version::Tombstone, "{key}");
    }
    let restored = post(&format!("{url}/restore"), ANNA.2, "").await;
    assert_eq!(restored.status, 200, "{}", restored.text());
    assert_eq!(get(restored.json()["url"].as_str().unwrap(), &[]).await.body, bytes);
    assert_eq!(get(link, &[]).await.status, 404);
    assert_eq!(bucket.newest(&file).await, Version::Tombstone);
    assert_ne!(bucket.newest(&small).await, Version::File);
    assert_eq!(bucket.newest(&format!("{}.320.jpg", in_bucket(&moved))).await, Version::File);

    // A ticket that nobody has used may be used again.
    let unused = ticket(&node.api, ANNA.2, "b.jpg", 5_000, json!({"visibility": "PRIVATE"})).await;
    let url = format!("{}/media/v1/assets/{}", node.api, id(&unused));
    assert_eq!(delete(&url, ANNA.2).await, 204);
    assert_eq!(put(&unused, bytes.clone()).await.status, 412);
    assert_eq!(post(&format!("{url}/restore"), ANNA.2, "").await.status, 200);
    assert_eq!(put(&unused, bytes).await.status, 200);
    assert_eq!(finalize(&node.api, ANNA.2, &id(&unused)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_keeps_versions_keeps_none_of_a_purged_file() {
    let bucket = Versioned::new().await;
    let quick = [
        ("SIGNET__UPLOADS__TICKET_SECONDS", "10"),
        ("SIGNET__UPLOADS__GRACE_SECONDS", "0"),
        ("SIGNET__UPLOADS__LATE_SECONDS", "0"),
        ("SIGNET__LIFECYCLE__INTERVAL_SECONDS", "1"),
    ];
    let node = bucket.node(&quick);
    let (bytes, public) = (picture(5_000, 7), json!({"visibility": "PUBLIC"}));
    let deleted = ready(&node.api, ANNA.2, "a.jpg", &bytes, public.clone()).await;
    let moved = ready(&node.api, ANNA.2, "b.jpg", &bytes, public).await;
    let url = |asset: &Value| format!("{}/media/v1/assets/{}", node.api, id(asset));
    bucket.put(&format!("{}.320.jpg", in_bucket(&deleted)), b"small").await;
    assert_eq!(delete(&url(&deleted), ANNA.2).await, 204);
    let private = patch(&url(&moved), ANNA.2, json!({"visibility": "PRIVATE"})).await.json();
    // The ticket's end replaces tombstones, and brings nothing back.
    for asset in [&deleted, &moved] {
        until(async || {
            assert_eq!(get(asset["url"].as_str().unwrap(), &[]).await.status, 404);
            bucket.newest(&in_bucket(asset)).await == Version::Marker
        })
        .await;
    }
    assert_eq!(get(private["url"].as_str().unwrap(), &[]).await.body, bytes);

    assert_eq!(post(&format!("{}/restore", url(&deleted)), ANNA.2, "").await.status, 200);
    let keys = [in_bucket(&deleted), format!("{}.320.jpg", in_bucket(&deleted))];
    for key in &keys {
        assert_eq!(bucket.newest(key).await, Version::File, "{key}");
    }
    assert_eq!(get(deleted["url"].as_str().unwrap(), &[]).await.body, bytes);
    for asset in [&deleted, &moved] {
        assert_eq!(delete(&url(asset), ANNA.2).await, 204);
    }
    for key in keys.iter().chain([&in_bucket(&private)]) {
        assert_eq!(bucket.newest(key).await, Version::Marker, "{key}: its ticket is over");
    }
    let all = bucket.all(&id(&deleted)).await;
    assert!(all.iter().all(|(key, ..)| !key.contains("trash/")), "{all:?}");
    for asset in [&deleted, &moved] {
        assert_eq!(post(&format!("{}/restore", url(asset)), ANNA.2, "").await.status, 200);
    }
    // It gives the worker's lease back. What is deleted from now on is purged at once.
    assert_eq!(node.terminate(), Some(0));
    let node = bucket.node(&[&quick[..], &[("SIGNET__UPLOADS__RETENTION_DAYS", "0")]].concat());
    for asset in [&deleted, &moved] {
        assert!(bucket.all(&id(asset)).await.len() > 1);
        let url = format!("{}/media/v1/assets/{}", node.api, id(asset));
        assert_eq!(delete(&url, ANNA.2).await, 204);
        until(async || bucket.all(&id(asset)).await.is_empty()).await;
    }
}
