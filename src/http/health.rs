//! The client's side of `/readyz`.

use axum::body::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::service::ports::with_causes;

/// Why a node isn't known to be well.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// It can't be asked there.
    #[error("{0}")]
    Url(String),
    /// It gave no answer.
    #[error("{0}")]
    Failed(String),
    /// It answered with another status than 200.
    #[error("{status}: {word}")]
    Answer {
        /// The status.
        status: StatusCode,
        /// The beginning of what it said.
        word: String,
    },
}

/// The word of an answer of 200.
///
/// # Errors
/// As [`HealthError`] says.
pub async fn ask_health(url: &str) -> Result<String, HealthError> {
    let uri: Uri = url.parse().map_err(|error| HealthError::Url(format!("{error}")))?;
    if uri.scheme_str() != Some("http") {
        return Err(HealthError::Url("must be an http:// URL".into()));
    }
    let client = Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(HttpConnector::new());
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = uri;
    let answer = client.request(request).await.map_err(|error| HealthError::Failed(with_causes(&error)))?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), MAX_BYTES).collect().await;
    let body = body.map_err(|error| HealthError::Failed(with_causes(error.as_ref())))?.to_bytes();
    let word = String::from_utf8_lossy(&body).trim().to_owned();
    if status == StatusCode::OK { Ok(word) } else { Err(HealthError::Answer { status, word }) }
}

/// The most that is read of an answer, in bytes.
const MAX_BYTES: usize = 1024;
