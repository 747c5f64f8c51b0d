//! What happens to every request on its way in and out.
//!
//! 1. It gets a request id: its own `x-request-id` where that is sane, else a fresh ULID. The
//!    answer carries it.
//! 2. It gets a tracing span with method, route, id and trace, and the tenant once that is known. It lasts until the
//!    answer's body is sent. Paths, queries and headers are left out: they hold signatures and tokens.
//! 3. A problem gets its body.
//! 4. An answer that has a type is taken for nothing else: `X-Content-Type-Options: nosniff`.
//! 5. It is counted, and logged: as a warning where this side has failed, for information where the caller has, else
//!    for debugging; and so is what is turned away, of which there may be any number.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use tracing::field::{Empty, display};
use tracing::level_filters::LevelFilter;
use tracing::{Instrument, Span};
use ulid::Ulid;

use super::look::Look;
use super::problem::{self, Problem};
use super::trace::{NoRequestTracer, RequestTracer};
use super::{spanned, trace};
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
        match Look::at(request.headers()).request_id() {
            Some(id) => Self::new(request.uri().path(), id),
            None => Self::new(request.uri().path(), &Ulid::generate().to_string()),
        }
    }
}

/// What [`observe`] needs.
#[derive(Clone)]
pub(super) struct Observer {
    meter: Arc<dyn RequestMeter>,
    tracer: Arc<dyn RequestTracer>,
    /// Whether anybody is told of the spans of requests.
    is_heard: bool,
    /// Whether requests are of any interest to those who follow traces.
    follows: bool,
    /// The route of requests that match no route.
    unmatched: &'static str,
}

impl Observer {
    /// Counts and follows requests.
    pub(super) fn new(
        meter: Arc<dyn RequestMeter>,
        tracer: Arc<dyn RequestTracer>,
        unmatched: &'static str,
    ) -> Self {
        let is_heard = tracer.is_heard();
        Self { meter, tracer, is_heard, follows: true, unmatched }
    }

    /// Does neither.
    pub(super) fn unfollowed(unmatched: &'static str) -> Self {
        let this = Self::new(Arc::new(NoRequestMeter), Arc::new(NoRequestTracer), unmatched);
        Self { follows: false, ..this }
    }

    /// What counts them.
    pub(super) fn meter(&self) -> &dyn RequestMeter {
        &*self.meter
    }

    /// A request that is answered at once, without a context of its own.
    pub(super) fn begin(&self) -> Seen<'_> {
        Seen { observer: self, started: Instant::now() }
    }

    /// The span of a request: of log lines, whatever their level, and of its trace.
    fn span(&self, method: &'static str, route: &str, id: &str, headers: &HeaderMap) -> Span {
        macro_rules! span {
            ($target:literal) => {
                tracing::error_span!(
                    target: $target, "request", method, route, id,
                    trace_id = Empty, tenant = Empty, status = Empty
                )
            };
        }
        let span = if self.follows { span!("signet::http") } else { span!("signet::admin") };
        if let Some(trace) = self.tracer.follow(&span, trace::caller(headers)) {
            span.record("trace_id", display(format_args!("{trace:032x}")));
        }
        span
    }
}

/// A request that has begun.
pub(super) struct Seen<'o> {
    observer: &'o Observer,
    started: Instant,
}

impl Seen<'_> {
    /// The request is answered.
    pub(super) fn end<B>(
        self,
        route: &str,
        request: &hyper::Request<B>,
        look: Look<'_>,
        answer: &mut Response,
    ) {
        let mut fresh = [0; ulid::ULID_LEN];
        let id = match look.request_id() {
            Some(id) => id,
            None => Ulid::generate().array_to_str(&mut fresh),
        };
        let method = bounded(request.method());
        if let Ok(id) = HeaderValue::from_str(id) {
            // Mostly there is a place for it: that is cheaper than a new one.
            let headers = answer.headers_mut();
            match headers.iter_mut().find(|(name, _)| **name == REQUEST_ID) {
                Some((_, place)) => *place = id,
                None => drop(headers.insert(REQUEST_ID, id)),
            }
        }
        let (status, seconds) = (answer.status().as_u16(), self.started.elapsed().as_secs_f64());
        self.observer.meter.request(route, method, status, seconds);
        // A span costs more than all the rest here. It begins when it ends: what it is about took microseconds.
        if self.observer.is_heard || LevelFilter::current() >= LevelFilter::DEBUG {
            let span = self.observer.span(method, route, id, request.headers());
            span.in_scope(|| tracing::debug!(status, seconds, "answered"));
            span.record("status", status);
        }
    }
}

/// The outermost layer of every router.
pub(super) async fn observe(State(observer): State<Observer>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let context = RequestContext::of(&request);
    let method = bounded(request.method());
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or(observer.unmatched, MatchedPath::as_str);
    let span = observer.span(method, route, context.id(), request.headers());
    request.extensions_mut().insert(context.clone());
    let answer = async {
        let answer = next.run(request).await;
        let problem = answer.extensions().get::<Problem>();
        if let Some(limit) = problem.and_then(Problem::limit) {
            observer.meter.limit(limit);
        }
        let turned_away = problem.is_some_and(Problem::turns_away);
        let mut answer = problem::render(answer, &context);
        if answer.headers().contains_key(CONTENT_TYPE) {
            answer.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        }
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
    };
    let answer = answer.instrument(span.clone()).await;
    if observer.is_heard {
        span.record("status", answer.status().as_u16());
    }
    spanned::within(span, answer)
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

    #[test]
    fn a_request_without_a_sane_id_gets_one() {
        for (given, length) in [("a-1", 3), ("a b", 26)] {
            let request = Request::builder().uri("/m/x?secret").header(REQUEST_ID, given);
            let context = RequestContext::of(&request.body(axum::body::Body::empty()).unwrap());
            assert_eq!((context.path(), context.id().len()), ("/m/x", length));
        }
    }

    #[test]
    fn methods_are_bounded() {
        assert_eq!(bounded(&Method::from_bytes(b"BREW").unwrap()), "OTHER");
    }
}
