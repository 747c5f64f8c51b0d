//! A scope allows what it names and no more.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::Node;
use crate::support::http::{Answer, get, get_as, send};
use crate::support::multipart::{InParts, SMALL_PARTS, three_parts};
use crate::support::settings::{ANNA, two_tenants};
use crate::support::upload::{picture, put, ready, ticket};

/// All strings of an answer, also those inside arrays and objects.
fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(members) => members.values().for_each(|member| strings(member, found)),
        _ => {}
    }
}

/// A node, and a caller with one scope, of which each route that is called is noted.
struct Scene {
    node: Node,
    token: String,
    routes: BTreeSet<(String, String)>,
    _folder: TempDir,
}

impl Scene {
    fn new(scope: &str, environment: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        let settings = two_tenants(folder.path(), "", "vectors/ecdsa", false);
        let node = Node::serve(folder.path(), &settings, environment);
        let token = ANNA.token_with(folder.path(), json!({"scope": scope}));
        Self { node, token, routes: BTreeSet::new(), _folder: folder }
    }

    /// Calls a route of the description for an asset.
    async fn call(&mut self, method: &str, route: &str, id: &str, body: impl ToString) -> Answer {
        self.routes.insert((method.to_lowercase(), route.to_owned()));
        let url = format!("{}{}", self.node.api, route.replace("{id}", id));
        let headers = [
            ("authorization", self.token.as_str()),
            ("content-type", "application/json"),
            ("idempotency-key", "the-same-call"),
        ];
        send(method, &url, &headers, body.to_string()).await
    }

    /// That nothing in an answer can be fetched: neither what it says, nor where it leads.
    async fn assert_nothing_to_fetch(&self, what: &str, answer: &Answer) {
        let mut texts = vec![answer.header("location").to_owned()];
        if answer.header("content-type").ends_with("json") && !answer.body.is_empty() {
            let json = answer.json();
            for member in ["url", "expiresAt", "link"] {
                assert!(json.get(member).is_none(), "{what}: {json}");
            }
            strings(&json, &mut texts);
        }
        assert!(answer.headers.get("set-cookie").is_none(), "{what}: {:?}", answer.headers);
        for url in texts.iter().filter(|text| text.starts_with("http")) {
            let fetched = get(url, &[]).await;
            assert!(!matches!(fetched.status, 200 | 206 | 302), "{what}: {url} is served");
        }
    }

    /// The routes of the description that are about a tenant's own things, or lead to files.
    async fn described(&self) -> BTreeSet<(String, String)> {
        let description = get(&format!("{}/openapi.json", self.node.api), &[]).await.json();
        let mut routes = BTreeSet::new();
        for (path, methods) in description["paths"].as_object().unwrap() {
            if path.starts_with("/media/") || path.starts_with("/m/") {
                routes
                    .extend(methods.as_object().unwrap().keys().map(|method| (method.clone(), path.clone())));
            }
        }
        routes.remove(&("head".to_owned(), "/m/{id}".to_owned()));
        routes
    }
}

