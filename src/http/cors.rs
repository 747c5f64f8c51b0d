//! Which pages of other origins may call the API from a browser.
//!
//! Callers are known by a header that a page has to set itself, never by cookies: so credentials in the sense
//! of browsers are never allowed, and `*` gives no page more than its own keys.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::FutureExt;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_MATCH, IF_NONE_MATCH, LOCATION, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE,
};
use hyper::{Method, Request, Response};
use tower::{Layer, ServiceExt, service_fn};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// Origins that may call.
#[derive(Debug, Clone, Default)]
pub struct Cors(Origins);

#[derive(Debug, Clone)]
enum Origins {
    Any,
    /// These; without any, no page may.
    Some(Vec<HeaderValue>),
}

impl Default for Origins {
    fn default() -> Self {
        Self::Some(Vec::new())
    }
}

impl Cors {
    /// Reads origins such as `https://www.example.com`, or `*` alone for all.
    ///
    /// # Errors
    /// The first text that is no origin as browsers send it.
    pub fn new(origins: &[String]) -> Result<Self, InvalidOrigin> {
        if origins == ["*"] {
            return Ok(Self(Origins::Any));
        }
        origins
            .iter()
            .map(|text| origin(text))
            .collect::<Result<_, _>>()
            .map(|list| Self(Origins::Some(list)))
    }

    /// What the layer adds to the answer to every request that names no origin.
    pub(super) fn common_headers(&self) -> HeaderMap {
        self.headers(None)
    }

    /// What the layer adds to the answer to a request that names this origin.
    pub(super) fn headers(&self, origin: Option<&HeaderValue>) -> HeaderMap {
        let Some(layer) = self.layer() else { return HeaderMap::new() };
        let empty = service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(())));
        let mut request = Request::new(());
        request.headers_mut().extend(origin.map(|origin| (ORIGIN, origin.clone())));
        let answer = layer.layer(empty).oneshot(request).now_or_never();
        answer.and_then(Result::ok).map(|answer| answer.into_parts().0.headers).unwrap_or_default()
    }

    /// The layer that says so, and answers preflights; `None` where no page may call.
    pub(super) fn layer(&self) -> Option<CorsLayer> {
        let origins = match &self.0 {
            Origins::Any => AllowOrigin::any(),
            Origins::Some(list) if list.is_empty() => return None,
            Origins::Some(list) => AllowOrigin::list(list.iter().cloned()),
        };
        let layer = CorsLayer::new()
            .allow_origin(origins)
            .allow_methods([
                Method::GET,
                Method::HEAD,
                Method::POST,
                Method::PUT,
                Method::PATCH,
                Method::DELETE,
            ])
            .allow_headers([
                ACCEPT,
                AUTHORIZATION,
                CONTENT_ENCODING,
                CONTENT_TYPE,
                IF_MATCH,
                IF_NONE_MATCH,
                HeaderName::from_static("idempotency-key"),
                HeaderName::from_static("traceparent"),
                HeaderName::from_static("tracestate"),
                HeaderName::from_static("x-request-id"),
            ])
            .expose_headers([
                ETAG,
                LOCATION,
                RETRY_AFTER,
                WWW_AUTHENTICATE,
                HeaderName::from_static("ratelimit"),
                HeaderName::from_static("ratelimit-policy"),
                HeaderName::from_static("signet-media"),
                HeaderName::from_static("signet-stale"),
                HeaderName::from_static("x-request-id"),
            ])
            .max_age(PREFLIGHT_LIFE);
        Some(layer)
    }
}

/// Scheme, host in lower case, perhaps a port that isn't the scheme's own; nothing behind it.
fn origin(text: &str) -> Result<HeaderValue, InvalidOrigin> {
    let invalid = || InvalidOrigin(text.to_owned());
    let (rest, own_port) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => (rest, ":443"),
        (_, Some(rest)) => (rest, ":80"),
        _ => return Err(invalid()),
    };
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]".contains(&byte);
    if rest.is_empty() || rest.ends_with(own_port) || rest.ends_with(':') || !rest.bytes().all(plain) {
        return Err(invalid());
    }
    HeaderValue::from_str(text).map_err(|_| invalid())
}

/// A text that no browser sends as an origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} must be an origin as browsers send it, such as https://www.example.com: scheme and host in lower \
     case, no path and no slash at its end, no default port; or \"*\" alone"
)]
pub struct InvalidOrigin(String);

/// How long browsers may keep the answer of a preflight; they keep it for two hours at most.
const PREFLIGHT_LIFE: Duration = Duration::from_secs(7_200);

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origins: &[&str]) -> Result<Cors, InvalidOrigin> {
        Cors::new(&origins.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn origins_are_as_browsers_send_them() {
        for good in
            ["https://www.example.com", "http://localhost:5173", "https://a.b:8443", "http://[::1]:80801"]
        {
            assert!(cors(&[good]).is_ok(), "{good}");
        }
        for bad in [
            "",
            "null",
            "example.com",
            "https://",
            "https://a/",
            "https://a/b",
            "https://A.com",
            "https://a:443",
            "http://a:80",
            "https://*.a.com",
            "ftp://a",
            "https://a b",
            "https://u@a",
            "https://a:",
        ] {
            assert!(cors(&[bad]).is_err(), "{bad}");
        }
        assert!(cors(&["*", "https://a"]).is_err(), "the star stands alone");
    }

    #[test]
    fn no_page_may_call_unless_it_is_said() {
        assert!(cors(&[]).unwrap().layer().is_none());
        assert!(Cors::default().layer().is_none());
        assert!(cors(&["*"]).unwrap().layer().is_some());
    }
}
