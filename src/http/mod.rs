//! HTTP: three routers and the server that runs them.
//!
//! | router | routes | file |
//! |---|---|---|
//! | [`api`] | `/m/{id}`, `/media/v1/…` | `routes/` |
//! | [`api`] or [`admin`], the API's description | GET `/openapi.json`, `/docs`, `/docs/{*file}` | `openapi/` |
//! | [`api`], embedded object store | PUT, GET, HEAD, OPTIONS `/objects/{*path}` | `objects` (`file`, `range`, `xml`) |
//! | [`edge`] | GET, HEAD of everything | `edge` (`file`, `range`, `xml`) |
//! | [`admin`] | GET `/metrics`, `/healthz`, `/readyz` | `admin` |
//!
//! A request's way in: `server` (accept, `tls`, limits of connections) → [`Front`] (`host`: whether it names one server;
//! `admission`: the limits of its address, found by `client_address`; permalinks that are ready) → `observe` (request id,
//! span, meter; `trace`: the caller's trace) → `cors` → `drain` (refused bodies) → panics caught → routes → `caller`,
//! `extract`, `params`, `body`, `media_type`. Its way out: `answer` or [`problem`], whose body `observe` adds; `spanned`
//! keeps it within the request's span, by `guarded_body`.
//!
//! Connections live on threads of their own (`server`); what isn't ready is worked on apart from these (`apart`).
//!
//! What Signet itself asks over HTTP: `health` (its own readiness), `push` (a collector of spans).

mod admin;
mod admission;
mod answer;
mod apart;
mod body;
mod caller;
mod client_address;
mod conditions;
mod cors;
mod drain;
mod edge;
mod extract;
mod file;
mod front;
mod guarded_body;
mod health;
mod host;
mod limits;
mod look;
mod media_type;
mod objects;
mod observe;
pub mod openapi;
mod params;
pub mod problem;
mod push;
mod range;
mod routes;
mod server;
mod spanned;
mod tls;
mod trace;
mod xml;

use std::any::Any;
use std::num::NonZeroUsize;
use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use serde_json::Value;
use tokio::time::timeout;
use tower_http::catch_panic::CatchPanicLayer;

pub use admin::Readiness;
pub use client_address::ClientAddress;
pub use cors::{Cors, InvalidOrigin};
pub use front::Front;
pub use health::{HealthError, ask_health};
pub use limits::{HttpLimits, LoadLimits, ServerLimits};
pub use observe::{NoRequestMeter, RequestContext, RequestMeter};
pub use push::{CollectorUrl, Push, PushError};
pub use server::{Peer, Server, Workers};
pub use tls::{Certificate, Tls, TlsError};
pub use trace::{NoRequestTracer, RequestTracer};

use crate::service::ports::{Clock, ObjectGate};
use crate::service::{Edge, Services};
use admission::{Admission, Settling, UnreadBudget};
use front::Entrance;
use observe::Observer;
use openapi::Readers;
use problem::{Kind, Problem};
use routes::Permalinks;

/// What the API needs.
#[derive(Clone)]
pub struct ApiContext {
    /// The use cases.
    pub services: Arc<Services>,
    /// Uploads to the embedded object store, where there is one.
    pub objects: Option<Arc<dyn ObjectGate>>,
    /// The time at which uploads come in.
    pub clock: Arc<dyn Clock>,
    /// What a stranger may ask for.
    pub limits: HttpLimits,
    /// Pages of which origins may call.
    pub cors: Cors,
    /// The description of the API, from [`openapi::describe`], where it is served here.
    pub description: Option<Arc<Value>>,
    /// Counts requests.
    pub meter: Arc<dyn RequestMeter>,
    /// Follows requests.
    pub tracer: Arc<dyn RequestTracer>,
}

/// What the edge needs.
#[derive(Clone)]
pub struct EdgeContext {
    /// Verifies links and opens files.
    pub edge: Arc<Edge>,
    /// Bytes that each address may have under way and unread. `None` is no bound.
    pub client_bytes: Option<NonZeroUsize>,
    /// Counts requests.
    pub meter: Arc<dyn RequestMeter>,
    /// Follows requests.
    pub tracer: Arc<dyn RequestTracer>,
}

/// What the admin listener needs.
#[derive(Clone)]
pub struct AdminContext {
    /// Prometheus' text.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Whether this node wants requests.
    pub readiness: Readiness,
    /// The description of the API, where it is served here.
    pub description: Option<Arc<Value>>,
}

/// The state of the API's routes.
type Api = Arc<ApiState>;

