//! A file as an answer, for the listeners that hand out bytes: GET and HEAD, with conditions and ranges
//! (RFC 9110): 200, 206, 304, 416.

use std::future::Future;

use axum::body::Body;
use axum::response::Response;
use hyper::header::{
    ACCEPT_RANGES, ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderName, HeaderValue, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

use super::range;
use crate::service::ports::{ByteRange, ObjectBody};

/// Answers with what `fetch` opens: the whole file, or the part that is asked for.
pub(super) async fn serve<E, F>(parts: &Parts, fetch: impl Fn(Option<ByteRange>) -> F) -> Result<Response, E>
where
    F: Future<Output = Result<ObjectBody, E>>,
{
    // A range of a HEAD request means nothing.
    let range = parts.headers.get(RANGE).filter(|_| parts.method == Method::GET).and_then(parsed_range);
    let object = fetch(range).await?;
    if let (Some(_), Some(if_range)) = (range, parts.headers.get(IF_RANGE))
        && !range::is_same(if_range.to_str().unwrap_or_default(), &object.stored.etag)
    {
        return Ok(answer(parts, fetch(None).await?, None));
    }
    Ok(answer(parts, object, range))
}

fn parsed_range(header: &HeaderValue) -> Option<ByteRange> {
    range::parse(header.to_str().ok()?)
}

/// HTTP/2 may split a header into several.
pub(super) fn joined(headers: &HeaderMap, name: &HeaderName, between: &str) -> Option<String> {
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

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use hyper::Request;
    use hyper::body::Bytes;

    use super::*;
    use crate::media::Stored;

    fn request(method: &str, headers: &[(&str, &str)]) -> Parts {
        let mut builder = Request::builder().method(method).uri("/a");
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
}
