//! What belongs to one tenant is nobody else's: not by id, key, URL, cookie, cursor or permalink, in both
//! layouts; and a frozen tenant gets nothing.

use bytes::Bytes;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::Node;
use crate::support::http::{get, get_as, patch, post, raw_request, send};
use crate::support::settings::{ANNA, BEN, two_tenants};
use crate::support::upload::{finalize, picture, put, ready, ticket};

/// A bucket a tenant, and one bucket for all.
const LAYOUTS: [&str; 2] = ["", "path = \"{tenant}\"\nbucket = \"media\""];

/// A node with an asset of each visibility and an unfinished upload of Anna's, and what Ben may come with.
struct House {
    folder: TempDir,
    node: Node,
    layout: &'static str,
    public: Value,
    private: Value,
    pending: Value,
    bytes: Bytes,
}

impl House {
    async fn new(layout: &'static str) -> Self {
        let folder = TempDir::new().unwrap();
        let node = Node::serve(folder.path(), &two_tenants(folder.path(), layout, "vectors/rsa", false), &[]);
        let bytes = picture(1000, 7);
        let anna = |visibility: &str| json!({"visibility": visibility, "metadata": {"alt": "mine"}});
        let public = ready(&node.api, ANNA.2, "a.jpg", &bytes, anna("PUBLIC")).await;
        let private = ready(&node.api, &ANNA.token(folder.path()), "b.jpg", &bytes, anna("PRIVATE")).await;
        let pending = ticket(&node.api, ANNA.2, "c.jpg", bytes.len(), json!({})).await;
        Self { folder, node, layout, public, private, pending, bytes }
    }

    /// Ben's two ways to say who he is.
    fn ben(&self) -> [String; 2] {
        [BEN.2.to_owned(), BEN.token(self.folder.path())]
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.node.api)
    }

    /// The URL under which all of a tenant's media lies.
    fn root(&self, tenant: &crate::support::settings::Tenant) -> String {
        let first =
            if self.layout.is_empty() { format!("vivreal-{}", tenant.1) } else { tenant.0.to_owned() };
        format!("{}/{first}/", self.node.edge)
    }
}

fn id(asset: &Value) -> &str {
    asset["assetId"].as_str().unwrap()
}

