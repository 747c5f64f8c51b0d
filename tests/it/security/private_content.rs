//! A caller may ask that PRIVATE files stay unsigned.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::http::{get, patch, post, send};
use crate::support::settings::{ANNA, two_tenants};
use crate::support::upload::{picture, ready};
use crate::support::{Node, program};

/// A bucket a tenant, and one bucket for all.
const LAYOUTS: [&str; 2] = ["", "path = \"{tenant}\"\nbucket = \"media\""];

/// A node with an asset of each visibility, and their keys.
struct Scene {
    node: Node,
    root: String,
    public: (String, String),
    private: (String, String),
    _folder: TempDir,
}

impl Scene {
    async fn new(layout: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let node =
            Node::serve(folder.path(), &two_tenants(folder.path(), layout, "vectors/ecdsa", false), &[]);
        let shared = layout.contains("{tenant}");
        let root = format!("{}/{}/", node.edge, if shared { "t_anna" } else { "vivreal-anna" });
        let asset = async |visibility: &str| {
            let more = json!({"visibility": visibility});
            let asset = ready(&node.api, ANNA.2, "a.jpg", &picture(900, 7), more).await;
            let key = asset["storageKey"].as_str().unwrap();
            let key = if shared { key.strip_prefix("t_anna/").unwrap() } else { key };
            (asset["assetId"].as_str().unwrap().to_owned(), key.to_owned())
        };
        let (public, private) = (asset("PUBLIC").await, asset("PRIVATE").await);
        Self { root, public, private, node, _folder: folder }
    }