fn id(asset: &Value) -> String {
    asset["assetId"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_only_write_gets_nothing_to_fetch_from_any_route() {
    for delivery in ["cloudfront", "s3"] {
        let environment = [&SMALL_PARTS[..], &[("SIGNET__DELIVERY__PRIVATE", delivery)]].concat();
        let mut scene = Scene::new("media:write", &environment);
        let api = scene.node.api.clone();
        let private = ready(&api, ANNA.2, "a.jpg", &picture(900, 7), json!({"visibility": "PRIVATE"})).await;
        assert_eq!(
            get(private["url"].as_str().unwrap(), &[]).await.status,
            200,
            "there is something to fetch"
        );
        let (private, key) = (id(&private), private["storageKey"].as_str().unwrap().to_owned());

        // Of a READY asset, each route; deleted and restored at last.
        let asset = "/media/v1/assets/{id}";
        let upload = "/media/v1/uploads/{id}";
        let request = json!({"filename": "b.jpg", "contentType": "image/jpeg", "sizeBytes": 900});
        let calls = [
            ("GET", "/m/{id}".to_owned(), json!(""), 403),
            ("GET", "/media/v1/assets".to_owned(), json!(""), 403),
            ("GET", "/media/v1/usage".to_owned(), json!(""), 403),
            ("GET", asset.to_owned(), json!(""), 403),
            ("POST", "/media/v1/links".to_owned(), json!({"ids": [private], "keys": [key]}), 403),
            ("POST", "/media/v1/documents".to_owned(), json!([private]), 403),
            ("POST", "/media/v1/cookies".to_owned(), json!({"folder": "t_anna/"}), 403),
            ("POST", format!("{upload}/finalize"), json!(""), 200),
            ("POST", format!("{upload}/finalize"), json!(""), 200),
            ("GET", format!("{upload}/parts"), json!(""), 409),
            ("POST", format!("{upload}/complete"), json!({"parts": []}), 409),
            ("DELETE", upload.to_owned(), json!(""), 409),
            ("PATCH", asset.to_owned(), json!({}), 200),
            ("PATCH", asset.to_owned(), json!({"metadata": {"alt": "x"}, "visibility": "PRIVATE"}), 200),
            ("DELETE", asset.to_owned(), json!(""), 204),
            ("POST", format!("{asset}/restore"), json!(""), 200),
            ("POST", "/media/v1/uploads".to_owned(), request.clone(), 201),
            ("POST", "/media/v1/uploads".to_owned(), request, 201),
        ];
        for (method, route, body, status) in calls {
            let answer = scene.call(method, &route, &private, body).await;
            assert_eq!(answer.status, status, "{method} {route}: {}", answer.text());
            scene.assert_nothing_to_fetch(&format!("{method} {route}"), &answer).await;
        }

        // An upload of one's own, whole and in parts, from the ticket to the end.
        let token = scene.token.clone();
        let bytes = picture(800, 7);
        let whole = ticket(&api, &token, "c.jpg", bytes.len(), json!({})).await;
        assert_eq!(put(&whole, bytes).await.status, 200);
        let upload_url = whole["uploadUrl"].as_str().unwrap();
        assert!(get(upload_url, &[]).await.status >= 400, "a ticket reads nothing");
        let finalized = scene.call("POST", "/media/v1/uploads/{id}/finalize", &id(&whole), "").await;
        assert_eq!(finalized.json()["status"], "READY");
        scene.assert_nothing_to_fetch("finalize", &finalized).await;
        let content = three_parts();
        let more = json!({"visibility": "PRIVATE"});
        let parts = ticket(&api, &token, "d.jpg", content.len(), more).await;
        let parts = InParts { api: api.clone(), credentials: token, id: id(&parts), ticket: parts };
        let tags = parts.send_all(&content).await;
        let page = scene.call("GET", "/media/v1/uploads/{id}/parts", &parts.id, "").await;
        assert_eq!(page.status, 200);
        scene.assert_nothing_to_fetch("parts", &page).await;
        let completed = scene.call("POST", "/media/v1/uploads/{id}/complete", &parts.id, tags).await;
        assert_eq!(completed.json()["status"], "READY", "{}", completed.text());
        scene.assert_nothing_to_fetch("complete", &completed).await;

        let unseen: Vec<_> = scene.described().await.difference(&scene.routes).cloned().collect();
        assert!(unseen.is_empty(), "routes that this test doesn't call: {unseen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_read_or_sign_too_gets_the_link_and_of_a_public_asset_everybody_does() {
    for (scope, private_link) in
        [("media:write", false), ("media:write media:read", true), ("media:write media:sign", true)]
    {
        let mut scene = Scene::new(scope, &[]);
        let api = scene.node.api.clone();
        for (visibility, linked) in [("PRIVATE", private_link), ("PUBLIC", true)] {
            let more = json!({"visibility": visibility});
            let asset = id(&ready(&api, ANNA.2, "a.jpg", &picture(900, 7), more).await);
            let finalize = scene.call("POST", "/media/v1/uploads/{id}/finalize", &asset, "").await;
            let patched = scene.call("PATCH", "/media/v1/assets/{id}", &asset, "{}").await;
            scene.call("DELETE", "/media/v1/assets/{id}", &asset, "").await;
            let restored = scene.call("POST", "/media/v1/assets/{id}/restore", &asset, "").await;
            for answer in [finalize, patched, restored] {
                assert_eq!(answer.status, 200, "{}", answer.text());
                let asset = answer.json();
                assert_eq!(asset.get("url").is_some(), linked, "{scope}, {visibility}: {asset}");
                assert_eq!(asset.get("expiresAt").is_some(), linked, "{scope}, {visibility}: {asset}");
                if let Some(url) = asset["url"].as_str() {
                    assert_eq!(get(url, &[]).await.status, 200);
                }
            }
        }
        let list = get_as(&format!("{api}/media/v1/assets"), &scene.token).await;
        if scope.contains("read") {
            let list = list.json();
            assert!(list["items"].as_array().unwrap().iter().all(|asset| asset["url"].is_string()), "{list}");
        } else {
            list.assert_problem(403, "insufficient-scope");
        }
    }
}
