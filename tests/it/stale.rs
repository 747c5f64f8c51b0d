//! Over HTTP: what links show of changes, and what is answered while the store of assets is down.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use signet::app::build::{self, Node};
use signet::app::keys::KeyLoader;
use signet::app::tenants;
use signet::config::{Environment, parse};
use signet::http::{ApiContext, Front, HttpLimits, NoRequestMeter, NoRequestTracer, api};
use signet::media::{Asset, Visibility};
use signet::service::ports::{
    AssetStore, ByteStream, Clock, ObjectGate, ObjectStore, SignedRequest, SystemClock, UploadTerms,
};
use tempfile::{TempDir, tempdir};
use tower::ServiceExt;

use crate::contract::{insert, ready};
use crate::support::faulty::Faulty;
use crate::support::http::Answer;
use crate::support::settings::{ANNA, BEN, Tenant, two_tenants};
use crate::support::verify;

/// The API of a node whose store of assets can be taken down.
struct Scene {
    router: Front,
    node: Node,
    store: Arc<Faulty>,
    owners: Vec<signet::media::Tenant>,
    objects: Arc<dyn ObjectStore>,
    gate: Arc<dyn ObjectGate>,
    _folder: TempDir,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempdir().unwrap();
        let layout = "[cdn]\nbase_url = \"https://media.example.com\"";
        let text = two_tenants(folder.path(), layout, "vectors/rsa", false);
        let mut settings = parse(&text, &Environment::default(), "test").unwrap();
        settings.store.path = folder.path().join("data");
        let (embedded, mut stores) = build::embedded(&settings, "http://127.0.0.1").await.unwrap();
        tenants::put(&settings, &embedded).await.unwrap();
        let owners = tenants::listed(&settings).unwrap();
        let (objects, gate) = (Arc::clone(&stores.objects), stores.gate.clone().unwrap());
        let store = Faulty::new(Arc::new(embedded));
        stores.assets = store.clone();
        let ring = KeyLoader::default().ring(&settings.signing).await.unwrap();
        let node = build::node(&settings, ring, stores).unwrap();
        let router = api(ApiContext {
            services: node.services.clone(),
            objects: None,
            clock: Arc::new(SystemClock),
            limits: HttpLimits::default(),
            cors: signet::http::Cors::default(),
            description: None,
            meter: Arc::new(NoRequestMeter),
            tracer: Arc::new(NoRequestTracer),
        });
        Self { router, node, store, owners, objects, gate, _folder: folder }
    }

    /// A READY asset that no other node has told of.
    async fn put(&self, tenant: &Tenant, visibility: Visibility) -> Asset {
        let asset = Asset { visibility, ..ready(&tenant.0.parse().unwrap(), verify::now() * 1_000) };
        assert!(insert(&*self.store, &asset).await);
        asset
    }

    /// Puts an asset's file where the asset says.
    async fn put_file(&self, asset: &Asset) {
        let owner = self.owners.iter().find(|tenant| tenant.id == asset.tenant).unwrap();
        let location = self.node.place(owner).location(&asset.key);
        let length = usize::try_from(asset.size_bytes).unwrap();
        let terms = UploadTerms {
            content_type: asset.content_type.clone(),
            size_bytes: asset.size_bytes,
            checksum: None,
        };
        let now = SystemClock.now();
        let presigned = self.objects.presign_put(&location, &terms, now, 60).await.unwrap();
        let path_and_query = presigned.url.strip_prefix("http://127.0.0.1").unwrap().to_owned();
        let mut headers = presigned.headers;
        headers.push(("content-length".to_owned(), length.to_string()));
        let body: ByteStream = Box::pin(stream::iter([Ok(Bytes::from(vec![b'x'; length]))]));
        self.gate.put(SignedRequest { path_and_query, headers }, body, now).await.unwrap();
    }

    async fn send(&self, method: &str, path: &str, body: impl ToString) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", ANNA.2)
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()));
        let (head, body) = self.router.clone().oneshot(request.unwrap()).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: head.status.as_u16(), headers: head.headers, body }
    }

    /// What each kind of answer with a link shows of an asset: whether it is there, and whether it is stale.
    async fn shown(&self, id: &str) -> [(bool, bool); 4] {
        let permalink = self.send("GET", &format!("/m/{id}"), "").await;
        let json = self.send("GET", &format!("/m/{id}?format=json"), "").await;
        let batch = self.send("POST", "/media/v1/links", json!({"ids": [id]})).await;
        let document = self.send("POST", "/media/v1/documents", json!({"a": [id]})).await;
        assert_eq!((batch.status, document.status), (200, 200), "{} {}", batch.text(), document.text());
        let linked = |text: Option<&str>| text.is_some_and(|text| text.contains("Signature="));
        let (batch_json, document_json) = (batch.json(), document.json());
        [
            (permalink.status == 302, &permalink),
            (json.status == 200, &json),
            (linked(batch_json["links"][0]["link"].as_str()), &batch),
            (linked(document_json["a"][0].as_str()), &document),
        ]
        .map(|(there, answer)| match answer.header("signet-stale") {
            "" => (there, false),
            marked => (there, marked == "true"),
        })
    }

    /// The count of a source of assets.
    fn count(&self, source: &str) -> u64 {
        let name = format!("signet_asset_lookups_total{{source=\"{source}\"}} ");
        let text = self.node.metrics.render();
        text.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_on_this_node_is_seen_at_once_by_every_kind_of_link() {
    let scene = Scene::new().await;
    let asset = scene.put(&ANNA, Visibility::Public).await;
    scene.put_file(&asset).await;
    let (id, url) = (asset.id.to_string(), format!("/media/v1/assets/{}", asset.id));
    assert_eq!(scene.shown(&id).await, [(true, false); 4]);
    scene.store.asked();
    for _ in 0..20 {
        assert_eq!(scene.shown(&id).await, [(true, false); 4]);
    }
    assert_eq!(scene.store.asked(), 0, "known links don't ask the store");
    assert!(scene.count("cache") >= 80 && scene.count("store") == 1);

    assert_eq!(scene.send("DELETE", &url, "").await.status, 204);
    assert_eq!(scene.shown(&id).await, [(false, false); 4]);
    assert_eq!(scene.send("POST", &format!("{url}/restore"), "").await.status, 200);
    assert_eq!(scene.shown(&id).await, [(true, false); 4]);
    scene.store.asked();
    assert_eq!(scene.shown(&id).await, [(true, false); 4]);
    assert_eq!(scene.store.asked(), 0, "what was changed here is known");

    // An id that was asked for before it is anybody's.
    let asset = ready(&ANNA.0.parse().unwrap(), verify::now() * 1_000);
    assert_eq!(scene.shown(&asset.id.to_string()).await, [(false, false); 4]);
    let known: &dyn AssetStore = &scene.node.assets;
    assert!(insert(known, &asset).await);
    assert_eq!(scene.shown(&asset.id.to_string()).await, [(true, false); 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_is_down_known_assets_are_linked_and_the_answers_say_so() {
    let scene = Scene::new().await;
    let public = scene.put(&ANNA, Visibility::Public).await.id.to_string();
    let private = scene.put(&ANNA, Visibility::Private).await.id.to_string();
    let unseen = scene.put(&ANNA, Visibility::Public).await.id.to_string();
    let foreign = scene.put(&BEN, Visibility::Private).await.id.to_string();
    for id in [&public, &private] {
        assert_eq!(scene.shown(id).await, [(true, false); 4]);
    }
    assert_eq!(scene.shown(&foreign).await, [(false, false); 4]);
    scene.node.assets.set_fresh(std::time::Duration::ZERO);
    scene.store.set_down(true);

    for id in [&public, &private] {
        assert_eq!(scene.shown(id).await, [(true, true); 4]);
    }
    assert_eq!(scene.count("stale"), 8);
    let document = json!({"a": [public, {"b": private}], "c": public});
    let signed = scene.send("POST", "/media/v1/documents?strict=true", &document).await;
    assert_eq!((signed.status, signed.header("signet-stale")), (200, "true"), "{}", signed.text());
    assert!(signed.header("cache-control").starts_with("private, max-age="));
    // A key of an asset's file is known as the asset is.
    let key = |id: &str| format!("{}/{id}/a.png", ANNA.0);
    let named = json!({"keys": [key(&public), key(&private)]});
    let links = scene.send("POST", "/media/v1/links", named).await;
    assert_eq!((links.status, links.header("signet-stale")), (200, "true"), "{}", links.text());
    let document = json!([{"key": key(&public), "type": "image"}]);
    let signed = scene.send("POST", "/media/v1/documents?strict=true", document).await;
    assert_eq!((signed.status, signed.header("signet-stale")), (200, "true"), "{}", signed.text());
    // Another tenant's is no more to be had than before, and marked: that it is may have changed.
    let other = scene.send("GET", &format!("/m/{foreign}"), "").await;
    other.assert_problem(404, "asset-not-found");

    // What needs no store has no mark; what isn't known is an error, in whole answers too.
    let keys = scene.send("POST", "/media/v1/links", json!({"keys": ["a.jpg"]})).await;
    assert_eq!((keys.status, keys.header("signet-stale")), (200, ""));
    let asked: [(&str, String, Value); 7] = [
        ("GET", format!("/m/{unseen}"), Value::Null),
        ("POST", "/media/v1/links".into(), json!({"ids": [public, unseen]})),
        ("POST", "/media/v1/documents".into(), json!([public, unseen])),
        ("POST", "/media/v1/links".into(), json!({"keys": [key(&public), key(&unseen)]})),
        ("POST", "/media/v1/documents".into(), json!([{"key": key(&unseen), "type": "image"}])),
        ("DELETE", format!("/media/v1/assets/{public}"), Value::Null),
        ("PATCH", format!("/media/v1/assets/{public}"), json!({"metadata": {}})),
    ];
    for (method, path, body) in asked {
        let answer = scene.send(method, &path, body).await;
        answer.assert_problem(503, "store-unavailable");
        assert!(!answer.header("retry-after").is_empty(), "{path}");
    }

    scene.store.set_down(false);
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while scene.shown(&public).await != [(true, false); 4] {
        assert!(tokio::time::Instant::now() < deadline, "it doesn't get well by itself");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(scene.shown(&unseen).await, [(true, false); 4]);
}
