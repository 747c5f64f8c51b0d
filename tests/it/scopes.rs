//! What tokens may do: each route needs its scope, and says which.

use serde_json::json;
use tempfile::TempDir;

use crate::support::Node;
use crate::support::http::{get, get_as, send};
use crate::support::settings::{ANNA, two_tenants};
use crate::support::upload::{picture, ready};

const SCOPES: [&str; 3] = ["media:read", "media:write", "media:sign"];

#[tokio::test(flavor = "multi_thread")]
async fn every_route_needs_credentials_and_its_scope() {
    let folder = TempDir::new().unwrap();
    let node = Node::serve(folder.path(), &two_tenants(folder.path(), "", "vectors/rsa", false), &[]);
    let token = |scope: &str| ANNA.token_with(folder.path(), json!({ "scope": scope }));
    // An id that no asset has: who may is told 404, and nothing changes.
    let asset = "/media/v1/assets/med_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    for (method, path, scope) in [
        ("GET", "/media/v1/assets", "media:read"),
        ("GET", asset, "media:read"),
        ("GET", "/media/v1/usage", "media:read"),
        ("PATCH", asset, "media:write"),
        ("DELETE", asset, "media:write"),
        ("POST", "/media/v1/uploads", "media:write"),
        ("POST", "/media/v1/uploads/med_01ARZ3NDEKTSV4RRFFQ69G5FAV/finalize", "media:write"),
        ("GET", "/media/v1/uploads/med_01ARZ3NDEKTSV4RRFFQ69G5FAV/parts", "media:write"),
        ("POST", "/media/v1/uploads/med_01ARZ3NDEKTSV4RRFFQ69G5FAV/complete", "media:write"),
        ("DELETE", "/media/v1/uploads/med_01ARZ3NDEKTSV4RRFFQ69G5FAV", "media:write"),
        ("POST", "/media/v1/links", "media:sign"),
        ("POST", "/media/v1/documents", "media:sign"),
        ("POST", "/media/v1/cookies", "media:sign"),
    ] {
        let url = format!("{}{path}", node.api);
        let ask = async |credentials: &str| {
            let headers = [("authorization", credentials), ("content-type", "application/json")];
            send(method, &url, &headers, if method == "GET" { "" } else { "{}" }).await
        };
        let unknown = send(method, &url, &[("content-type", "application/json")], "{}").await;
        unknown.assert_problem(401, "credentials-missing");
        let others = SCOPES.into_iter().filter(|other| *other != scope).collect::<Vec<_>>().join(" ");
        for wrong in [others.as_str(), "", "openid"] {
            let refused = ask(&token(wrong)).await;
            let problem = refused.assert_problem(403, "insufficient-scope");
            assert_eq!(problem["required"], scope, "{method} {path}");
            let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
            assert_eq!(refused.header("www-authenticate"), challenge);
        }
        for right in [token(scope), ANNA.token(folder.path()), ANNA.2.to_owned()] {
            let status = ask(&right).await.status;
            assert!(![401, 403].contains(&status), "{method} {path}: {status}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_permalink_needs_a_scope_and_a_public_one_none() {
    let folder = TempDir::new().unwrap();
    let node = Node::serve(folder.path(), &two_tenants(folder.path(), "", "vectors/rsa", false), &[]);
    let token = |scope: &str| ANNA.token_with(folder.path(), json!({ "scope": scope }));
    let link = async |visibility: &str| {
        let asset =
            ready(&node.api, ANNA.2, "a.jpg", &picture(100, 7), json!({ "visibility": visibility })).await;
        format!("{}/m/{}", node.api, asset["assetId"].as_str().unwrap())
    };
    let (public, private) = (link("PUBLIC").await, link("PRIVATE").await);
    for scope in ["media:read", "media:sign", "media:read media:sign"] {
        assert_eq!(get_as(&private, &token(scope)).await.status, 302, "{scope}");
    }
    for scope in ["media:write", ""] {
        let problem = get_as(&private, &token(scope)).await.assert_problem(403, "insufficient-scope");
        assert_eq!(problem["required"], "media:read");
        assert_eq!(get_as(&public, &token(scope)).await.status, 302);
    }
    get(&private, &[]).await.assert_problem(404, "asset-not-found");
}
