//! GET `/docs/`: a page to try the API (Swagger UI), whose every file comes from here.
//!
//! Credentials are pasted by hand and forgotten with the page.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{Redirect, Response};
use axum::routing::get;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderValue, REFERRER_POLICY, X_FRAME_OPTIONS,
};
use utoipa_swagger_ui::Config;

use super::serve::Readers;
use super::static_file::{Form, StaticFile};
use crate::http::problem::{Kind, Problem};

/// The page's files, each of them once it was asked for: as many as the program holds.
struct Page {
    config: Arc<Config<'static>>,
    files: Mutex<HashMap<String, Arc<StaticFile>>>,
}

/// The routes of the page.
pub(super) fn router(readers: Readers) -> Router {
    let mut config = Config::from("/openapi.json")
        .validator_url("none")
        .persist_authorization(false)
        .try_it_out_enabled(readers == Readers::Anybody)
        .display_operation_id(true);
    if readers == Readers::Operators {
        config = config.supported_submit_methods::<[&str; 0], _>([]);
    }
    let page = Arc::new(Page { config: Arc::new(config), files: Mutex::default() });
    Router::new()
        .route("/docs", get(|| async { Redirect::permanent("/docs/") }))
        .route("/docs/", get(index))
        .route("/docs/{*file}", get(file))
        .with_state(page)
}

async fn index(State(page): State<Arc<Page>>, headers: HeaderMap) -> Result<Response, Problem> {
    serve(&page, "index.html", &headers).await
}

async fn file(
    State(page): State<Arc<Page>>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    serve(&page, &file, &headers).await
}

async fn serve(page: &Page, name: &str, headers: &HeaderMap) -> Result<Response, Problem> {
    let mut response = page.file(name)?.answer(headers).await?;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(ITSELF_ONLY));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}

impl Page {
    /// A file of the page, which is kept from then on.
    fn file(&self, name: &str) -> Result<Arc<StaticFile>, Problem> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = files.get(name) {
            return Ok(Arc::clone(file));
        }
        let file = utoipa_swagger_ui::serve(name, Arc::clone(&self.config)).map_err(|error| {
            Problem::new(Kind::Internal, "the page can't be written").caused_by(error.as_ref())
        })?;
        let file = file.ok_or_else(|| Problem::new(Kind::NotFound, "the page has no such file"))?;
        let bytes = match file.bytes {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => Bytes::from(bytes),
        };
        let form = if file.gzpipped { Form::Gzip } else { Form::Plain };
        let octets = HeaderValue::from_static("application/octet-stream");
        let content_type = HeaderValue::from_str(&file.content_type).unwrap_or(octets);
        let file = Arc::new(StaticFile::new(content_type, form, bytes));
        files.insert(name.to_owned(), Arc::clone(&file));
        Ok(file)
    }
}

/// Nothing from elsewhere, and nothing to elsewhere. The page sets styles of elements, and has pictures
/// written into its style sheet.
const ITSELF_ONLY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";
