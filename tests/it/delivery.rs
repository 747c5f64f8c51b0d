//! Stable URLs of PUBLIC assets, presigned links to PRIVATE ones: wherever an asset's link stands.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use signet::cloudfront::Window;
use signet::media::{ObjectKey, Timestamp};
use signet::service::delivery::{Delivery, PrivateDelivery, PublicDelivery};
use signet::service::layout::Layout;
use signet::service::links::{GrantScope, OnFailure};
use signet::service::ports::{GetError, ObjectGate};
use signet::service::presigner::Presigner;
use signet::store::embedded::{Files, Secret};
use tempfile::TempDir;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::link_service::{START, TTL, one_key, service, template};
use crate::support::http::{Answer, get, get_as, max_age, patch, post, send};
use crate::support::upload::{picture, ready};
use crate::support::{Node, verify};

const BOTH: [(&str, &str); 2] = [("SIGNET__DELIVERY__PUBLIC", "stable"), ("SIGNET__DELIVERY__PRIVATE", "s3")];
const SHARED: [(&str, &str); 2] = [("SIGNET__CDN__PATH", "{tenant}"), ("SIGNET__CDN__BUCKET", "media")];

/// A node, an asset of each visibility, and where its answers are.
struct Scene {
    node: Node,
    bytes: Bytes,
    public: Value,
    private: Value,
    /// Where the PUBLIC asset is to be read for ever.
    stable: String,
    _folder: TempDir,
}

impl Scene {
    async fn new(environment: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        let node = Node::dev(&folder.path().join("data"), environment);
        let bytes = picture(5_000, 7);
        let asset = async |visibility| {
            ready(&node.api, &node.api_key, "a b.jpg", &bytes, json!({"visibility": visibility})).await
        };
        let (public, private) = (asset("PUBLIC").await, asset("PRIVATE").await);
        let shared = environment.contains(&SHARED[0]);
        let (path, id) = (if shared { "t_demo" } else { "vivreal-demo/t_demo" }, id(&public));
        let stable = format!("{}/{path}/{id}/a%20b.jpg", node.edge);
        Self { node, bytes, public, private, stable, _folder: folder }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.node.api)
    }

    async fn get(&self, path: &str) -> Answer {
        let answer = get_as(&self.url(path), &self.node.api_key).await;
        assert!(matches!(answer.status, 200 | 302), "{}", answer.text());
        answer
    }

    async fn post(&self, path: &str, body: impl ToString) -> Answer {
        let answer = post(&self.url(path), &self.node.api_key, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer
    }

    async fn asset(&self, id: &str) -> Value {
        self.get(&format!("/media/v1/assets/{id}")).await.json()
    }

    /// A file's key under the root.
    fn key(&self, asset: &Value) -> String {
        let key = asset["storageKey"].as_str().unwrap();
        let prefix = if self.stable.contains("/vivreal-demo/") { "" } else { "t_demo/" };
        key.strip_prefix(prefix).unwrap().to_owned()
    }

    /// That it is a presigned link to the PRIVATE asset, and no longer good than it says.
    async fn assert_presigned(&self, link: &Value, expires_at: &Value) {
        let link = link.as_str().unwrap();
        assert!(link.starts_with(&format!("{}/objects/", self.node.api)), "{link}");
        assert!(link.contains("/private/") && link.contains("&X-Amz-Expires=300&"), "{link}");
        let end = OffsetDateTime::parse(expires_at.as_str().unwrap(), &Rfc3339).unwrap().unix_timestamp();
        let left = end as u64 - verify::now();
        assert!((149..=300).contains(&left), "{left} s left");
        assert_eq!(get(link, &[]).await.body, self.bytes);
    }
}

