//! From a ticket to a READY asset, over the API.

use bytes::Bytes;
use serde_json::{Value, json};

use super::http::{Answer, post, send};

/// Uploads a file with credentials and gives the asset as finalize answers it. `more` is merged into the
/// request: `visibility`, `metadata`.
pub async fn ready(api: &str, credentials: &str, filename: &str, bytes: &Bytes, more: Value) -> Value {
    let ticket = ticket(api, credentials, filename, bytes.len(), more).await;
    let sent = put(&ticket, bytes.clone()).await;
    assert_eq!(sent.status, 200, "{}", sent.text());
    let asset = finalize(api, credentials, ticket["assetId"].as_str().unwrap()).await;
    assert_eq!(asset.status, 200, "{}", asset.text());
    asset.json()
}

/// A ticket for a picture.
pub async fn ticket(api: &str, credentials: &str, filename: &str, size: usize, more: Value) -> Value {
    let mut request = json!({"filename": filename, "contentType": "image/jpeg", "sizeBytes": size});
    request.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    let ticket = post(&format!("{api}/media/v1/uploads"), credentials, request).await;
    assert_eq!(ticket.status, 201, "{}", ticket.text());
    ticket.json()
}

/// Sends the bytes as the ticket says.
pub async fn put(ticket: &Value, bytes: Bytes) -> Answer {
    let headers = ticket["headers"].as_object().unwrap();
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
    send(ticket["method"].as_str().unwrap(), ticket["uploadUrl"].as_str().unwrap(), &headers, bytes).await
}

/// Finalizes an upload.
pub async fn finalize(api: &str, credentials: &str, id: &str) -> Answer {
    post(&format!("{api}/media/v1/uploads/{id}/finalize"), credentials, "").await
}

/// Bytes that begin as a JPEG does, and go on with a filler.
pub fn picture(length: usize, filler: u8) -> Bytes {
    let start = [0xff, 0xd8, 0xff, 0xe0];
    start.into_iter().chain(std::iter::repeat(filler)).take(length).collect()
}
