//! PUT, GET, HEAD `/objects/{*path}`: uploads to the embedded object store, whole or a part, and reads from it, by
//! its presigned URLs.
//!
//! It answers as S3 does: 200 with an ETag; XML errors, 403 where the signature doesn't hold, 412
//! where something is stored already, 409 while another upload of the same object is under way, 404 where nothing is
//! stored or where the upload that a part is for isn't there any more, 400 where the body isn't what was signed.
//! Browsers upload and read from anywhere, so CORS is open: the signature is the permission. HEAD takes a GET's
//! signature.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, COOKIE, ETAG, HeaderMap, HeaderValue,
};

use super::body::{self, Pace};
use super::limits::HttpLimits;
use super::problem::Problem;
use super::{file, xml};
use crate::service::ports::{Clock, GetError, ObjectGate, PutError, SignedRequest, StoreError};

/// The way in, and what it needs.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) gate: Arc<dyn ObjectGate>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) limits: Arc<HttpLimits>,
}

/// Takes an upload.
pub(super) async fn put(State(gate): State<Gate>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path_and_query = parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let Some(headers) = single(&parts.headers) else {
        return open(refusal(
            StatusCode::BAD_REQUEST,
            "InvalidRequest",
            "A header is given twice or isn't text.",
        ));
    };
    let signed = SignedRequest { path_and_query, headers };
    let bytes = body::stream(body, Pace::streaming(&gate.limits), None);
    open(match gate.gate.put(signed, bytes, gate.clock.now()).await {
        Ok(stored) => {
            let mut response = Response::new(Body::empty());
            file::harmless(response.headers_mut());
            if let Ok(etag) = HeaderValue::from_str(&stored.etag) {
                response.headers_mut().insert(ETAG, etag);
            }
            response
        }
        Err(error) => refused(error),
    })
}

/// Hands a file out, to GET and HEAD.
pub(super) async fn get(State(gate): State<Gate>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let now = gate.clock.now();
    let read = file::serve(&parts, |range| gate.gate.open(target, range, now)).await;
    open(read.unwrap_or_else(|error| match error {
        GetError::Denied(words) => refusal(StatusCode::FORBIDDEN, "AccessDenied", words),
        GetError::NotFound => {
            refusal(StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist.")
        }
        GetError::Store(error) => unavailable(error),
    }))
}

/// The preflight of browsers.
pub(super) async fn preflight() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, PUT"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ALLOWED_HEADERS));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600"));
    open(response)
}

/// Headers in lower case, each once; `None` where one isn't. Cookies are nobody's business here,
/// and HTTP/2 may split them.
fn single(headers: &HeaderMap) -> Option<Vec<(String, String)>> {
    let once = headers.keys().filter(|name| **name != COOKIE).map(|name| {
        let mut values = headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then(|| (name.as_str().to_owned(), value.to_owned()))
    });
    once.collect()
}

fn refused(error: PutError) -> Response {
    match error {
        PutError::Denied(words) => refusal(StatusCode::FORBIDDEN, "AccessDenied", words),
        PutError::Exists => {
            let words = "At least one of the pre-conditions you specified did not hold";
            refusal(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", words)
        }
        PutError::Busy => {
            let words =
                "Another upload of this object is under way. Wait until it has ended, then try again.";
            refusal(StatusCode::CONFLICT, "ConditionalRequestConflict", words)
        }
        PutError::NoUpload => {
            let words = "The upload isn't there any more: it was completed or given up.";
            refusal(StatusCode::NOT_FOUND, "NoSuchUpload", words)
        }
        PutError::BadBody(words) => refusal(StatusCode::BAD_REQUEST, "InvalidRequest", words),
        PutError::Cut(error) if error.kind() == std::io::ErrorKind::TimedOut => {
            refusal(StatusCode::REQUEST_TIMEOUT, "RequestTimeout", "The upload came too slowly.")
        }
        PutError::Cut(_) => refusal(StatusCode::BAD_REQUEST, "IncompleteBody", "The upload was cut off."),
        PutError::Store(error) => unavailable(error),
    }
}

fn unavailable(error: StoreError) -> Response {
    Problem::from(error).log();
    refusal(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "Please try again.")
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    xml::error(status, "application/xml", code, message)
}

fn open(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED_HEADERS));
    response
}

const EXPOSED_HEADERS: &str = "accept-ranges, content-range, etag, x-request-id";
const ALLOWED_HEADERS: &str = "content-type, if-none-match, range, x-amz-checksum-sha256";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_given_twice_are_refused_but_for_cookies() {
        let map = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, HeaderValue::from_static(value));
            }
            headers
        };
        let one = map(&[("Content-Type", "image/png"), ("cookie", "a=1"), ("cookie", "b=2")]);
        assert_eq!(single(&one).unwrap(), [("content-type".to_owned(), "image/png".to_owned())]);
        assert!(single(&map(&[("content-type", "a/b"), ("content-type", "c/d")])).is_none());
    }

    #[test]
    fn refusals_are_those_of_s3() {
        for (error, status) in [
            (PutError::Denied("no"), 403),
            (PutError::Exists, 412),
            (PutError::Busy, 409),
            (PutError::NoUpload, 404),
            (PutError::BadBody("no"), 400),
            (PutError::Cut(std::io::ErrorKind::TimedOut.into()), 408),
            (PutError::Cut(std::io::ErrorKind::UnexpectedEof.into()), 400),
        ] {
            assert_eq!(refused(error).status(), status);
        }
    }
}
