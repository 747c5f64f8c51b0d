//! What happens to every request on its way in and out.
//!
//! 1. It gets a request id: its own `x-request-id` where that is sane, else a fresh ULID. The
//!    answer carries it.
//! 2. It gets a tracing span with method, route and id. Paths, queries and headers are left out:
//!    they hold signatures and tokens.
//! 3. A problem gets its body.
//! 4. It is counted, and logged: as a warning where this side has failed, for information where the caller has, else
//!    for debugging; and so is what is turned away, of which there may be any number.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use hyper::Method;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use tracing::Instrument;
use ulid::Ulid;

use super::problem::{self, Problem};
use crate::service::ports::Limit;

/// Counts requests. `telemetry` turns it into metrics.
pub trait RequestMeter: Send + Sync + 'static {
    /// A request was answered. `route` is a pattern such as `/m/{id}` and `method` a standard one,
    /// so that a stranger can't add series; `seconds` is the time until the answer began.
    fn request(&self, route: &str, method: &'static str, status: u16, seconds: f64);
    /// Somebody has met a limit of HTTP.
    fn limit(&self, _limit: Limit) {}
}

/// Counts nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRequestMeter;

impl RequestMeter for NoRequestMeter {
    fn request(&self, _: &str, _: &'static str, _: u16, _: f64) {}
}

/// Who a request is: in its extensions, for problems and the log.
#[derive(Debug, Clone)]
pub struct RequestContext {
    path: Arc<str>,
    id: Arc<str>,
}

impl RequestContext {
    /// A request for a path.
    #[must_use]
    pub fn new(path: &str, id: &str) -> Self {
        Self { path: path.into(), id: id.into() }
    }

    /// The path as requested, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The request id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Of a request that comes in.
    pub(super) fn of<B>(request: &hyper::Request<B>) -> Self {
        let given = request_id(request.headers());
        match given {
            Some(id) => Self::new(request.uri().path(), id),
            None => Self::new(request.uri().path(), &Ulid::generate().to_string()),
        }
    }
}

/// What [`observe`] needs.
#[derive(Clone)]
pub(super) struct Observer {
    /// Counts requests.
    pub(super) meter: Arc<dyn RequestMeter>,
    /// The route of requests that match no route.
    pub(super) unmatched: &'static str,
}

impl Observer {
    /// A request that is answered at once, without a context of its own.
    pub(super) fn begin(&self) -> Seen<'_> {
        Seen { observer: self, started: Instant::now() }
    }
}

/// A request that has begun.
pub(super) struct Seen<'o> {
    observer: &'o Observer,
    started: Instant,
}

impl Seen<'_> {
    /// The request is answered.
    pub(super) fn end<B>(self, route: &str, request: &hyper::Request<B>, answer: &mut Response) {
        let mut fresh = [0; ulid::ULID_LEN];
        let id = match request_id(request.headers()) {
            Some(id) => id,
            None => Ulid::generate().array_to_str(&mut fresh),
        };
        let method = bounded(request.method());
        if let Ok(id) = HeaderValue::from_str(id) {
            answer.headers_mut().insert(REQUEST_ID, id);
        }
        let (status, seconds) = (answer.status().as_u16(), self.started.elapsed().as_secs_f64());
        self.observer.meter.request(route, method, status, seconds);
        tracing::debug!(method, route, id, status, seconds, "answered");
    }
}

/// The outermost layer of every router.
pub(super) async fn observe(State(observer): State<Observer>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let context = RequestContext::of(&request);
    let method = bounded(request.method());
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or(observer.unmatched, MatchedPath::as_str);
    let span = tracing::info_span!("request", method, route, id = context.id());
    request.extensions_mut().insert(context.clone());
    async {
        let answer = next.run(request).await;
        let problem = answer.extensions().get::<Problem>();
        if let Some(limit) = problem.and_then(Problem::limit) {
            observer.meter.limit(limit);
        }
        let turned_away = problem.is_some_and(Problem::turns_away);
        let mut answer = problem::render(answer, &context);
        if let Ok(id) = HeaderValue::from_str(context.id()) {
            answer.headers_mut().insert(REQUEST_ID, id);
        }
        let (status, seconds) = (answer.status().as_u16(), started.elapsed().as_secs_f64());
        observer.meter.request(route, method, status, seconds);
        match answer.status() {
            _ if turned_away => tracing::debug!(status, seconds, "answered"),
            code if code.is_server_error() => tracing::warn!(status, seconds, "answered"),
            code if code.is_client_error() => tracing::info!(status, seconds, "answered"),
            _ => tracing::debug!(status, seconds, "answered"),
        }
        answer
    }
    .instrument(span)
    .await
}

/// The inbound request id: one header of 1 to 64 of `A-Z a-z 0-9 _ . -`.
fn request_id(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(REQUEST_ID).iter();
    let id = values.next().and_then(|value| value.to_str().ok())?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let sane = values.next().is_none() && (1..=64).contains(&id.len()) && id.bytes().all(allowed);
    sane.then_some(id)
}

/// A method that metrics know.
pub(super) fn bounded(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

/// Which request it is.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (REQUEST_ID, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_sane_request_id_is_kept() {
        assert_eq!(request_id(&headers(&["a.B-1_2"])), Some("a.B-1_2"));
    }

    #[test]
    fn any_other_request_id_is_replaced() {
        let long: &'static str = Box::leak("x".repeat(65).into_boxed_str());
        for values in [&[][..], &[""], &["a b"], &["a\"b"], &["a", "b"], &[long]] {
            assert_eq!(request_id(&headers(values)), None, "{values:?}");
        }
        let request = Request::builder().uri("/m/x?secret").body(axum::body::Body::empty()).unwrap();
        let context = RequestContext::of(&request);
        assert_eq!((context.path(), context.id().len()), ("/m/x", 26));
    }

    #[test]
    fn methods_are_bounded() {
        assert_eq!(bounded(&Method::from_bytes(b"BREW").unwrap()), "OTHER");
    }
}
