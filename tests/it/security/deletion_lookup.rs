//! A deleted, PENDING or REJECTED file is linked by no name: neither by a key nor by a URL, however they are written and
//! wherever they stand; nor is a place that its asset has left. Names of other files cost no look-up.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::http::{Answer, get, patch, post, send};
use crate::support::settings::{ANNA, BEN, two_tenants};
use crate::support::upload::{finalize, picture, put, ready, ticket};
use crate::support::{Node, program};

const ALIAS: &str = "https://media.alias.example";
/// A bucket a tenant, and one bucket for all.
const LAYOUTS: [&str; 2] = ["", "path = \"{tenant}\"\nbucket = \"media\""];
const UNKNOWN: &str = "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E";

/// A node with two tenants, of which Anna's files are looked at.
struct Scene {
    node: Node,
    settings: String,
    shared: bool,
    folder: TempDir,
}

impl Scene {
    fn new(layout: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let layout_and_alias = format!("{layout}\naliases = [\"{ALIAS}\"]");
        let settings = two_tenants(folder.path(), &layout_and_alias, "vectors/ecdsa", false);
        let node = Node::serve(folder.path(), &settings, &[]);
        Self { node, settings, shared: layout.contains("{tenant}"), folder }
    }

    /// The same node, which knows nothing any more but what is stored.
    fn restarted(self) -> Self {
        let Self { node, settings, shared, folder } = self;
        assert_eq!(node.terminate(), Some(0));
        let node = Node::serve(folder.path(), &settings, &[]);
        Self { node, settings, shared, folder }
    }

    async fn asset(&self, visibility: &str) -> Value {
        let more = json!({"visibility": visibility});
        ready(&self.node.api, ANNA.2, "a b.jpg", &picture(900, 7), more).await
    }

    /// A file's key under Anna's root.
    fn key(&self, asset: &Value) -> String {
        let key = asset["storageKey"].as_str().unwrap();
        if self.shared { key.split_once('/').unwrap().1.to_owned() } else { key.to_owned() }
    }

    /// The key of a PUBLIC file of an asset of Anna's.
    fn key_of(&self, id: &str, name: &str) -> String {
        if self.shared { format!("{id}/{name}") } else { format!("t_anna/{id}/{name}") }
    }

