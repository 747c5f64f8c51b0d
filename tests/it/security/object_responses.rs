//! Files that others have uploaded do nothing in a browser, also where they come from the API's own origin.

use bytes::Bytes;
use serde_json::json;
use tempfile::TempDir;

use crate::support::Node;
use crate::support::http::{Answer, get, send};
use crate::support::settings::{ANNA, two_tenants};
use crate::support::upload::{picture, put, ready, ticket};

fn assert_harmless(answer: &Answer, of: &str) {
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{of}");
    assert_eq!(answer.header("content-security-policy"), "sandbox; default-src 'none'", "{of}");
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_run_nothing_in_a_browser() {
    let folder = TempDir::new().unwrap();
    let settings =
        two_tenants(folder.path(), "path = \"{tenant}\"\nbucket = \"media\"", "vectors/rsa", false);
    let settings = format!(
        "{settings}\n[delivery]\nprivate = \"s3\"\n\
         [uploads]\ncontent_types = [\"image/svg+xml\", \"image/jpeg\", \"text/html\", \"application/pdf\"]\n"
    );
    let node = Node::serve(folder.path(), &settings, &[]);
    let svg =
        Bytes::from_static(b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>");
    let html = Bytes::from_static(b"<!doctype html><html><script>alert(1)</script></html>");
    for (visibility, way) in [("PRIVATE", "/objects/"), ("PUBLIC", "?Expires=")] {
        for (name, content_type, bytes, disposition) in [
            ("x.svg", "image/svg+xml", &svg, "attachment; filename=\"x.svg\""),
            ("x.html", "text/html", &html, "attachment; filename=\"x.html\""),
            ("x.jpg", "image/jpeg", &picture(500, 1), "inline; filename=\"x.jpg\""),
            (
                "\u{e9}\";x=\u{1f3ac}.jpg",
                "image/jpeg",
                &picture(500, 1),
                "inline; filename=\"__;x=_.jpg\"; filename*=UTF-8''%C3%A9%22%3Bx%3D%F0%9F%8E%AC.jpg",
            ),
        ] {
            let more = json!({"contentType": content_type, "visibility": visibility});
            let asset = ready(&node.api, ANNA.2, name, bytes, more).await;
            let url = asset["url"].as_str().unwrap();
            assert!(url.contains(way), "{url}");
            let whole = get(url, &[]).await;
            assert_eq!((whole.status, whole.header("content-type")), (200, content_type));
            let part = get(url, &[("range", "bytes=1-3")]).await;
            assert_eq!((part.status, part.body.len()), (206, 3));
            let same = get(url, &[("if-none-match", whole.header("etag"))]).await;
            assert_eq!(same.status, 304);
            let outside = get(url, &[("range", "bytes=9999-")]).await;
            assert_eq!(outside.status, 416);
            let head = send("HEAD", url, &[], "").await;
            for answer in [&whole, &part, &same, &outside, &head] {
                assert_harmless(answer, name);
                assert_eq!(answer.header("content-disposition"), disposition, "{name}");
            }
        }
    }
    let ticket = ticket(&node.api, ANNA.2, "y.jpg", 500, json!({})).await;
    let stored = put(&ticket, picture(500, 1)).await;
    assert_eq!(stored.status, 200);
    assert_harmless(&stored, "an upload's answer");
    for url in [format!("{}/objects/media/x", node.api), format!("{}/t_anna/x", node.edge)] {
        let refused = get(&url, &[]).await;
        assert_eq!(refused.status, 403);
        assert_harmless(&refused, &url);
    }
}
