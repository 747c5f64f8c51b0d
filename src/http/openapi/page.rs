//! GET `/docs/`: a page to try the API (Swagger UI), whose every file comes from here.
//!
//! Credentials are pasted by hand and forgotten with the page.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use hyper::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use utoipa_swagger_ui::Config;

use crate::http::problem::{Kind, Problem};

type Page = Arc<Config<'static>>;

/// The routes of the page.
pub(super) fn router() -> Router {
    let config = Config::from("/openapi.json")
        .validator_url("none")
        .persist_authorization(false)
        .try_it_out_enabled(true)
        .display_operation_id(true);
    Router::new()
        .route("/docs", get(|| async { Redirect::permanent("/docs/") }))
        .route("/docs/", get(index))
        .route("/docs/{*file}", get(file))
        .with_state(Arc::new(config))
}

async fn index(State(page): State<Page>) -> Result<Response, Problem> {
    serve("index.html", page)
}

async fn file(State(page): State<Page>, Path(file): Path<String>) -> Result<Response, Problem> {
    serve(&file, page)
}

fn serve(name: &str, page: Page) -> Result<Response, Problem> {
    let file = utoipa_swagger_ui::serve(name, page).map_err(|error| {
        Problem::new(Kind::Internal, "the page can't be written").caused_by(error.as_ref())
    })?;
    let file = file.ok_or_else(|| Problem::new(Kind::NotFound, "the page has no such file"))?;
    let mut response = Body::from(file.bytes.into_owned()).into_response();
    let headers = response.headers_mut();
    if let Ok(content_type) = HeaderValue::from_str(&file.content_type) {
        headers.insert(CONTENT_TYPE, content_type);
    }
    if file.gzpipped {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(ITSELF_ONLY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}

/// Nothing from elsewhere, and nothing to elsewhere. The page sets styles of elements, and has pictures
/// written into its style sheet.
const ITSELF_ONLY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";
