//! Files that are sent in parts of 5 MiB.

use bytes::Bytes;
use serde_json::{Value, json};

use super::http::{Answer, get_as, post, send};
use super::upload::{picture, ticket};

/// Settings by which whatever is over 5 MiB is sent in parts of 5 MiB.
pub const SMALL_PARTS: [(&str, &str); 2] =
    [("SIGNET__UPLOADS__MULTIPART_THRESHOLD_BYTES", "5242880"), ("SIGNET__UPLOADS__PART_BYTES", "5242880")];

/// The length of a part.
pub const PART: usize = 5 * 1024 * 1024;

/// Bytes that begin as a JPEG does, for three parts, of which no two are alike.
pub fn three_parts() -> Bytes {
    let mut noise = vec![0; 2 * PART + 100_000];
    rand::fill(&mut noise[..]);
    picture(4, 0).into_iter().chain(noise).collect()
}

/// An upload in parts that has begun.
pub struct InParts {
    pub api: String,
    pub credentials: String,
    pub id: String,
    pub ticket: Value,
}

impl InParts {
    /// Asks for a ticket for a content.
    pub async fn begin(api: &str, credentials: &str, content: &Bytes) -> Self {
        let ticket =
            ticket(api, credentials, "large.jpg", content.len(), json!({"visibility": "PUBLIC"})).await;
        let id = ticket["assetId"].as_str().unwrap().to_owned();
        Self { api: api.to_owned(), credentials: credentials.to_owned(), id, ticket }
    }

    /// A path of this upload.
    pub fn url(&self, tail: &str) -> String {
        format!("{}/media/v1/uploads/{}{tail}", self.api, self.id)
    }

    /// The answer to GET parts with a query.
    pub async fn parts(&self, query: &str) -> Answer {
        get_as(&self.url(&format!("/parts{query}")), &self.credentials).await
    }

    /// Sends a part as it is described, and gives its ETag.
    pub async fn send(&self, part: &Value, content: &Bytes) -> String {
        let sent = send_part(part, content).await;
        assert_eq!(sent.status, 200, "{}", sent.text());
        sent.header("etag").to_owned()
    }

    /// Sends all parts of the ticket, and gives what complete is to be told.
    pub async fn send_all(&self, content: &Bytes) -> Value {
        let mut tags = Vec::new();
        for part in self.ticket["multipart"]["parts"].as_array().unwrap() {
            let etag = self.send(part, content).await;
            tags.push(json!({"partNumber": part["partNumber"], "etag": etag}));
        }
        json!({"parts": tags})
    }

    /// Puts the parts together.
    pub async fn complete(&self, tags: &Value) -> Answer {
        post(&self.url("/complete"), &self.credentials, tags).await
    }

    /// Gives the upload up.
    pub async fn give_up(&self) -> Answer {
        send("DELETE", &self.url(""), &[("authorization", &self.credentials)], "").await
    }
}

/// Sends a part of a content as it is described.
pub async fn send_part(part: &Value, content: &Bytes) -> Answer {
    let first = (usize::try_from(part["partNumber"].as_u64().unwrap()).unwrap() - 1) * PART;
    let size = usize::try_from(part["sizeBytes"].as_u64().unwrap()).unwrap();
    assert_eq!(part["headers"], json!({}));
    let url = part["uploadUrl"].as_str().unwrap();
    send(part["method"].as_str().unwrap(), url, &[], content.slice(first..first + size)).await
}