    async fn links(&self, query: &str, body: &Value) -> Vec<Value> {
        let answer = post(&format!("{}/media/v1/links{query}", self.node.api), ANNA.2, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["links"].as_array().unwrap().clone()
    }

    /// A document in which everything that is PRIVATE stands under `private`, in every kind of site.
    fn document(&self) -> Value {
        let part = |(id, key): &(String, String), other: &str| {
            let url = format!("{}{key}", self.root);
            json!([
                id,
                {"key": key, "type": "image", "meta": {"derivatives": [320], "derivativeFormat": "jpg"}},
                url,
                url.replace("med_", "%6ded_"),
                {"key": other, "type": "image"},
                format!("{}{other}", self.root),
                format!("<img data-media-key='{key}'><a href='{}{other}'>x</a><img srcset='{url} 2x'>", self.root),
            ])
        };
        json!({
            "public": part(&self.public, "groupObjects/privates/private/a.jpg"),
            "private": part(&self.private, "private/contracts/a.jpg"),
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_for_the_public_signs_nothing_that_is_private() {
    for layout in LAYOUTS {
        let scene = Scene::new(layout).await;
        let ((public, public_key), (private, private_key)) = (&scene.public, &scene.private);
        let url = |key: &str| format!("{}{key}", scene.root);
        let body = json!({
            "ids": [public, private],
            "keys": [public_key, private_key, "a/b.jpg", "private/contracts/a.jpg", format!("{private_key}.320.jpg")],
            "urls": [url(public_key), url(private_key), url("a/b.jpg"), url("%70rivate/contracts/a%2ejpg")],
        });
        let allowed = [true, false, true, false, true, false, false, true, false, true, false];
        // Again and again: what is ready to be handed out is no more to be had.
        for query in ["?visibility=public", "", "?visibility=public", "?visibility=public"] {
            let rows = scene.links(query, &body).await;
            assert_eq!(rows.len(), allowed.len());
            for (row, allowed) in rows.iter().zip(allowed) {
                let signed = row.get("link").is_some();
                assert_eq!(signed, allowed || query.is_empty(), "{query} {row}");
                assert!(signed || row["reason"] == "private", "{row}");
            }
        }
        // The asset's own visibility counts, at once.
        let asset = format!("{}/media/v1/assets/{public}", scene.node.api);
        assert_eq!(patch(&asset, ANNA.2, json!({"visibility": "PRIVATE"})).await.status, 200);
        let rows = scene.links("?visibility=public", &json!({"ids": [public]})).await;
        assert_eq!(rows, [json!({"id": public, "reason": "private"})]);
        // A deleted one is that, whatever else it is.
        let url = format!("{}/media/v1/assets/{private}", scene.node.api);
        assert!(send("DELETE", &url, &[("authorization", ANNA.2)], "").await.status < 300);
        let rows = scene.links("?visibility=public", &json!({"ids": [private], "keys": [private_key]})).await;
        assert!(rows.iter().all(|row| row["reason"] == "deleted"), "{rows:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_for_the_public_shows_nothing_that_is_private() {
    for layout in LAYOUTS {
        let scene = Scene::new(layout).await;
        let url = |query: &str| format!("{}/media/v1/documents{query}", scene.node.api);
        let document = scene.document();
        let sign = async |query: &str| {
            let answer = post(&url(query), ANNA.2, &document).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            answer
        };
        // With ready links and without.
        for _ in 0..2 {
            let public = sign("?visibility=public").await;
            let parts = public.json();
            assert_eq!(parts["private"], document["private"], "every site of it stays as it is");
            let all = sign("").await.json();
            assert_eq!(parts["public"], all["public"], "and nothing else does");
            assert_ne!(all["private"], document["private"]);
            let counts = public.header("signet-media").to_owned();
            assert_eq!(counts, "found=14, signed=7, unsigned=7");
        }
        let report = sign("?visibility=public&report=true&profile=vivreal").await.json();
        for row in report["media"].as_array().unwrap() {
            let private = row["pointer"].as_str().unwrap().starts_with("/private");
            assert_eq!(row.get("link").is_none(), private, "{row}");
            assert_eq!(row["reason"] == "private", private, "{row}");
        }
        let strict = post(&url("?visibility=public&strict=true"), ANNA.2, &document).await;
        let problem = strict.assert_problem(422, "unsigned-media");
        assert!(problem["unsigned"].as_array().unwrap().iter().all(|row| row["reason"] == "private"));

        let headers = [("authorization", ANNA.2), ("content-type", "application/x-ndjson")];
        let line = document["private"].to_string();
        let lines = format!("{line}\n{line}\n");
        let answer = send("POST", &url("?visibility=public"), &headers, lines.clone()).await;
        assert_eq!(answer.text(), lines);
        let foundation =
            json!([{"storageKey": scene.private.1, "contentType": "image/jpeg", "filename": "a.jpg"}]);
        let answer = post(&url("?visibility=public&profile=foundation"), ANNA.2, &foundation).await;
        assert_eq!(
            (answer.json(), answer.header("signet-media")),
            (foundation, "found=1, signed=0, unsigned=1")
        );

        let metrics = get(&format!("{}/metrics", scene.node.admin), &[]).await.text();
        let series = "signet_document_unsigned_total{reason=\"private\"} ";
        let count = metrics.lines().find_map(|line| line.strip_prefix(series)).unwrap();
        assert!(count.parse::<f64>().unwrap() >= 28.0, "{count}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_other_word_for_the_public_is_refused() {
    let folder = TempDir::new().unwrap();
    let node = Node::serve(folder.path(), &two_tenants(folder.path(), "", "vectors/ecdsa", false), &[]);
    for path in ["links", "documents"] {
        let url = format!("{}/media/v1/{path}?visibility=public", node.api);
        assert_eq!(post(&url, ANNA.2, json!({})).await.status, 200);
        for query in ["PUBLIC", "private", "PRIVATE", "", "all", "public&visibility=public", "%70ublic%20"] {
            let url = format!("{}/media/v1/{path}?visibility={query}", node.api);
            let problem = post(&url, ANNA.2, json!({})).await.assert_problem(400, "invalid-query");
            assert_eq!(problem["parameter"], "visibility", "{query}");
        }
    }
}

#[test]
fn the_command_signs_nothing_private_for_the_public() {
    let key = program::file("vectors/rsa");
    let args = ["document", "--private-key", &key, "--key-pair-id", program::ID, "--ttl", "300"];
    let place = ["--base", "https://media.example.com", "--bucket", "vivreal-demo"];
    let document = br#"[{"key":"a/b.jpg","type":"image"},{"key":"private/b.jpg","type":"image"},"https://media.example.com/vivreal-demo/%70rivate/c.jpg"]"#;
    let run = |more: &[&str]| program::signet(&[&args[..], &place, more].concat(), document);
    let all = run(&[]);
    assert_eq!((all.code, all.answer.matches("?Expires=").count()), (0, 3), "{}", all.diagnostics);
    let public = run(&["--visibility", "public"]);
    assert_eq!((public.code, public.answer.matches("?Expires=").count()), (0, 1), "{}", public.diagnostics);
    assert!(public.diagnostics.contains("(private 2)"), "{}", public.diagnostics);
    assert_eq!(run(&["--visibility", "public", "--strict"]).code, 1);
    assert_eq!(run(&["--visibility", "private"]).code, 2);
}
