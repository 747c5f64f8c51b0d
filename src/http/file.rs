//! A file as an answer, for the listeners that hand out bytes: GET and HEAD, with conditions and ranges
//! (RFC 9110): 200, 206, 304, 416.
//!
//! What is handed out was uploaded by others, so an answer is kept from doing anything in a browser: its type is what it
//! says and not what it looks like, a page of it runs no script and loads nothing, and what isn't a picture, a sound or a
//! film is saved instead of shown.

use std::future::Future;

use axum::body::Body;
use axum::response::Response;
use hyper::header::{
    ACCEPT_RANGES, ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, IF_RANGE,
    RANGE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

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
    harmless(headers);
    if let Ok(disposition) = HeaderValue::from_str(&disposition(parts.uri.path(), &stored.content_type)) {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
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

/// Keeps an answer from doing anything in a browser. For errors of these listeners too.
pub(super) fn harmless(headers: &mut HeaderMap) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
}

/// Whether a file is shown or saved, and under which name (RFC 6266): the last segment of its path.
fn disposition(path: &str, content_type: &str) -> String {
    let kind = if is_passive(content_type) { "inline" } else { "attachment" };
    let name = percent_decode_str(path.rsplit('/').next().unwrap_or_default()).decode_utf8_lossy();
    if name.is_empty() {
        return kind.to_owned();
    }
    // What a quoted string can't hold everywhere, for clients that know no other form.
    let plain = |character: char| character.is_ascii_graphic() && !matches!(character, '"' | '\\' | '%');
    let simple: String = name
        .chars()
        .map(|character| if plain(character) || character == ' ' { character } else { '_' })
        .collect();
    if simple == name {
        return format!("{kind}; filename=\"{simple}\"");
    }
    format!("{kind}; filename=\"{simple}\"; filename*=UTF-8''{}", utf8_percent_encode(&name, ATTRIBUTE))
}

/// Whether a browser shows files of a type without running anything that is in them.
fn is_passive(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.split_once('/') {
        Some(("image", kind)) => !kind.contains("svg") && !kind.contains("xml"),
        Some(("audio" | "video", _)) => true,
        _ => false,
    }
}

/// All but the `attr-char` of RFC 8187.
const ATTRIBUTE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

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
    fn only_passive_types_are_shown_and_names_are_quoted() {
        for (path, content_type, expected) in [
            ("/x/a.jpg", "image/jpeg", "inline; filename=\"a.jpg\""),
            ("/x/a%20b.pdf", "application/pdf", "attachment; filename=\"a b.pdf\""),
            ("/x/a.svg", "image/svg+xml", "attachment; filename=\"a.svg\""),
            ("/x/a.html", "Text/HTML; charset=utf-8", "attachment; filename=\"a.html\""),
            ("/x/a", "application/octet-stream", "attachment; filename=\"a\""),
            ("/x/", "video/mp4", "inline"),
            (
                "/x/%C3%A9%22%0D%0Ax%5C.mp4",
                "video/mp4",
                "inline; filename=\"____x_.mp4\"; filename*=UTF-8''%C3%A9%22%0D%0Ax%5C.mp4",
            ),
            ("/x/100%.mp3", "audio/mpeg", "inline; filename=\"100_.mp3\"; filename*=UTF-8''100%25.mp3"),
        ] {
            assert_eq!(disposition(path, content_type), expected, "{path}");
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