fn bare(asset: &Value) -> &str {
    asset["url"].as_str().unwrap().split('?').next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_assets_are_not_there() {
    for layout in LAYOUTS {
        let house = House::new(layout).await;
        assert_eq!(put(&house.pending, house.bytes.clone()).await.status, 200);
        for ben in house.ben() {
            for asset in [&house.public, &house.private, &house.pending] {
                let url = house.url(&format!("/media/v1/assets/{}", id(asset)));
                get_as(&url, &ben).await.assert_problem(404, "asset-not-found");
                let body = json!({"metadata": {"alt": "his"}, "visibility": "PUBLIC"});
                patch(&url, &ben, body).await.assert_problem(404, "asset-not-found");
                let deleted = send("DELETE", &url, &[("authorization", &ben)], "").await;
                deleted.assert_problem(404, "asset-not-found");
                finalize(&house.node.api, &ben, id(asset)).await.assert_problem(404, "asset-not-found");
                let upload = house.url(&format!("/media/v1/uploads/{}", id(asset)));
                get_as(&format!("{upload}/parts"), &ben).await.assert_problem(404, "asset-not-found");
                let tags = json!({"parts": [{"partNumber": 1, "etag": "x"}]});
                post(&format!("{upload}/complete"), &ben, tags).await.assert_problem(404, "asset-not-found");
                let given_up = send("DELETE", &upload, &[("authorization", &ben)], "").await;
                given_up.assert_problem(404, "asset-not-found");
            }
            let list = get_as(&house.url("/media/v1/assets"), &ben).await.json();
            assert_eq!(list, json!({"items": [], "nextCursor": null}));
            let usage = get_as(&house.url("/media/v1/usage"), &ben).await.json();
            let nothing = json!({
                "count": 0, "bytes": 0, "pending": {"count": 0, "bytes": 0}, "quota": {"count": null, "bytes": null},
            });
            assert_eq!(usage, nothing);
            let page = get_as(&house.url("/media/v1/assets?limit=1"), ANNA.2).await.json();
            let cursor = page["nextCursor"].as_str().unwrap();
            let url = house.url(&format!("/media/v1/assets?cursor={cursor}"));
            assert_eq!(get_as(&url, ANNA.2).await.status, 200);
            get_as(&url, &ben).await.assert_problem(404, "page-not-found");
        }
        for asset in [&house.public, &house.private] {
            let url = house.url(&format!("/media/v1/assets/{}", id(asset)));
            let mut still = get_as(&url, ANNA.2).await.json();
            for name in ["url", "expiresAt"] {
                still[name] = asset[name].clone();
            }
            assert_eq!(still, *asset, "nothing of it has changed");
        }
        assert_eq!(finalize(&house.node.api, ANNA.2, id(&house.pending)).await.status, 200);
        let list = get_as(&house.url("/media/v1/assets"), ANNA.2).await.json();
        assert_eq!(list["items"].as_array().unwrap().len(), 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_media_is_not_signed() {
    for layout in LAYOUTS {
        let house = House::new(layout).await;
        let (anna, ben_root) = (house.root(&ANNA), house.root(&BEN));
        assert!(bare(&house.public).starts_with(&anna), "{}", house.public);
        let name = anna.strip_prefix(&house.node.edge).unwrap().trim_matches('/').to_owned();
        let urls = [
            bare(&house.public).to_owned(),
            bare(&house.private).to_owned(),
            house.public["url"].as_str().unwrap().to_owned(),
            format!("{ben_root}../{name}/a.jpg"),
            format!("{ben_root}%2e%2e/{name}/a.jpg"),
            format!("{ben_root}x/..%2f..%2f{name}/a.jpg"),
            format!("{ben_root}x%5c..%5c..%5c{name}/a.jpg"),
            ben_root.trim_end_matches('/').to_owned() + "2/a.jpg",
            "https://example.com/a.jpg".to_owned(),
        ];
        // In a bucket of one's own the key of Anna's asset is that of an asset; in one bucket for all it isn't, as it
        // comes after Ben's own folder.
        let reason = if house.layout.is_empty() { Some("foreign") } else { None };
        let keys = [
            (house.public["storageKey"].as_str().unwrap().to_owned(), reason),
            (format!("../{name}/a.jpg"), Some("invalid_key")),
            (format!("x/../../{name}/a.jpg"), Some("invalid_key")),
            (format!("/{name}/a.jpg"), Some("invalid_key")),
        ];
        for ben in house.ben() {
            let ids = [id(&house.public), id(&house.private), id(&house.pending)];
            let asked: Vec<&str> = keys.iter().map(|(key, _)| key.as_str()).collect();
            let body = json!({"ids": ids, "keys": asked, "urls": urls});
            let answer = post(&house.url("/media/v1/links"), &ben, body).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let rows = answer.json()["links"].as_array().unwrap().clone();
            assert_eq!(rows.len(), ids.len() + keys.len() + urls.len());
            for row in rows {
                if let Some(key) = row["key"].as_str() {
                    let (_, reason) = keys.iter().find(|(known, _)| known == key).unwrap();
                    let link = row["link"].as_str();
                    assert_eq!(
                        link.is_some_and(|link| link.starts_with(&ben_root)),
                        reason.is_none(),
                        "{row}"
                    );
                    assert_eq!(row["reason"].as_str(), *reason, "{row}");
                    // The link is good, and leads to nothing of Anna's.
                    if let Some(link) = link {
                        assert_eq!(get(link, &[]).await.status, 404);
                    }
                } else {
                    assert_eq!((&row["reason"], row["link"].is_null()), (&json!("foreign"), true), "{row}");
                }
            }
            let document = json!({
                "ids": ids, "urls": urls, "html": format!("<img src=\"{}\">", bare(&house.private)),
            });
            let signed = post(&house.url("/media/v1/documents"), &ben, &document).await;
            assert_eq!(signed.status, 200, "{}", signed.text());
            assert_eq!(signed.text(), document.to_string(), "not one byte is signed");
            // The HTML is one more, and the URL on another host is none.
            let found = ids.len() + urls.len();
            assert_eq!(signed.header("signet-media"), format!("found={found}, signed=0, unsigned={found}"));
            let strict = post(&house.url("/media/v1/documents?strict=true"), &ben, &document).await;
            let problem = strict.assert_problem(422, "unsigned-media");
            for row in problem["unsigned"].as_array().unwrap() {
                assert_eq!(row["reason"], "foreign", "{row}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_never_leave_the_root_and_never_open_private() {
    for layout in LAYOUTS {
        let house = House::new(layout).await;
        let name = house.root(&ANNA).strip_prefix(&house.node.edge).unwrap().trim_matches('/').to_owned();
        for ben in house.ben() {
            for folder in [
                String::new(),
                "/".into(),
                "./".into(),
                "../".into(),
                "*/../".into(),
                format!("../{name}/"),
                format!("x/../../{name}/"),
                format!("%2e%2e/{name}/"),
                format!("x%2f..%2f..%2f{name}/"),
                format!("..\\{name}/"),
                "private/".into(),
                "private/x/".into(),
                "PRIVATE/".into(),
                "x/../private/".into(),
            ] {
                let refused = post(&house.url("/media/v1/cookies"), &ben, json!({"folder": folder})).await;
                let problem = refused.assert_problem(422, "invalid-field");
                assert_eq!(problem["pointer"], "/folder", "{folder}");
                assert!(!refused.headers.contains_key("set-cookie"));
            }
            for folder in [format!("{name}/"), "t_anna/".to_owned(), "*/".to_owned(), "pri*/".to_owned()] {
                let granted = post(&house.url("/media/v1/cookies"), &ben, json!({"folder": folder})).await;
                assert_eq!(granted.status, 200, "{folder}");
                let granted = granted.json();
                let cookies: Vec<String> = granted["cookies"]
                    .as_object()
                    .unwrap()
                    .iter()
                    .map(|(name, value)| format!("{name}={}", value.as_str().unwrap()))
                    .collect();
                for asset in [&house.public, &house.private] {
                    let path = bare(asset).strip_prefix(&house.node.edge).unwrap();
                    let own = path.replacen(&name, house.root(&BEN).rsplit('/').nth(1).unwrap(), 1);
                    for path in [path.to_owned(), own] {
                        let header = cookies.join("; ");
                        let answer = raw_request(&house.node.edge, "GET", &path, &[("cookie", &header)]);
                        assert_ne!(answer.status, 200, "{folder} {path}");
                        if path.contains("/private/") || path.contains(&name) {
                            assert_eq!(answer.status, 403, "{folder} {path}");
                        }
                    }
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_permalink_is_its_tenants_alone() {
    for layout in LAYOUTS {
        let house = House::new(layout).await;
        let [public, private] = [&house.public, &house.private].map(|a| house.url(&format!("/m/{}", id(a))));
        let [key, token] = house.ben();
        for answer in [
            get(&private, &[]).await,
            get(&format!("{private}?format=json"), &[]).await,
            get_as(&private, &key).await,
            get_as(&private, &token).await,
        ] {
            answer.assert_problem(404, "asset-not-found");
            assert_eq!(answer.header("location"), "");
        }
        get_as(&public, "sk_nobody_0123456789").await.assert_problem(401, "credentials-invalid");
        for anna in [ANNA.2.to_owned(), ANNA.token(house.folder.path())] {
            let answer = get_as(&private, &anna).await;
            assert_eq!(answer.status, 302);
            assert!(answer.header("cache-control").starts_with("private, max-age="));
            assert!(answer.header("location").contains("/private/"), "{}", answer.header("location"));
            assert!(get(answer.header("location"), &[]).await.body == house.bytes);
        }
        for answer in [get(&public, &[]).await, get_as(&public, &key).await, get_as(&public, &token).await] {
            assert_eq!(answer.status, 302);
            assert!(answer.header("cache-control").starts_with("public, max-age="));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_tenant_is_refused_everywhere_and_the_others_are_not() {
    let House { folder, node, public, private, .. } = House::new(LAYOUTS[0]).await;
    drop(node);
    let node = Node::serve(folder.path(), &two_tenants(folder.path(), "", "vectors/rsa", true), &[]);
    let url = |path: &str| format!("{}{path}", node.api);
    let asset = format!("/media/v1/assets/{}", id(&public));
    for anna in [ANNA.2.to_owned(), ANNA.token(folder.path())] {
        for (method, path) in [
            ("GET", "/media/v1/assets"),
            ("GET", "/media/v1/usage"),
            ("GET", &asset),
            ("PATCH", &asset),
            ("DELETE", &asset),
            ("POST", &format!("{asset}/restore")),
            ("POST", "/media/v1/links"),
            ("POST", "/media/v1/documents"),
            ("POST", "/media/v1/cookies"),
            ("POST", "/media/v1/uploads"),
            ("POST", &format!("/media/v1/uploads/{}/finalize", id(&public))),
            ("GET", &format!("/m/{}", id(&public))),
            ("GET", &format!("/m/{}", id(&private))),
        ] {
            let headers = [("authorization", anna.as_str()), ("content-type", "application/json")];
            let body = if method == "POST" || method == "PATCH" { "{}" } else { "" };
            send(method, &url(path), &headers, body).await.assert_problem(403, "tenant-frozen");
        }
    }
    let permalink = url(&format!("/m/{}", id(&public)));
    get(&permalink, &[]).await.assert_problem(403, "tenant-frozen");
    get_as(&permalink, BEN.2).await.assert_problem(403, "tenant-frozen");
    get(&url(&format!("/m/{}", id(&private))), &[]).await.assert_problem(404, "asset-not-found");
    assert_eq!(get_as(&url("/media/v1/assets"), BEN.2).await.status, 200);
}
