//! The client's side of a collector: what it is sent, it takes or refuses.

use std::time::Duration;

use axum::body::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, Response, Uri};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

use crate::service::ports::with_causes;

/// How long a collector may take.
const TIME: Duration = Duration::from_secs(3);
/// The most that is read of its answer, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// Why a collector hasn't taken what it was sent.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// It can't be reached, or breaks off.
    #[error("{0}")]
    Unreachable(String),
    /// It takes too long.
    #[error("it gave no answer within {} s", TIME.as_secs())]
    TooSlow,
}

/// Sends to a collector.
#[derive(Debug, Clone)]
pub struct Push {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Push {
    /// A client that has sent nothing yet.
    #[must_use]
    pub fn new(connector: HttpsConnector<HttpConnector>) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).pool_max_idle_per_host(1).build(connector) }
    }

    /// Sends a request, and gives its answer, whatever the status.
    ///
    /// # Errors
    /// As [`PushError`] says.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, PushError> {
        timeout(TIME, self.exchange(request.map(Full::new))).await.unwrap_or(Err(PushError::TooSlow))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, PushError> {
        let answer = self.client.request(request).await;
        let answer = answer.map_err(|error| PushError::Unreachable(with_causes(&error)))?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, MAX_BYTES).collect().await;
        let body = body.map_err(|error| PushError::Unreachable(with_causes(error.as_ref())))?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }
}

/// Where a collector is: an `http` or `https` URL with a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectorUrl(Uri);

impl CollectorUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const RULE: &str = "must be an http:// or https:// URL such as http://127.0.0.1:4318/v1/traces";
        let uri: Uri = text.parse().map_err(|_| RULE)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(RULE);
        };
        if !matches!(scheme, "http" | "https") || authority.host().is_empty() || text.contains('#') {
            return Err(RULE);
        }
        if authority.as_str().contains('@') {
            return Err(
                "must hold no user name or password: OTEL_EXPORTER_OTLP_HEADERS is the place for them",
            );
        }
        if uri.path() == "/" {
            return Err("must have a path: most collectors take spans at /v1/traces");
        }
        Ok(Self(uri))
    }

    /// The URL.
    #[must_use]
    pub fn as_uri(&self) -> &Uri {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_where_a_path_leads() {
        for good in ["http://127.0.0.1:4318/v1/traces", "https://api.example.com/otlp/v1/traces?x=1"] {
            assert_eq!(CollectorUrl::parse(good).map(|url| url.as_uri().to_string()), Ok(good.to_owned()));
        }
        for (bad, word) in [
            ("", "URL such as"),
            ("127.0.0.1:4318", "URL such as"),
            ("grpc://127.0.0.1:4317/v1/traces", "URL such as"),
            ("/v1/traces", "URL such as"),
            ("http://127.0.0.1:4318/v1/traces#x", "URL such as"),
            ("http://127.0.0.1:4318", "path"),
            ("https://127.0.0.1:4318/", "path"),
            ("https://me:secret@collector.example/v1/traces", "password"),
        ] {
            assert!(CollectorUrl::parse(bad).unwrap_err().contains(word), "{bad}");
        }
    }
}