    async fn post(&self, path: &str, body: impl ToString) -> Answer {
        let answer = post(&format!("{}{path}", self.node.api), ANNA.2, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer
    }

    async fn delete(&self, asset: &Value) {
        let url = format!("{}/media/v1/assets/{}", self.node.api, id(asset));
        let deleted = send("DELETE", &url, &[("authorization", ANNA.2)], "").await;
        assert!(deleted.status < 300, "{}", deleted.text());
    }

    /// The URLs of a key, in every way to write one.
    fn urls(&self, key: &str) -> Vec<String> {
        let root = if self.shared { "/t_anna/" } else { "/vivreal-anna/" };
        let plain = key.replace(' ', "%20");
        let hex = |byte: u8| if byte == b'/' { "/".to_owned() } else { format!("%{byte:02x}") };
        let [home, alias] = [&self.node.edge, ALIAS].map(|origin| format!("{origin}{root}"));
        vec![
            format!("{home}{plain}"),
            format!("{alias}{plain}"),
            format!("{home}{plain}?v=1&Expires=1&Signature=x&Key-Pair-Id=K"),
            format!("{home}{plain}?versionId=1"),
            format!("{home}{plain}.320.jpg"),
            format!("{home}{}", plain.replace("med_", "%6Ded_")),
            format!("{alias}{}", key.bytes().map(hex).collect::<String>()),
        ]
    }

    /// A document that names the file at a key in every kind of site.
    fn document(&self, key: &str) -> String {
        let urls = self.urls(key);
        let url = &urls[0];
        json!({
            "descriptor": {
                "key": key, "type": "image", "meta": {"derivatives": [320, 640], "derivativeFormat": "jpg"},
            },
            "derivative": {"key": format!("{key}.320.jpg"), "type": "image"},
            "urls": urls,
            "by key": format!("<p><img data-media-key=\"{key}\" alt=\"\"></p>"),
            "by url": format!("<img src=\"{url}\"><a href='{}'>x</a><video poster={url}></video>", urls[1]),
            "by srcset": format!("<img srcset=\"{url} 1x, {} 2x\">", urls[4]),
            "by entities": format!("<img src=\"{}\">", url.replace('_', "&#95;")),
        })
        .to_string()
    }

    /// That nothing of Anna's at a key is signed, and why.
    async fn assert_unsigned(&self, what: &str, key: &str, reason: &str) {
        let keys = [key.to_owned(), format!("{key}.320.jpg"), format!("{key}.16384.webp")];
        let urls = self.urls(key);
        let batch = self.post("/media/v1/links", json!({"keys": keys, "urls": urls})).await.json();
        let rows = batch["links"].as_array().unwrap();
        assert_eq!(rows.len(), keys.len() + urls.len());
        for row in rows {
            assert_eq!((row.get("link"), row["reason"].as_str()), (None, Some(reason)), "{what}: {row}");
        }

        let document = self.document(key);
        let signed = self.post("/media/v1/documents", &document).await;
        assert_eq!(signed.text(), document, "{what}: every byte stays");
        assert!(signed.header("signet-media").contains(" signed=0, "), "{what}: {:?}", signed.headers);
        let report = self.post("/media/v1/documents?report=true", &document).await.json();
        let rows = report["media"].as_array().unwrap();
        assert_eq!(rows.len(), 13, "{what}: {report}");
        for row in rows {
            assert_eq!((row.get("link"), row["reason"].as_str()), (None, Some(reason)), "{what}: {row}");
        }
        let strict = format!("{}/media/v1/documents?strict=true", self.node.api);
        post(&strict, ANNA.2, &document).await.assert_problem(422, "unsigned-media");

        let foundation = json!([{"storageKey": key, "contentType": "image/jpeg", "filename": "a.jpg"}]);
        let path = "/media/v1/documents?profile=foundation";
        let signed = self.post(path, &foundation).await;
        assert_eq!(
            (signed.json(), signed.header("signet-media")),
            (foundation, "found=1, signed=0, unsigned=1")
        );

        let headers = [("authorization", ANNA.2), ("content-type", "application/x-ndjson")];
        let lines = format!("{document}\n{{\"title\":\"none\"}}\n{document}");
        let url = format!("{}/media/v1/documents", self.node.api);
        assert_eq!(send("POST", &url, &headers, lines.clone()).await.text(), lines, "{what}: in lines");
    }

    /// That all names of a file at a key are signed, and its links are served.
    async fn assert_signed(&self, key: &str) {
        let batch = self.post("/media/v1/links", json!({"keys": [key], "urls": self.urls(key)})).await.json();
        for row in batch["links"].as_array().unwrap() {
            let link = row["link"].as_str().unwrap_or_else(|| panic!("{row}"));
            if link.starts_with(&self.node.edge) && !link.contains(".320.jpg") {
                assert_eq!(get(link, &[]).await.status, 200, "{row}");
            }
        }
        let signed = self.post("/media/v1/documents", self.document(key)).await;
        assert!(signed.header("signet-media").ends_with(", unsigned=0"), "{:?}", signed.headers);
        let source = signed.json()["descriptor"]["currentFile"]["source"].as_str().unwrap().to_owned();
        assert_eq!(get(&source, &[]).await.status, 200);
    }

    /// How often the store was asked for assets: for many, whether ids are taken, and in any other way.
    async fn asked(&self) -> [f64; 3] {
        let text = get(&format!("{}/metrics", self.node.admin), &[]).await.text();
        let count = |operation: &str| -> f64 {
            let series = format!("signet_store_operations_total{{operation=\"{operation}\",");
            let lines = text.lines().filter(|line| line.starts_with(&series));
            lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
        };
        let others = ["find_asset", "find_anywhere", "list_assets"].map(count).iter().sum();
        [count("find_assets"), count("existing"), others]
    }

    /// How often the store is asked for assets by a request.
    async fn cost(&self, path: &str, body: &Value) -> [f64; 3] {
        let before = self.asked().await;
        self.post(path, body).await;
        let after = self.asked().await;
        [after[0] - before[0], after[1] - before[1], after[2] - before[2]]
    }
}

fn id(asset: &Value) -> &str {
    asset["assetId"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_file_is_linked_by_no_name_until_it_is_restored() {
    for layout in LAYOUTS {
        let scene = Scene::new(layout);
        for visibility in ["PUBLIC", "PRIVATE"] {
            let asset = scene.asset(visibility).await;
            let key = scene.key(&asset);
            // Twice, so that all links are ready to be handed out again.
            scene.assert_signed(&key).await;
            scene.assert_signed(&key).await;
            scene.delete(&asset).await;
            scene.assert_unsigned(visibility, &key, "deleted").await;
            let restore = format!("{}/media/v1/assets/{}/restore", scene.node.api, id(&asset));
            assert_eq!(post(&restore, ANNA.2, "").await.status, 200);
            scene.assert_signed(&key).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_ready_is_linked_by_no_name() {
    for layout in LAYOUTS {
        let scene = Scene::new(layout);
        let api = &scene.node.api;
        for visibility in ["PUBLIC", "PRIVATE"] {
            let ticket =
                async || ticket(api, ANNA.2, "a b.jpg", 900, json!({"visibility": visibility})).await;
            let nothing = ticket().await;
            scene.assert_unsigned("nothing uploaded", &scene.key(&nothing), "not_ready").await;

            let page = "<html><script>alert(1)</script>".bytes().chain(std::iter::repeat(b' ')).take(900);
            let page: bytes::Bytes = page.collect();
            let unchecked = ticket().await;
            assert_eq!(put(&unchecked, page.clone()).await.status, 200);
            scene.assert_unsigned("not finalized", &scene.key(&unchecked), "not_ready").await;
            assert_eq!(finalize(api, ANNA.2, id(&unchecked)).await.status, 409);
            scene.assert_unsigned("rejected", &scene.key(&unchecked), "not_ready").await;
            // Whether or not the store takes a second upload.
            put(&unchecked, page).await;
            scene.assert_unsigned("uploaded again", &scene.key(&unchecked), "not_ready").await;

            let given_up = ticket().await;
            let url = format!("{api}/media/v1/uploads/{}", id(&given_up));
            assert_eq!(send("DELETE", &url, &[("authorization", ANNA.2)], "").await.status, 204);
            scene.assert_unsigned("given up", &scene.key(&given_up), "not_ready").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_place_where_an_asset_lies_is_linked() {
    for layout in LAYOUTS {
        let scene = Scene::new(layout);
        let asset = scene.asset("PUBLIC").await;
        let (public, url) = (scene.key(&asset), format!("{}/media/v1/assets/{}", scene.node.api, id(&asset)));
        scene.assert_signed(&public).await;
        let private = format!("private/{public}");
        scene.assert_unsigned("where it never was", &private, "unknown").await;

        assert_eq!(patch(&url, ANNA.2, json!({"visibility": "PRIVATE"})).await.status, 200);
        scene.assert_unsigned("the place that it left", &public, "unknown").await;
        scene.assert_signed(&private).await;
        assert_eq!(patch(&url, ANNA.2, json!({"visibility": "PUBLIC"})).await.status, 200);
        scene.assert_unsigned("the place that it left again", &private, "unknown").await;
        scene.assert_signed(&public).await;

        let mine = id(&asset);
        for (what, key) in [
            ("another name", scene.key_of(mine, "b.jpg")),
            ("deeper", scene.key_of(mine, "x/a b.jpg")),
            ("a longer name", scene.key_of(mine, "a b.jpg.bak.jpg")),
            ("nobody's id", scene.key_of(UNKNOWN, "a b.jpg")),
            ("nobody's id, PRIVATE", format!("private/{}", scene.key_of(UNKNOWN, "a b.jpg"))),
        ] {
            scene.assert_unsigned(what, &key, "unknown").await;
        }
        if !scene.shared {
            let key = format!("t_ben/{mine}/a b.jpg");
            scene.assert_unsigned("another tenant's folder", &key, "unknown").await;
        }
        let bens = ready(&scene.node.api, BEN.2, "a b.jpg", &picture(900, 7), json!({})).await;
        let key = format!("private/{}", scene.key_of(id(&bens), "a b.jpg"));
        scene.assert_unsigned("another tenant's asset", &key, "foreign").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_open_the_folder_of_an_asset_only_while_it_may_be_served() {
    for layout in LAYOUTS {
        let scene = Scene::new(layout);
        let cookies = async |key: &str| {
            let folder = key.rsplit_once('/').unwrap().0;
            post(
                &format!("{}/media/v1/cookies", scene.node.api),
                ANNA.2,
                json!({"folder": format!("{folder}/")}),
            )
            .await
        };
        let asset = scene.asset("PUBLIC").await;
        let key = scene.key(&asset);
        assert_eq!(cookies(&key).await.status, 200);
        let pending = json!({"visibility": "PUBLIC"});
        let pending = ticket(&scene.node.api, ANNA.2, "a b.jpg", 900, pending).await;
        scene.delete(&asset).await;
        for (key, reason) in [
            (key.clone(), "deleted"),
            (format!("{key}/x"), "deleted"),
            (scene.key_of(id(&pending), "a b.jpg"), "not_ready"),
            (scene.key_of(UNKNOWN, "a b.jpg"), "unknown"),
        ] {
            let refused = cookies(&key).await;
            let problem = refused.assert_problem(422, "invalid-field");
            assert_eq!(problem["pointer"], "/folder");
            assert!(problem["detail"].as_str().unwrap().contains(&format!("({reason})")), "{problem}");
            assert!(!refused.headers.contains_key("set-cookie"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_asks_the_store_once_for_all_assets_and_never_for_other_files() {
    let scene = Scene::new(LAYOUTS[0]);
    let mut assets = Vec::new();
    for number in 0..8 {
        assets.push(scene.asset(if number % 2 == 0 { "PUBLIC" } else { "PRIVATE" }).await);
    }
    let scene = scene.restarted();
    let key = |place: usize| scene.key(&assets[place]);
    let url = |place: usize| scene.urls(&key(place));
    let batch = json!({
        "ids": [id(&assets[0]), id(&assets[0])],
        "keys": [key(1), format!("{}.320.jpg", key(1)), "groupObjects/a/b.jpg"],
        "urls": url(2),
    });
    let document = json!([
        id(&assets[3]),
        {"key": key(4), "type": "image"},
        url(5),
        format!("<img data-media-key=\"{}\"><img src=\"{}\">", key(6), url(7)[0]),
        {"key": "groupObjects/a/b.jpg", "type": "image"},
    ]);
    assert_eq!(scene.cost("/media/v1/links", &batch).await, [1.0, 0.0, 0.0]);
    assert_eq!(scene.cost("/media/v1/documents", &document).await, [1.0, 0.0, 0.0]);
    for (path, body) in [("/media/v1/links", &batch), ("/media/v1/documents", &document)] {
        assert_eq!(scene.cost(path, body).await, [0.0; 3], "what is known isn't asked for");
    }
    let strange = json!({"keys": [scene.key_of(UNKNOWN, "a.jpg"), scene.key_of(UNKNOWN, "b.jpg")]});
    assert_eq!(scene.cost("/media/v1/links", &strange).await, [1.0, 1.0, 0.0]);

    let others: Vec<String> =
        (0..1_000).map(|number| format!("groupObjects/68bf/{number}/logo.png")).collect();
    let keys = json!({"keys": others});
    let urls: Vec<&String> = others.iter().collect();
    let root = format!("{}/vivreal-anna/", scene.node.edge);
    let urls = json!({"urls": urls.iter().map(|key| format!("{root}{key}")).collect::<Vec<_>>()});
    let files: Vec<Value> = others.iter().map(|key| json!({"key": key, "type": "image"})).collect();
    for (path, body) in [
        ("/media/v1/links", &keys),
        ("/media/v1/links", &urls),
        ("/media/v1/documents", &json!([files, urls])),
    ] {
        assert_eq!(scene.cost(path, body).await, [0.0; 3], "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stable_url_of_a_file_that_is_gone_is_reported_and_stays_as_it_is() {
    let folder = TempDir::new().unwrap();
    let stable = [("SIGNET__DELIVERY__PUBLIC", "stable")];
    let node = Node::dev(&folder.path().join("data"), &stable);
    let (api, credentials) = (node.api.as_str(), node.api_key.as_str());
    let asset = ready(api, credentials, "a.jpg", &picture(900, 7), json!({"visibility": "PUBLIC"})).await;
    let (url, key) = (asset["url"].as_str().unwrap(), asset["storageKey"].as_str().unwrap());
    assert!(!url.contains('?'), "{url}");
    let asset_url = format!("{api}/media/v1/assets/{}", id(&asset));
    let links = async || {
        let body = json!({"keys": [key, format!("{key}.320.jpg")], "urls": [url]});
        post(&format!("{api}/media/v1/links"), credentials, body).await.json()["links"].clone()
    };
    let document = json!({
        "a": url,
        "b": format!("<img src='{url}'>"),
        "c": {"key": key, "type": "image", "meta": {"derivatives": [320], "derivativeFormat": "jpg"}},
    })
    .to_string();
    let sign = async || post(&format!("{api}/media/v1/documents"), credentials, &document).await;

    // A key of the asset's file is delivered as the asset is.
    let rows = links().await;
    assert_eq!(rows[0], json!({"key": key, "link": url}));
    assert_eq!(rows[1], json!({"key": format!("{key}.320.jpg"), "link": format!("{url}.320.jpg")}));
    assert_eq!(rows[2], json!({"url": url, "link": url}));
    let signed = sign().await;
    assert_eq!(signed.header("signet-media"), "found=3, signed=3, unsigned=0");
    let file = &signed.json()["c"]["currentFile"];
    assert_eq!((&file["source"], &file["srcset"]), (&json!(url), &json!(format!("{url}.320.jpg 320w"))));

    let assert_unsigned = async |reason: &str| {
        for row in links().await.as_array().unwrap() {
            assert_eq!((row.get("link"), &row["reason"]), (None, &json!(reason)), "{row}");
        }
        let signed = sign().await;
        assert_eq!(
            (signed.text(), signed.header("signet-media")),
            (document.clone(), "found=3, signed=0, unsigned=3")
        );
    };
    assert!(send("DELETE", &asset_url, &[("authorization", credentials)], "").await.status < 300);
    assert_unsigned("deleted").await;
    assert_eq!(post(&format!("{asset_url}/restore"), credentials, "").await.status, 200);
    assert_eq!(sign().await.header("signet-media"), "found=3, signed=3, unsigned=0");
    assert_eq!(patch(&asset_url, credentials, json!({"visibility": "PRIVATE"})).await.status, 200);
    assert_unsigned("unknown").await;
}

#[test]
fn without_a_store_a_key_is_a_key() {
    let key = program::file("vectors/rsa");
    let args = ["document", "--private-key", &key, "--key-pair-id", program::ID, "--ttl", "300"];
    let place = ["--base", "https://media.example.com", "--bucket", "vivreal-demo", "--strict"];
    let document = format!(r#"[{{"key":"t_demo/{UNKNOWN}/a.jpg","type":"image"}}]"#);
    let run = program::signet(&[&args[..], &place].concat(), document.as_bytes());
    assert_eq!(run.code, 0, "{}", run.diagnostics);
    assert!(run.answer.contains("/a.jpg?Expires="), "{}", run.answer);
}
