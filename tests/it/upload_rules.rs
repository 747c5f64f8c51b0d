//! What may be uploaded, and under which name.

use serde_json::json;

use crate::support::http::post;
use crate::support::settings::{ANNA, two_tenants};
use crate::support::upload::ticket;
use crate::support::{Node, shared_dev};

#[tokio::test(flavor = "multi_thread")]
async fn names_are_cleaned_before_they_become_keys() {
    let shared = shared_dev();
    let node = &shared.1;
    for (given, cleaned) in [
        ("../../C:\\\\temp\\photo\u{202e}gpj.exe", "photogpj.exe"),
        ("E\u{301}te\u{301} 写真.jpg", "Été 写真.jpg"),
        ("..hidden.jpg. ", "hidden.jpg"),
        ("nul.jpg", "_nul.jpg"),
    ] {
        let ticket = ticket(&node.api, &node.api_key, given, 10, json!({})).await;
        let id = ticket["assetId"].as_str().unwrap();
        assert_eq!(ticket["storageKey"], format!("private/t_demo/{id}/{cleaned}"), "{given:?}");
    }
    for nothing in ["\u{202e}", " . ", "a/\u{200b}"] {
        let request = json!({"filename": nothing, "contentType": "image/jpeg", "sizeBytes": 10});
        let answer = post(&format!("{}/media/v1/uploads", node.api), &node.api_key, request).await;
        assert_eq!(answer.assert_problem(422, "invalid-field")["pointer"], "/filename");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_file_depends_on_its_type() {
    let folder = tempfile::TempDir::new().unwrap();
    let types = "[uploads]\nmax_bytes = 1000\n\
        content_types = [\"image/png\", \"image/gif\", \"application/pdf\", \"application/vnd.ms-excel\"]\n\
        [uploads.max_bytes_by_type]\n\"image/*\" = 100\n\"image/gif\" = 50\n\
        \"application/vnd.ms-excel\" = 2000\n";
    let node = Node::serve(folder.path(), &two_tenants(folder.path(), types, "vectors/rsa", false), &[]);
    for (content_type, limit) in [
        ("image/png", 100),
        ("image/gif", 50),
        ("application/pdf", 1_000),
        ("application/vnd.ms-excel", 2_000),
    ] {
        let more = json!({"contentType": content_type});
        ticket(&node.api, ANNA.2, "a", limit, more).await;
        for size in [0, limit + 1] {
            let request = json!({"filename": "a", "contentType": content_type, "sizeBytes": size});
            let answer = post(&format!("{}/media/v1/uploads", node.api), ANNA.2, request).await;
            let problem = answer.assert_problem(422, "invalid-field");
            assert_eq!((&problem["pointer"], &problem["limit"]), (&json!("/sizeBytes"), &json!(limit)));
            assert!(problem["detail"].as_str().unwrap().contains(&limit.to_string()), "{problem}");
        }
    }
}
