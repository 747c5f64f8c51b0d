//! A JWK set over HTTP.
//!
//! One GET: no redirect is followed, at most 256 KiB are read, and all of it takes at most 5 s.

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::header::{ACCEPT, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

use super::MAX_BYTES;
use super::fetch::{FetchError, KeyFetch, TIME};
use crate::service::ports::{CurrentTrace, with_causes};

/// The URL of a JWK set: `https`, or `http` on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwksUrl(Uri);

impl JwksUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const RULE: &str =
            "must be an https:// URL; http:// only for this machine (localhost, 127.0.0.1, [::1])";
        let uri: Uri = text.parse().map_err(|_| RULE)?;
        let (Some(scheme), Some(host), Some(authority)) = (uri.scheme_str(), uri.host(), uri.authority())
        else {
            return Err(RULE);
        };
        if authority.as_str().contains('@') {
            return Err("must hold no user name or password");
        }
        match scheme {
            "https" => Ok(Self(uri)),
            "http" if is_loopback(host) => Ok(Self(uri)),
            _ => Err(RULE),
        }
    }

    /// The URL.
    #[must_use]
    pub fn as_uri(&self) -> &Uri {
        &self.0
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Gets a JWK set by its URL.
pub struct HttpFetch {
    url: JwksUrl,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    trace: Arc<dyn CurrentTrace>,
}

impl HttpFetch {
    /// Makes a client; asks for nothing yet. The issuer is told which trace a request belongs to.
    #[must_use]
    pub fn new(url: JwksUrl, connector: HttpsConnector<HttpConnector>, trace: Arc<dyn CurrentTrace>) -> Self {
        // Minutes lie between two requests: no connection is kept.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Self { url, client, trace }
    }

    async fn get(&self) -> Result<Bytes, FetchError> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = self.url.0.clone();
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json, */*;q=0.1"));
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(AGENT));
        if let Some(trace) = self.trace.current() {
            for (name, value) in
                [(TRACEPARENT, Some(trace.parent())), (TRACESTATE, trace.state().map(Into::into))]
            {
                if let Some(value) = value.and_then(|value: String| HeaderValue::try_from(value).ok()) {
                    request.headers_mut().insert(name, value);
                }
            }
        }
        let answer = self.client.request(request).await.map_err(|error| FetchError::unreachable(&error))?;
        if answer.status() != StatusCode::OK {
            return Err(FetchError::Status(answer.status().as_u16()));
        }
        let body = Limited::new(answer.into_body(), MAX_BYTES).collect().await;
        let body = body.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
            Some(_) => FetchError::TooLarge,
            None => FetchError::unreachable(error.as_ref()),
        })?;
        Ok(body.to_bytes())
    }
}

#[async_trait]
impl KeyFetch for HttpFetch {
    async fn fetch(&self) -> Result<Bytes, FetchError> {
        timeout(TIME, self.get()).await.unwrap_or(Err(FetchError::TooSlow))
    }
}

const AGENT: &str = concat!("signet/", env!("CARGO_PKG_VERSION"));
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

impl FetchError {
    /// With the causes of the cause: the client's own words alone say little.
    fn unreachable(error: &(dyn Error + 'static)) -> Self {
        Self::Unreachable(with_causes(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_by_tls_or_from_this_machine() {
        for good in [
            "https://id.example.com/.well-known/jwks.json",
            "https://10.0.0.1:8443/keys?tenant=a",
            "http://127.0.0.1:1234/jwks.json",
            "http://127.1.2.3/",
            "http://localhost:80/jwks",
            "http://[::1]:9/jwks",
        ] {
            assert!(JwksUrl::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/jwks.json",
            "id.example.com/jwks.json",
            "http://id.example.com/jwks.json",
            "http://localhost.example.com/jwks.json",
            "http://10.0.0.1/",
            "http://0.0.0.0/",
            "http://127.0.0.1.example.com/",
            "http://[::2]/",
            "http://localhost@example.com/",
            "https://user:password@id.example.com/",
            "file:///etc/passwd",
            "ftp://localhost/",
            "https://",
        ] {
            assert!(JwksUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
