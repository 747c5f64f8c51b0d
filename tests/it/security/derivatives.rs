//! Derivatives go where their picture goes, whatever its metadata says by then.

use aws_sdk_s3::primitives::ByteStream;
use serde_json::json;
use signet::service::ports::{ObjectLocation, ObjectStore};
use tempfile::TempDir;

use crate::support::http::{get, get_as, patch, post, send};
use crate::support::s3::{client, server};
use crate::support::settings::{ANNA, two_tenants};
use crate::support::upload::{picture, ready};
use crate::support::{Node, fresh_dev};

/// The seeded PUBLIC picture, which has derivatives of 320 and 640 pixels, and the links of both.
async fn seeded(node: &Node) -> (String, Vec<String>) {
    let list = format!("{}/media/v1/assets?visibility=PUBLIC&status=READY", node.api);
    let page = get_as(&list, &node.api_key).await.json();
    let id = page["items"][0]["assetId"].as_str().unwrap().to_owned();
    let mut links = Vec::new();
    for width in [320, 640] {
        let link = get(&format!("{}/m/{id}?w={width}", node.api), &[]).await.header("location").to_owned();
        assert!(link.contains(&format!(".{width}.jpg?")) && get(&link, &[]).await.status == 200, "{link}");
        links.push(link);
    }
    (format!("{}/media/v1/assets/{id}", node.api), links)
}

async fn assert_gone(links: &[String], when: &str) {
    for link in links {
        assert_eq!(get(link, &[]).await.status, 404, "{when}: {link}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn derivatives_that_metadata_names_no_longer_go_with_their_picture() {
    let none = json!({"derivatives": null, "derivativeFormat": null});
    let other = json!({"derivatives": [100], "derivativeFormat": "png"});
    for change in [&none, &other] {
        for together in [false, true] {
            let (_folder, node) = fresh_dev();
            let (url, links) = seeded(&node).await;
            let (first, then) = if together {
                (json!({}), json!({"metadata": change, "visibility": "PRIVATE"}))
            } else {
                (json!({"metadata": change}), json!({"visibility": "PRIVATE"}))
            };
            assert_eq!(patch(&url, &node.api_key, first).await.status, 200);
            assert_eq!(patch(&url, &node.api_key, then).await.status, 200);
            assert_gone(&links, "PRIVATE").await;
            // They aren't lost: what names them again and makes them PUBLIC has them back.
            let back = json!({
                "metadata": {"derivatives": [320, 640], "derivativeFormat": "jpg"}, "visibility": "PUBLIC",
            });
            assert_eq!(patch(&url, &node.api_key, back).await.status, 200);
            for link in &links {
                assert_eq!(get(link, &[]).await.status, 200, "{link}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_picture_leaves_no_derivative_behind_and_gets_all_back() {
    let (_folder, node) = fresh_dev();
    let (url, links) = seeded(&node).await;
    let none = json!({"metadata": {"derivatives": null}});
    assert_eq!(patch(&url, &node.api_key, none).await.status, 200);
    assert_eq!(send("DELETE", &url, &[("authorization", &node.api_key)], "").await.status, 204);
    assert_gone(&links, "deleted").await;
    assert_eq!(post(&format!("{url}/restore"), &node.api_key, "").await.status, 200);
    for link in &links {
        assert_eq!(get(link, &[]).await.status, 200, "{link}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asset_remembers_so_many_derivatives_and_says_when_it_can_not() {
    let (_folder, node) = fresh_dev();
    let (url, _) = seeded(&node).await;
    let mut refused = None;
    for round in 0..40_u32 {
        let widths: Vec<u32> = (1..=16).map(|width| 1_000 + round * 16 + width).collect();
        let change = json!({"metadata": {"derivatives": widths, "derivativeFormat": "jpg"}});
        let answer = patch(&url, &node.api_key, change).await;
        if answer.status != 200 {
            refused = Some((round, answer));
            break;
        }
    }
    let (round, answer) = refused.expect("it is bounded");
    assert!((14..18).contains(&round), "{round}");
    assert_eq!(answer.assert_problem(422, "invalid-field")["pointer"], "/metadata/derivatives");
    let alt = json!({"metadata": {"alt": "still possible"}});
    assert_eq!(patch(&url, &node.api_key, alt).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_put_beside_a_picture_in_s3_goes_with_it_unnamed() {
    let folder = TempDir::new().unwrap();
    let bucket = format!("beside-{}", ulid::Ulid::generate().to_string().to_lowercase());
    server().make_bucket(&bucket).await;
    let layout = format!("path = \"{{tenant}}\"\nbucket = \"{bucket}\"");
    let settings = two_tenants(folder.path(), &layout, "vectors/rsa", false);
    let environment = server().environment(&server().address);
    let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let node = tokio::task::block_in_place(|| Node::serve(folder.path(), &settings, &environment));
    let store = server().store().await;

    let more = json!({"visibility": "PUBLIC"});
    let [asset, other] = [
        ready(&node.api, ANNA.2, "face.jpg", &picture(3_000, 1), more.clone()).await,
        ready(&node.api, ANNA.2, "other.jpg", &picture(3_000, 1), more).await,
    ];
    let key = asset["storageKey"].as_str().unwrap().to_owned();
    let (path, _) = key.rsplit_once('/').unwrap();
    let beside = [format!("{key}.320.jpg"), format!("{path}/crops/square.webp")];
    for key in &beside {
        let put =
            client().await.put_object().bucket(&bucket).key(key).body(ByteStream::from_static(b"small"));
        put.send().await.unwrap();
    }
    let there = async |key: &str| {
        let location = ObjectLocation { bucket: bucket.clone(), key: key.to_owned() };
        store.head(&location).await.unwrap().is_some()
    };
    let private = |key: &String| key.replacen("t_anna/", "t_anna/private/", 1);
    let trash = |key: &String| key.replacen("t_anna/", "t_anna/trash/", 1);
    let url = format!("{}/media/v1/assets/{}", node.api, asset["assetId"].as_str().unwrap());
    assert_eq!(patch(&url, ANNA.2, json!({"visibility": "PRIVATE"})).await.status, 200);
    for key in &beside {
        assert_eq!((there(key).await, there(&private(key)).await), (false, true), "{key}");
    }
    assert_eq!(send("DELETE", &url, &[("authorization", ANNA.2)], "").await.status, 204);
    for key in &beside {
        assert_eq!((there(&private(key)).await, there(&trash(key)).await), (false, true), "{key}");
    }
    assert_eq!(post(&format!("{url}/restore"), ANNA.2, "").await.status, 200);
    for key in &beside {
        assert_eq!((there(&private(key)).await, there(&trash(key)).await), (true, false), "{key}");
    }
    assert!(there(other["storageKey"].as_str().unwrap()).await, "another asset's file stays");
}
