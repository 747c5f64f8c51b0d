//! Answers: JSON with its caching.

use axum::body::Body;
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, VARY};
use serde::Serialize;

use super::problem::{Kind, Problem};
use crate::media::Timestamp;

/// Who may keep an answer, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caching {
    /// Nobody.
    No,
    /// The client that asked, for so many seconds.
    Private(u64),
    /// Anybody, for so many seconds.
    Public(u64),
}

impl Caching {
    /// For the client alone, as long as the shortest-lived link lets it; not at all without links.
    pub(super) fn of_links(max_ages: impl Iterator<Item = u64>) -> Self {
        max_ages.min().map_or(Self::No, Self::Private)
    }

    /// Sets `Cache-Control`, and `Vary: Authorization` where what is kept belongs to one caller:
    /// browsers keep answers across logins.
    pub(super) fn apply(self, headers: &mut HeaderMap) {
        let value = match self {
            Self::No => "no-store".to_owned(),
            Self::Private(seconds) => format!("private, max-age={seconds}"),
            Self::Public(seconds) => format!("public, max-age={seconds}"),
        };
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(CACHE_CONTROL, value);
        }
        if matches!(self, Self::Private(_)) {
            headers.insert(VARY, HeaderValue::from_static("Authorization"));
        }
    }
}

/// Says of an answer that assets in it are what was known of them before their store became unavailable.
pub(super) fn mark(response: &mut Response, stale: bool) {
    if stale {
        response.headers_mut().insert(SIGNET_STALE, HeaderValue::from_static("true"));
    }
}

const SIGNET_STALE: HeaderName = HeaderName::from_static("signet-stale");

/// A JSON answer.
pub(super) fn json(status: StatusCode, body: &impl Serialize, caching: Caching) -> Result<Response, Problem> {
    let bytes = serde_json::to_vec(body)
        .map_err(|error| Problem::new(Kind::Internal, "the answer can't be written").caused_by(&error))?;
    Ok(json_bytes(status, bytes, caching))
}

/// An answer of JSON that is written already.
pub(super) fn json_bytes(status: StatusCode, bytes: Vec<u8>, caching: Caching) -> Response {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    caching.apply(response.headers_mut());
    response
}

/// A time in seconds since the Unix epoch as RFC 3339.
pub(super) fn time(seconds: u64) -> String {
    Timestamp::from_seconds(seconds).to_rfc3339()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_lived_link_bounds_the_caching() {
        assert_eq!(Caching::of_links([90, 76, 140].into_iter()), Caching::Private(76));
        assert_eq!(Caching::of_links([].into_iter()), Caching::No);
        let answer = json(StatusCode::OK, &1, Caching::Private(76)).unwrap();
        assert_eq!(answer.headers()[CACHE_CONTROL], "private, max-age=76");
        assert_eq!(answer.headers()[VARY], "Authorization");
    }
}
