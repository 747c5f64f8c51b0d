//! The listener that plays CloudFront in front of the object store.
//!
//! 1. GET or HEAD of any path; the URL is what the viewer asked for, byte for byte.
//! 2. The service verifies its signature, or the viewer's cookies, and opens the file.
//! 3. Conditions and ranges are answered by `file`: 200, 206, 304, 416.
//! 4. Refusals are XML with CloudFront's words.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use hyper::header::{ALLOW, CONNECTION, COOKIE, HOST, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

use super::admission::{self, UnreadBudget};
use super::problem::Problem;
use super::server::Peer;
use super::{file, xml};
use crate::cloudfront::Refusal;
use crate::service::rates::ClientNet;
use crate::service::{Edge, EdgeError};

/// A layer around everything: what clients have under way and unread stays within a budget for each network.
pub(super) async fn within_budget(
    State(budget): State<Arc<UnreadBudget>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let Some(Peer(peer)) = request.extensions().get().copied() else {
        return Ok(next.run(request).await);
    };
    let refused = || admission::too_much_unread().with_header(CONNECTION, HeaderValue::from_static("close"));
    let cost = admission::cost_of_request(request.uri().path());
    let charge = budget.take(ClientNet::of(peer.ip()), cost).ok_or_else(refused)?;
    let answer = next.run(request).await;
    if !charge.grow(admission::cost_of_answer(&answer)) {
        return Err(refused());
    }
    Ok(admission::charged(answer, Arc::new(charge)))
}

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
    let cookies = file::joined(&parts.headers, &COOKIE, "; ");
    let viewer = peer.ip().to_canonical();
    match file::serve(&parts, |range| edge.fetch(&url, cookies.as_deref(), viewer, range)).await {
        Ok(response) => Ok(response),
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
    use super::*;

    fn request(method: &str, headers: &[(&str, &str)]) -> Parts {
        let mut builder = Request::builder().method(method).uri("/a%7Eb/~c?x=%2f&Expires=1");
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_url_is_what_the_viewer_asked_for() {
        let parts = request("GET", &[("host", "127.0.0.1:9000")]);
        assert_eq!(url(&parts).unwrap(), "http://127.0.0.1:9000/a%7Eb/~c?x=%2f&Expires=1");
        assert_eq!(url(&request("GET", &[])), None);
    }

    #[test]
    fn refusals_have_the_codes_of_cloudfront() {
        assert_eq!(code(Refusal::MissingKeyPairId), "MissingKey");
        assert_eq!(code(Refusal::AccessDenied), "AccessDenied");
    }
}
