//! From a ticket to the same bytes at the edge.

use serde_json::json;

use crate::support::http::{get, post, send};
use crate::support::{fresh_dev, verify};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_uploaded_comes_back_through_a_signed_link() {
    let (_folder, node) = fresh_dev();
    let bytes = std::fs::read(node.data.join("pictures/harbour.jpg")).unwrap();
    let request = json!({"filename": "Hafen größe.jpg", "contentType": "image/jpeg", "sizeBytes": bytes.len(),
        "visibility": "PUBLIC", "metadata": {"alt": "a harbour"}});
    let ticket = post(&format!("{}/media/v1/uploads", node.api), &node.api_key, request).await;
    assert_eq!(ticket.status, 201, "{}", ticket.text());
    let ticket = ticket.json();
    let id = ticket["assetId"].as_str().unwrap();
    assert_eq!(ticket["storageKey"], format!("t_demo/{id}/Hafen größe.jpg"));
    assert_eq!(ticket["expiresInSeconds"], 900);

    let finalize = format!("{}/media/v1/uploads/{id}/finalize", node.api);
    post(&finalize, &node.api_key, "").await.assert_problem(409, "not-uploaded");

    let headers = ticket["headers"].as_object().unwrap();
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
    let put = send("PUT", ticket["uploadUrl"].as_str().unwrap(), &headers, bytes.clone()).await;
    assert_eq!(put.status, 200, "{}", put.text());

    let asset = post(&finalize, &node.api_key, "").await;
    assert_eq!(asset.status, 200, "{}", asset.text());
    let asset = asset.json();
    assert_eq!(
        (&asset["status"], &asset["widthPx"], &asset["heightPx"]),
        (&json!("READY"), &json!(1280), &json!(853))
    );

    let redirect = get(&format!("{}/m/{id}", node.api), &[]).await;
    assert_eq!(redirect.status, 302, "{}", redirect.text());
    let link = redirect.header("location");
    assert_eq!(link, asset["url"].as_str().unwrap());
    let key = verify::public_key(node.facts["publicKey"].as_str().unwrap());
    verify::assert_served(link, &key, verify::now());
    let file = get(link, &[]).await;
    assert_eq!((file.status, file.header("content-type")), (200, "image/jpeg"));
    assert!(file.body == bytes, "the bytes are the same");
    let part = get(link, &[("range", "bytes=10-19")]).await;
    assert_eq!((part.status, &part.body[..]), (206, &bytes[10..20]));
}