fn id(asset: &Value) -> &str {
    asset["assetId"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_gives_an_asset_the_link_that_its_visibility_has() {
    for environment in [BOTH.to_vec(), [BOTH, SHARED].concat()] {
        let scene = Scene::new(&environment).await;
        let (public, private) = (id(&scene.public), id(&scene.private));
        let stable = json!(scene.stable);

        for asset in [&scene.public, &scene.asset(public).await] {
            assert_eq!((&asset["url"], asset.get("expiresAt")), (&stable, None), "{asset}");
        }
        for asset in [&scene.private, &scene.asset(private).await] {
            scene.assert_presigned(&asset["url"], &asset["expiresAt"]).await;
        }
        let list = scene.get("/media/v1/assets").await.json();
        assert_eq!((&list["items"][1]["url"], list["items"][1].get("expiresAt")), (&stable, None));
        scene.assert_presigned(&list["items"][0]["url"], &list["items"][0]["expiresAt"]).await;

        let batch = scene.post("/media/v1/links", json!({"ids": [public, private]})).await;
        let links = batch.json()["links"].clone();
        assert_eq!(links[0], json!({"id": public, "link": stable}));
        scene.assert_presigned(&links[1]["link"], &links[1]["expiresAt"]).await;
        let age = max_age(&batch).unwrap();
        assert!((74..=225).contains(&age), "the shorter-lived link bounds it: {age}");

        let (url, accept) = (scene.url(&format!("/m/{public}")), ("accept", "application/json"));
        let redirect = get(&url, &[]).await;
        assert_eq!((redirect.status, redirect.header("location")), (302, scene.stable.as_str()));
        assert_eq!(redirect.header("cache-control"), "public, max-age=300");
        assert_eq!(get(&url, &[accept]).await.json(), json!({"id": public, "link": stable}));
        let redirect = scene.get(&format!("/m/{private}")).await;
        assert!(redirect.header("location").contains("/objects/"), "{:?}", redirect.headers);
        assert!(max_age(&redirect).is_some_and(|age| (74..=225).contains(&age)), "{:?}", redirect.headers);

        let document = json!({"a": public, "b": [private], "c": public}).to_string();
        let answer = scene.post("/media/v1/documents?report=true", &document).await.json();
        assert_eq!(answer["document"]["a"], stable);
        assert_eq!(answer["document"]["c"], stable);
        let row = json!({"pointer": "/a", "kind": "reference", "id": public, "link": stable});
        assert_eq!(answer["media"][0], row);
        scene.assert_presigned(&answer["document"]["b"][0], &answer["media"][1]["expiresAt"]).await;
        let alone = scene.post("/media/v1/documents", json!([public])).await;
        assert_eq!(max_age(&alone), Some(300));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_presigned_link_reads_one_file_whole_or_in_part() {
    let scene = Scene::new(&BOTH).await;
    let link = scene.private["url"].as_str().unwrap();
    let whole = get(link, &[("origin", "https://shop.example")]).await;
    assert_eq!((whole.status, whole.header("content-type")), (200, "image/jpeg"));
    assert_eq!((&whole.body, whole.header("access-control-allow-origin")), (&scene.bytes, "*"));
    let head = send("HEAD", link, &[], "").await;
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, "5000", 0));
    let part = get(link, &[("range", "bytes=10-19")]).await;
    assert_eq!((part.status, part.header("content-range")), (206, "bytes 10-19/5000"));
    assert_eq!(part.body, scene.bytes.slice(10..20));
    assert_eq!(get(link, &[("if-none-match", whole.header("etag"))]).await.status, 304);
    assert_eq!(get(link, &[("range", "bytes=5000-")]).await.status, 416);

    let other = link.replace(id(&scene.private), id(&scene.public)).replace("private/", "");
    for (what, url) in [
        ("another file", other),
        ("a longer life", link.replace("Expires=300", "Expires=3000")),
        ("no signature", link.split('?').next().unwrap().to_owned()),
    ] {
        let refused = get(&url, &[]).await;
        assert_eq!((refused.status, refused.header("content-type")), (403, "application/xml"), "{what}");
    }
    assert_eq!(send("PUT", link, &[], scene.bytes.clone()).await.status, 403);
    let (ours, query) = link.split_once('?').unwrap();
    let path = ours.strip_prefix(&format!("{}/objects", scene.node.api)).unwrap();
    for url in [format!("{}{path}", scene.node.edge), format!("{}{path}?{query}", scene.node.edge)] {
        assert_eq!(get(&url, &[]).await.status, 403, "the edge wants CloudFront's signature");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_visibility_ends_the_old_way_to_the_file() {
    for environment in [BOTH.to_vec(), [BOTH, SHARED].concat()] {
        let scene = Scene::new(&environment).await;
        let url = scene.url(&format!("/media/v1/assets/{}", id(&scene.public)));
        let make = async |visibility| {
            let answer = patch(&url, &scene.node.api_key, json!({"visibility": visibility})).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            answer.json()
        };
        assert_eq!(get(&scene.stable, &[]).await.body, scene.bytes);
        let head = send("HEAD", &scene.stable, &[], "").await;
        assert_eq!((head.status, head.header("content-length")), (200, "5000"));

        let private = make("PRIVATE").await;
        scene.assert_presigned(&private["url"], &private["expiresAt"]).await;
        assert_eq!(get(&scene.stable, &[]).await.status, 404);
        let moved = scene.stable.replace("t_demo/med_", "private/t_demo/med_");
        let moved = if environment.contains(&SHARED[0]) {
            scene.stable.replace("t_demo/", "t_demo/private/")
        } else {
            moved
        };
        assert_eq!(get(&moved, &[]).await.status, 403, "{moved}");
        assert_eq!(get(&scene.url(&format!("/m/{}", id(&scene.public))), &[]).await.status, 404);

        let public = make("PUBLIC").await;
        assert_eq!((&public["url"], public.get("expiresAt")), (&json!(scene.stable), None));
        assert_eq!(get(&scene.stable, &[]).await.body, scene.bytes);
        assert_eq!(get(private["url"].as_str().unwrap(), &[]).await.status, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_gets_what_its_asset_gets_and_what_is_private_is_never_stable() {
    let scene = Scene::new(&BOTH).await;
    let (public, private) = (scene.key(&scene.public), scene.key(&scene.private));
    let shown = "groupObjects/68bfac783bc7c024975c90cb/1757391992521/mug.jpg";
    let links = scene.post("/media/v1/links", json!({"keys": [public, private, shown]})).await.json();
    assert_eq!(links["links"][0], json!({"key": public, "link": scene.stable}));
    scene.assert_presigned(&links["links"][1]["link"], &links["links"][1]["expiresAt"]).await;
    assert!(links["links"][2]["link"].as_str().unwrap().contains("?Expires="));

    let descriptor = |key: &str| json!({"key": key, "type": "image"});
    let document = json!([descriptor(&public), descriptor(&private), id(&scene.public), descriptor(&public)]);
    let signed = scene.post("/media/v1/documents", &document).await.json();
    let source = |place: usize| signed[place]["currentFile"]["source"].as_str().unwrap();
    assert_eq!(source(0), scene.stable);
    assert!(source(1).contains("/objects/") && source(3) == source(0));
    assert_eq!(signed[2], scene.stable, "the same file, by its id");

    // A URL to what is PRIVATE gets a link of CloudFront's: it is a URL of the media host's.
    let url = format!("{}/vivreal-demo/{private}", scene.node.edge).replace(' ', "%20");
    let links = scene.post("/media/v1/links", json!({"urls": [url]})).await.json();
    let link = links["links"][0]["link"].as_str().unwrap();
    assert!(link.starts_with(&format!("{url}?Expires=")), "{link}");
    assert_eq!(get(link, &[]).await.body, scene.bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_a_document_again_changes_nothing_but_links_that_are_no_longer_right() {
    let scene = Scene::new(&BOTH[..1]).await;
    let public = id(&scene.public);
    let stable = &scene.stable;
    let document = format!(r#"{{"a": "{public}", "b": "{stable}", "html": "<img src='{stable}'>"}}"#);
    let once = scene.post("/media/v1/documents", &document).await;
    assert_eq!(once.text(), document.replacen(public, stable, 1), "a stable URL stays as it is");
    assert_eq!(once.header("signet-media"), "found=3, signed=3, unsigned=0");
    assert_eq!(scene.post("/media/v1/documents", once.text()).await.text(), once.text());

    let objects = "/media/v1/documents?references=object";
    let once = scene.post(objects, json!([public])).await;
    let object = format!(r#"[{{"id":"{public}","url":"{stable}","expiresAt":null}}]"#);
    assert_eq!((once.text(), once.header("signet-media")), (object, "found=1, signed=1, unsigned=0"));
    let twice = scene.post(objects, once.text()).await;
    assert_eq!((twice.text(), twice.header("signet-media")), (once.text(), "found=1, signed=1, unsigned=0"));

    // The object is renewed whole once its asset is delivered in another way, and back.
    let url = scene.url(&format!("/media/v1/assets/{public}"));
    assert_eq!(patch(&url, &scene.node.api_key, json!({"visibility": "PRIVATE"})).await.status, 200);
    let signed = scene.post(objects, once.text()).await;
    assert!(signed.json()[0]["url"].as_str().unwrap().contains("?Expires="), "{}", signed.text());
    assert!(signed.json()[0]["expiresAt"].is_string());
    assert_eq!(patch(&url, &scene.node.api_key, json!({"visibility": "PUBLIC"})).await.status, 200);
    assert_eq!(scene.post(objects, signed.text()).await.text(), once.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn stable_urls_may_have_an_origin_of_their_own() {
    let origin = ("SIGNET__DELIVERY__PUBLIC_BASE_URL", "https://cdn.example.com/");
    let scene = Scene::new(&[BOTH[0], origin]).await;
    let stable = scene.stable.replace(&scene.node.edge, "https://cdn.example.com");
    assert_eq!(scene.public["url"], stable);
    let private = scene.private["url"].as_str().unwrap();
    assert!(private.starts_with(&scene.node.edge) && private.contains("?Expires="), "{private}");
    assert_eq!(get(&scene.stable, &[]).await.status, 403, "what signs serves nothing unsigned");
    let document = json!({"a": stable, "b": scene.stable}).to_string();
    let signed = scene.post("/media/v1/documents", &document).await;
    assert_eq!(signed.header("signet-media"), "found=1, signed=1, unsigned=0");
    assert_eq!(signed.json()["a"], stable);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_presigned_link_stays_the_same_for_a_window_on_every_node() {
    let (world, links, place) = service(one_key(), GrantScope::Url, OnFailure::Refuse);
    let layout = Arc::new(Layout::new("https://media.vivreal.io", &[], template(), template()));
    let folders = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let files = folders
        .each_ref()
        .map(|folder| Files::new(folder.path(), "https://s3.example.com/o", &Secret::new([7; 32])).unwrap());
    let [one, other] = files.each_ref().map(|files| {
        let presigner = Presigner::new(Arc::new(files.clone()), Window::new(TTL).unwrap());
        let private = PrivateDelivery::Presigned(presigner);
        Delivery::new(Arc::clone(&layout), links.clone(), PublicDelivery::Signed, private)
    });
    let mut distinct = Vec::new();
    for second in 0..TTL {
        world.set(START + second);
        let file = || one.file(&place, ObjectKey::parse("private/a.jpg").unwrap(), None).unwrap();
        let link = one.link(file()).await.unwrap();
        assert_eq!(other.link(file()).await.unwrap(), link);
        let (now, expires) = (START + second, link.expires.unwrap());
        let target = link.url.strip_prefix("https://s3.example.com").unwrap();
        let at = async |second| files[0].open(target, None, Timestamp::from_seconds(second)).await;
        for good in [now, expires - 1] {
            assert!(matches!(at(good).await, Err(GetError::NotFound)), "at {good}, {expires} is its end");
        }
        assert!(matches!(at(expires).await, Err(GetError::Denied(_))));
        let left = expires - now;
        assert!(left > TTL / 2 && left <= TTL && link.max_age == left - TTL / 4, "{left}");
        if distinct.last() != Some(&link.url) {
            distinct.push(link.url);
        }
    }
    assert!((2..=3).contains(&distinct.len()), "{} links in two windows", distinct.len());
}
