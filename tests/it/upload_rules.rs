//! What may be uploaded, and under which name.

use serde_json::json;

use crate::support::http::post;
use crate::support::shared_dev;
use crate::support::upload::ticket;

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
