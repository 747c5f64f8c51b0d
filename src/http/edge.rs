//! The listener that plays CloudFront in front of the object store.
//!
//! 1. GET or HEAD of any path; the URL is what the viewer asked for, byte for byte.
//! 2. The service verifies its signature, or the viewer's cookies, and opens the file.
//! 3. Conditions and ranges are answered here: 200, 206, 304, 416.
//! 4. Refusals are XML with CloudFront's words.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use hyper::header::{
    ACCEPT_RANGES, ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, COOKIE,
    ETAG, HOST, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

use super::problem::Problem;
use super::server::Peer;
use super::{range, xml};
use crate::cloudfront::Refusal;
use crate::service::ports::{ByteRange, ObjectBody};
use crate::service::{Edge, EdgeError};

/// Everything, at every path.
pub(super) async fn serve(State(edge): State<Arc<Edge>>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    if parts.method != Method::GET && parts.method != Method::HEAD {
        let message = "The specified method is not allowed against this resource.";
        let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message);
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Ok(response);
    }
    let (Some(url), Some(Peer(peer))) = (url(&parts), parts.extensions.get().copied()) else {
        return Ok(refusal(StatusCode::BAD_REQUEST, "InvalidRequest", "The request has no host."));
    };
    let cookies = joined(&parts.headers, &COOKIE, "; ");
    let viewer = peer.ip().to_canonical();
    let fetch = async |range| edge.fetch(&url, cookies.as_deref(), viewer, range).await;
    // A range of a HEAD request means nothing.
    let mut range = parts.headers.get(RANGE).filter(|_| parts.method == Method::GET).and_then(parsed_range);
    let mut outcome = fetch(range).await;
    if let (Ok(object), Some(_), Some(if_range)) = (&outcome, range, parts.headers.get(IF_RANGE))
        && !range::is_same(if_range.to_str().unwrap_or_default(), &object.stored.etag)
    {
        range = None;
        outcome = fetch(None).await;
    }
    match outcome {
        Ok(object) => Ok(answer(&parts, object, range)),
        Err(EdgeError::Refused(words)) => Ok(refusal(StatusCode::FORBIDDEN, code(words), &words.to_string())),
        // S3 says 403 here where the reader may not list the bucket, as CloudFront may not. This
        // edge is for development: telling "not there" from "not allowed" is worth more.
        Err(EdgeError::NotFound) => {
            Ok(refusal(StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist."))
        }
        Err(EdgeError::Store(error)) => Err(error.into()),
    }
}

/// The URL as the viewer asked for it: scheme, host and port, and the raw request target.
fn url(parts: &Parts) -> Option<String> {
    let header = || parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = parts.uri.authority().map(|authority| authority.as_str()).or_else(header)?;
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    (!host.is_empty()).then(|| format!("http://{host}{target}"))
}

fn parsed_range(header: &HeaderValue) -> Option<ByteRange> {
    range::parse(header.to_str().ok()?)
}

/// HTTP/2 may split a header into several.
fn joined(headers: &HeaderMap, name: &HeaderName, between: &str) -> Option<String> {
    let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(between))
}

fn answer(parts: &Parts, object: ObjectBody, asked: Option<ByteRange>) -> Response {
    let ObjectBody { stored, range, bytes } = object;
    let length = stored.size_bytes;
    let unchanged = joined(&parts.headers, &IF_NONE_MATCH, ",");
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    let octets = HeaderValue::from_static("application/octet-stream");
    headers.insert(CONTENT_TYPE, HeaderValue::from_str(&stored.content_type).unwrap_or(octets));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    if let Ok(etag) = HeaderValue::from_str(&stored.etag) {
        headers.insert(ETAG, etag);
    }
    if unchanged.is_some_and(|tags| range::holds(&tags, &stored.etag)) {
        headers.remove(CONTENT_TYPE);
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    let (status, part) = match (asked, range) {
        (Some(_), Some((first, last))) => {
            (StatusCode::PARTIAL_CONTENT, Some(format!("bytes {first}-{last}/{length}")))
        }
        (Some(asked), None) if asked.within(length).is_none() => {
            (StatusCode::RANGE_NOT_SATISFIABLE, Some(format!("bytes */{length}")))
        }
        _ => (StatusCode::OK, None),
    };
    if let Some(part) = part.and_then(|part| HeaderValue::from_str(&part).ok()) {
        headers.insert(CONTENT_RANGE, part);
    }
    let sent = match (status, range) {
        (StatusCode::RANGE_NOT_SATISFIABLE, _) => 0,
        (StatusCode::PARTIAL_CONTENT, Some((first, last))) => last.saturating_sub(first).saturating_add(1),
        _ => length,
    };
    headers.insert(CONTENT_LENGTH, HeaderValue::from(sent));
    *response.status_mut() = status;
    if parts.method == Method::GET && sent > 0 {
        *response.body_mut() = Body::from_stream(bytes);
    }
    response
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    xml::error(status, "text/xml", code, message)
}

/// CloudFront's code for its words.
fn code(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::MissingKeyPairId => "MissingKey",
        Refusal::UnknownKey => "InvalidKey",
        Refusal::MalformedPolicy => "MalformedPolicy",
        Refusal::AccessDenied => "AccessDenied",
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use hyper::body::Bytes;

    use super::*;
    use crate::media::Stored;

    fn request(method: &str, headers: &[(&str, &str)]) -> Parts {
        let mut builder = Request::builder().method(method).uri("/a%7Eb/~c?x=%2f&Expires=1");
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap().into_parts().0
    }

    fn object(range: Option<(u64, u64)>) -> ObjectBody {
        let stored =
            Stored { size_bytes: 10, content_type: "image/png".into(), sha256: None, etag: "\"e\"".into() };
        let bytes = Box::pin(stream::iter([Ok(Bytes::from_static(b"0123456789"))]));
        ObjectBody { stored, range, bytes }
    }

    #[test]
    fn the_url_is_what_the_viewer_asked_for() {
        let parts = request("GET", &[("host", "127.0.0.1:9000")]);
        assert_eq!(url(&parts).unwrap(), "http://127.0.0.1:9000/a%7Eb/~c?x=%2f&Expires=1");
        assert_eq!(url(&request("GET", &[])), None);
    }

    #[test]
    fn whole_files_parts_and_impossible_parts_are_told_apart() {
        let get = request("GET", &[]);
        for (range, asked, status, length, content_range) in [
            (None, None, 200, "10", None),
            (Some((2, 4)), Some(ByteRange::FromTo(2, 4)), 206, "3", Some("bytes 2-4/10")),
            (None, Some(ByteRange::From(10)), 416, "0", Some("bytes */10")),
        ] {
            let response = answer(&get, object(range), asked);
            assert_eq!(response.status(), status);
            assert_eq!(response.headers()[CONTENT_LENGTH], length);
            let shown = response.headers().get(CONTENT_RANGE).map(|value| value.to_str().unwrap());
            assert_eq!(shown, content_range);
            assert_eq!(response.headers()[ETAG], "\"e\"");
        }
    }

    #[test]
    fn what_the_viewer_has_is_not_sent_again() {
        let parts = request("GET", &[("if-none-match", "\"x\", \"e\"")]);
        let response = answer(&parts, object(None), None);
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
        assert!(!response.headers().contains_key(CONTENT_LENGTH));
    }

    #[test]
    fn refusals_have_the_codes_of_cloudfront() {
        assert_eq!(code(Refusal::MissingKeyPairId), "MissingKey");
        assert_eq!(code(Refusal::AccessDenied), "AccessDenied");
    }
}