struct ApiState {
    services: Arc<Services>,
    limits: Arc<HttpLimits>,
    admission: Arc<Admission>,
}

impl ApiState {
    /// What a service answers, if it does so in time.
    async fn in_time<T, E: Into<Problem>>(
        &self,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Problem> {
        match timeout(self.limits.answer_time, call).await {
            Ok(outcome) => outcome.map_err(Into::into),
            Err(_) => Err(Problem::new(Kind::TimedOut, "the answer wasn't ready in time; try again")),
        }
    }
}

/// The API.
pub fn api(context: ApiContext) -> Front {
    let limits = Arc::new(context.limits);
    let permalinks = Permalinks::new(Arc::clone(&context.services), &context.cors);
    let admission = Arc::new(Admission::new(&limits.load, limits.trusted_hops));
    let api = ApiState { services: context.services, limits: limits.clone(), admission: admission.clone() };
    let api = Arc::new(api);
    let (routes, _) = routes::all().split_for_parts();
    let router = routes.with_state(api).fallback(nothing_here).method_not_allowed_fallback(not_this_method);
    // As far as the largest document and the parts of uploads are sent before anybody looks for an answer.
    let read_bytes = limits.document_bytes.saturating_add(limits.drain_bytes);
    let mut router = guarded(router, read_bytes);
    if let Some(cors) = context.cors.layer() {
        router = router.layer(cors);
    }
    // These say by themselves which pages may read them.
    let mut open = Router::new();
    if let Some(description) = &context.description {
        open = open.merge(openapi::router(description, Readers::Anybody));
    }
    if let Some(gate) = context.objects {
        let gate = objects::Gate { gate, clock: context.clock, limits: limits.clone() };
        let route = put(objects::put).get(objects::get).options(objects::preflight);
        open = open.merge(Router::new().route("/objects/{*path}", route).with_state(gate));
    }
    let first = middleware::from_fn_with_state(Arc::clone(&admission), admission::count_first);
    let open = guarded(open.method_not_allowed_fallback(not_this_method).layer(first), read_bytes);
    let settling = Settling { admission: Arc::clone(&admission), cors: context.cors.clone() };
    let router = router.merge(open).layer(middleware::from_fn_with_state(settling, admission::settle));
    let observer = Observer::new(context.meter, context.tracer, UNMATCHED);
    let router = observed(router, observer.clone());
    Front::of_api(router, Entrance { permalinks, observer, admission, cors: context.cors, limits })
}

/// The edge.
pub fn edge(context: EdgeContext) -> Front {
    let router = Router::new().fallback(edge::serve).with_state(context.edge);
    let mut router = guarded(router, EDGE_DRAIN_BYTES);
    if let Some(most) = context.client_bytes {
        let budget = Arc::new(UnreadBudget::new(most));
        router = router.layer(middleware::from_fn_with_state(budget, edge::within_budget));
    }
    let observer = Observer::new(context.meter, context.tracer, "edge");
    Front::new(observed(router, observer.clone())).counting(observer)
}

/// The admin routes.
pub fn admin(context: AdminContext) -> Front {
    let described = context.description.as_ref();
    let described =
        described.map_or_else(Router::new, |description| openapi::router(description, Readers::Operators));
    let router = Router::new()
        .route("/metrics", get(admin::metrics))
        .route("/healthz", get(admin::healthz))
        .route("/readyz", get(admin::readyz))
        .with_state(context)
        .merge(described)
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_this_method);
    let observer = Observer::unfollowed(UNMATCHED);
    Front::new(observed(guarded(router, EDGE_DRAIN_BYTES), observer.clone())).counting(observer)
}

/// With panics caught, and bodies read to a bound that were refused.
fn guarded(router: Router, read_bytes: usize) -> Router {
    router
        .layer(CatchPanicLayer::custom(after_panic))
        .layer(middleware::from_fn_with_state(read_bytes, drain::drain))
}

/// With what happens to every request.
fn observed(router: Router, observer: Observer) -> Router {
    router.layer(middleware::from_fn_with_state(observer, observe::observe))
}

async fn nothing_here() -> Problem {
    Problem::new(Kind::NotFound, "there is nothing at this path")
}

async fn not_this_method() -> Problem {
    Problem::new(Kind::MethodNotAllowed, "this path takes the methods in the header Allow")
}

fn after_panic(_: Box<dyn Any + Send + 'static>) -> Response {
    Problem::new(Kind::Internal, "the request couldn't be answered; its id names it in the log")
        .into_response()
}

