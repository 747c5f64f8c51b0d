//! GET `/openapi.json`, and the page that reads it.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CACHE_CONTROL, HeaderMap, HeaderValue,
};
use serde_json::Value;

use super::page;
use super::static_file::{Form, StaticFile};
use crate::http::problem::Problem;

/// The readers of the description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Readers {
    /// Anybody, from any page; the page sends what is tried to the API, which listens there too.
    Anybody,
    /// Clients of the admin listener, where the API isn't served.
    Operators,
}

/// The routes of the description.
pub(in crate::http) fn router(document: &Value, readers: Readers) -> Router {
    let json = HeaderValue::from_static("application/json");
    let file = StaticFile::new(json, Form::Plain, Bytes::from(document.to_string()));
    let description = Arc::new(Description { file, readers });
    let document = Router::new().route("/openapi.json", get(show)).with_state(description);
    document.merge(page::router(readers))
}

struct Description {
    file: StaticFile,
    readers: Readers,
}

/// The document.
async fn show(State(description): State<Arc<Description>>, headers: HeaderMap) -> Result<Response, Problem> {
    let mut response = description.file.answer(&headers).await?;
    let headers = response.headers_mut();
    if description.readers == Readers::Anybody {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("etag, x-request-id"));
    }
    // Kept, but asked for each time: a new version of the node may describe itself otherwise.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, no-cache"));
    Ok(response)
}
