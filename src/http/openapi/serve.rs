//! GET `/openapi.json`, and the page that reads it.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use hyper::StatusCode;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderValue,
};
use serde_json::Value;

use super::page;
use crate::http::conditions;

/// The routes of the description.
pub(in crate::http) fn router(document: &Value) -> Router {
    let bytes = Bytes::from(document.to_string());
    let tag = conditions::content_tag(&bytes);
    let document =
        Router::new().route("/openapi.json", get(show)).with_state(Arc::new(Description { bytes, tag }));
    document.merge(page::router())
}

struct Description {
    bytes: Bytes,
    tag: String,
}

/// The document. Anybody may read it, from any page.
async fn show(State(description): State<Arc<Description>>, headers: HeaderMap) -> Response {
    let known = conditions::none_match_names(&headers, &description.tag);
    let body = if known { Body::empty() } else { Body::from(description.bytes.clone()) };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("etag, x-request-id"));
    // Kept, but asked for each time: a new version of the node may describe itself otherwise.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&description.tag) {
        headers.insert(ETAG, tag);
    }
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
    }
    response
}