/// The route of requests that match none.
const UNMATCHED: &str = "unmatched";
/// How far a body is read that nobody asked for, in bytes.
const EDGE_DRAIN_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use axum::body::{Body, Bytes};
    use axum::extract::Request;
    use futures_util::stream;
    use http_body_util::BodyExt;
    use hyper::StatusCode;
    use tower::ServiceExt;

    use super::*;

    #[derive(Default)]
    struct Seen(Mutex<Vec<String>>);

    impl RequestMeter for Seen {
        fn request(&self, route: &str, method: &'static str, status: u16, _: f64) {
            self.0.lock().unwrap().push(format!("{method} {route} {status}"));
        }
    }

    fn router(seen: Arc<Seen>) -> Router {
        let refuse = || async { Problem::asset_not_found() };
        #[allow(unreachable_code, reason = "a handler must have an answer")]
        let fail = || async {
            panic!("as a defect would");
            StatusCode::OK
        };
        let router = Router::new()
            .route("/items/{id}", get(refuse).put(refuse))
            .route("/fail", get(fail))
            .fallback(nothing_here)
            .method_not_allowed_fallback(not_this_method);
        observed(guarded(router, 1 << 20), Observer::new(seen, Arc::new(NoRequestTracer), UNMATCHED))
    }

    async fn ask(method: &str, path: &str) -> (Response<Bytes>, Vec<String>) {
        let seen = Arc::new(Seen::default());
        let request = Request::builder().method(method).uri(path).header("x-request-id", "r-1");
        let response = router(seen.clone()).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let seen = seen.0.lock().unwrap().clone();
        (Response::from_parts(parts, body), seen)
    }

    #[tokio::test]
    async fn every_error_is_a_problem_with_path_and_request_id() {
        for (method, path, status, slug, route) in [
            ("GET", "/items/x?secret=1", 404, "asset-not-found", "/items/{id}"),
            ("GET", "/nowhere", 404, "not-found", "unmatched"),
            ("POST", "/items/x", 405, "method-not-allowed", "/items/{id}"),
            ("GET", "/fail", 500, "internal", "/fail"),
        ] {
            let (response, seen) = ask(method, path).await;
            assert_eq!(response.status(), status);
            assert_eq!(response.headers()["x-request-id"], "r-1");
            let problem: Value = serde_json::from_slice(response.body()).unwrap();
            assert_eq!(problem["type"], format!("urn:signet:problem:{slug}"));
            assert_eq!(problem["instance"], path.split('?').next().unwrap());
            assert_eq!(problem["requestId"], "r-1");
            assert_eq!(seen, [format!("{method} {route} {status}")]);
        }
    }

    #[tokio::test]
    async fn a_method_that_is_not_allowed_is_told_which_are() {
        let (response, _) = ask("POST", "/items/x").await;
        assert_eq!(response.headers()["allow"], "GET,HEAD,PUT");
    }

    #[tokio::test]
    async fn a_problem_for_head_has_the_headers_alone() {
        let (get, _) = ask("GET", "/items/x").await;
        let (head, _) = ask("HEAD", "/items/x").await;
        assert!(head.body().is_empty());
        assert_eq!(head.headers()["content-length"], get.body().len().to_string());
    }

    #[tokio::test]
    async fn a_refused_body_is_read_up_to_a_bound() {
        for (expect, most) in [(false, 1 << 20), (true, 0)] {
            let read = Arc::new(Mutex::new(0));
            let counter = read.clone();
            let endless = stream::repeat_with(move || {
                *counter.lock().unwrap() += 1024;
                Ok::<_, std::convert::Infallible>(Bytes::from(vec![0; 1024]))
            });
            let mut request = Request::builder().method("PUT").uri("/items/x");
            if expect {
                request = request.header("expect", "100-continue");
            }
            let request = request.body(Body::from_stream(endless)).unwrap();
            let response = router(Arc::default()).oneshot(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::NOT_FOUND);
            let read = *read.lock().unwrap();
            assert!((most..=most + 1024).contains(&read), "{read}");
        }
    }

    #[tokio::test]
    async fn the_admin_routes_say_whether_this_node_is_ready() {
        let readiness = Readiness::new();
        let metrics = Arc::new(|| "up 1\n".to_owned());
        let router = admin(AdminContext { metrics, readiness: readiness.clone(), description: None });
        let status = async |path: &str| {
            let request = Request::builder().uri(path).body(Body::empty()).unwrap();
            router.clone().oneshot(request).await.unwrap().status().as_u16()
        };
        assert_eq!((status("/healthz").await, status("/readyz").await), (200, 503));
        readiness.set(true);
        assert_eq!((status("/readyz").await, status("/metrics").await), (200, 200));
    }
}
