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

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_keeps_versions_gives_a_file_back_and_keeps_none_of_a_purged_one() {
    let folder = TempDir::new().unwrap();
    let bucket = format!("versions-{}", ulid::Ulid::generate().to_string().to_lowercase());
    server().make_bucket(&bucket).await;
    let versioning = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let enable = client().await.put_bucket_versioning().bucket(&bucket).versioning_configuration(versioning);
    enable.send().await.unwrap();
    let versions = async || {
        let listed = client().await.list_object_versions().bucket(&bucket).send().await.unwrap();
        listed.versions().len() + listed.delete_markers().len()
    };
    let layout = format!("path = \"{{tenant}}\"\nbucket = \"{bucket}\"");
    let settings = two_tenants(folder.path(), &layout, "vectors/rsa", false);
    let environment = server().environment(&server().address);
    let mut environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let start = |environment: &[(&str, &str)]| Node::serve(folder.path(), &settings, environment);
    let bytes = picture(5_000, 7);
    let more = json!({"visibility": "PUBLIC"});
    let node = start(&environment);
    let asset = ready(&node.api, ANNA.2, "a.jpg", &bytes, more.clone()).await;
    let url = |node: &Node, asset: &Value| format!("{}/media/v1/assets/{}", node.api, id(asset));
    let link = asset["url"].as_str().unwrap().to_owned();
    for _ in 0..2 {
        assert_eq!(delete(&url(&node, &asset), ANNA.2).await, 204);
        assert_eq!(get(&link, &[]).await.status, 404);
        assert_eq!(post(&format!("{}/restore", url(&node, &asset)), ANNA.2, "").await.status, 200);
        assert_eq!(get(&link, &[]).await.body, bytes);
    }
    assert_eq!(delete(&url(&node, &asset), ANNA.2).await, 204);
    assert!(versions().await > 1);
    // It gives the worker's lease back.
    assert_eq!(node.terminate(), Some(0));
    environment.extend([
        ("SIGNET__UPLOADS__RETENTION_DAYS", "0"),
        ("SIGNET__UPLOADS__GRACE_SECONDS", "0"),
        ("SIGNET__UPLOADS__TICKET_SECONDS", "1"),
        ("SIGNET__UPLOADS__LATE_SECONDS", "0"),
        ("SIGNET__LIFECYCLE__INTERVAL_SECONDS", "1"),
    ]);
    // Its ticket was for 900 seconds: this one's is soon over.
    let node = start(&environment);
    let short = ticket(&node.api, ANNA.2, "b.jpg", 5_000, more).await;
    assert_eq!(put(&short, bytes.clone()).await.status, 200);
    until(async || get_as(&url(&node, &short), ANNA.2).await.json()["status"] == "READY").await;
    assert_eq!(delete(&url(&node, &short), ANNA.2).await, 204);
    let of_short = async || {
        let listed = client().await.list_object_versions().bucket(&bucket).send().await.unwrap();
        let keys = listed.versions().iter().map(|version| version.key());
        let markers = listed.delete_markers().iter().map(|marker| marker.key());
        keys.chain(markers).flatten().filter(|key| key.contains(&id(&short))).count()
    };
    until(async || of_short().await == 0).await;
    assert!(versions().await > 1, "those of the other asset stay");
}
