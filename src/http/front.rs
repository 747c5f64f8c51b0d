//! What a connection asks: the way in and out of every request.
//!
//! 1. A request that doesn't name one server is refused (`host`), and so is one of an address that asks too often.
//! 2. A permalink whose link is ready is answered at once: what browsers ask for most, and what has nothing to wait for.
//! 3. Everything else takes one of the node's places, where one is free, and goes to the router, with its layers.
//!
//! In each case a request gets its id and is counted by `observe`.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures_util::future::{Either, Ready, ready};
use hyper::header::{HeaderValue, ORIGIN};
use hyper::{Uri, Version};
use tower::{Service, ServiceExt};

use super::admission::Admission;
use super::drain;
use super::host;
use super::look::Look;
use super::observe::{Observer, REQUEST_ID, RequestContext, bounded};
use super::problem::{self, Problem};
use super::routes::Permalinks;
use super::{Cors, HttpLimits, Peer};

/// A router, and what is answered before it.
#[derive(Clone)]
pub struct Front {
    router: Router,
    entrance: Option<Arc<Entrance>>,
    /// Counts what is refused before the router, where there is no entrance.
    observer: Option<Observer>,
}

/// What an API does before its router.
pub(super) struct Entrance {
    pub(super) permalinks: Permalinks,
    pub(super) observer: Observer,
    pub(super) admission: Arc<Admission>,
    pub(super) cors: Cors,
    pub(super) limits: Arc<HttpLimits>,
}

/// An answer to come.
pub type Answering = Either<
    Ready<Result<Response, Infallible>>,
    Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>,
>;

impl Front {
    /// A router alone.
    pub(super) fn new(router: Router) -> Self {
        Self { router, entrance: None, observer: None }
    }

    /// The same, which counts what it refuses before the router.
    pub(super) fn counting(self, observer: Observer) -> Self {
        Self { observer: Some(observer), ..self }
    }

    /// An API's router, behind its entrance.
    pub(super) fn of_api(router: Router, entrance: Entrance) -> Self {
        Self { router, entrance: Some(Arc::new(entrance)), observer: None }
    }

    /// The answer to a request that came by a connection from `peer`. `complete` makes it one that the router takes.
    pub(super) fn answer<B: HttpBody>(
        &self,
        peer: SocketAddr,
        request: hyper::Request<B>,
        complete: impl FnOnce(hyper::Request<B>) -> Request,
    ) -> Answering {
        self.admit(peer, request, complete, host::check)
    }

    /// The same, where it names the server as `check` wants it.
    fn admit<B: HttpBody>(
        &self,
        peer: SocketAddr,
        request: hyper::Request<B>,
        complete: impl FnOnce(hyper::Request<B>) -> Request,
        check: impl FnOnce(Version, &Uri, Look<'_>) -> Result<(), Problem>,
    ) -> Answering {
        let look = Look::at(request.headers());
        let named = check(request.version(), request.uri(), look);
        let Some(entrance) = &self.entrance else {
            return match named {
                Ok(()) => Either::Right(Box::pin(self.router.clone().oneshot(complete(request)))),
                Err(problem) => self.refuse(peer, problem, request, complete),
            };
        };
        let admission = &entrance.admission;
        let counted = match named {
            Ok(()) => admission.client(peer, request.headers(), look),
            Err(problem) => Err(admission.unnamed(peer, request.headers(), problem)),
        };
        if let Err(problem) = counted {
            return self.refuse(peer, problem, request, complete);
        }
        if let Some(answer) = entrance.answer(&request, look) {
            return Either::Left(ready(Ok(answer)));
        }
        let guest = admission.guest(peer, &request);
        let visit = match admission.enter(guest, request.headers(), look) {
            Ok(visit) => visit,
            Err(problem) => return self.refuse(peer, problem, request, complete),
        };
        let (mut request, router) = (complete(request), self.router.clone());
        request.extensions_mut().insert(visit.clone());
        Either::Right(Box::pin(
            async move { router.oneshot(request).await.map(|answer| visit.answered(answer)) },
        ))
    }

    /// Answers a request that isn't let in. Its body is read to a bound, as that of every request that is refused.
    #[cold]
    fn refuse<B: HttpBody>(
        &self,
        peer: SocketAddr,
        problem: Problem,
        request: hyper::Request<B>,
        complete: impl FnOnce(hyper::Request<B>) -> Request,
    ) -> Answering {
        let answer = match &self.entrance {
            Some(entrance) => entrance.refusal(peer, problem, &request),
            None => refusal(self.observer.as_ref(), problem, &request),
        };
        if request.body().is_end_stream() {
            return Either::Left(ready(Ok(answer)));
        }
        let most = self.entrance.as_ref().map_or(0, |entrance| entrance.limits.drain_bytes);
        let request = complete(request);
        Either::Right(Box::pin(async move {
            drain::after_refusal(request, most).await;
            Ok(answer)
        }))
    }
}

impl Entrance {
    /// A permalink that is ready.
    fn answer<B: HttpBody>(&self, request: &hyper::Request<B>, look: Look<'_>) -> Option<Response> {
        let seen = self.observer.begin();
        let mut answer = self.permalinks.ready(request, look)?;
        seen.end(Permalinks::ROUTE, request, look, &mut answer);
        Some(answer)
    }

    fn refusal<B>(&self, peer: SocketAddr, problem: Problem, request: &hyper::Request<B>) -> Response {
        let mut answer = refusal(Some(&self.observer), problem, request);
        answer.headers_mut().extend(self.cors.headers(request.headers().get(ORIGIN)));
        self.admission.refused(self.admission.guest(peer, request), answer)
    }
}

/// The answer to a request that isn't let in.
fn refusal<B>(observer: Option<&Observer>, problem: Problem, request: &hyper::Request<B>) -> Response {
    let context = RequestContext::of(request);
    if let Some(observer) = observer {
        let meter = observer.meter();
        if let Some(limit) = problem.limit() {
            meter.limit(limit);
        }
        let permalink = request.uri().path().starts_with("/m/");
        let route = if permalink { Permalinks::ROUTE } else { REFUSED };
        meter.request(route, bounded(request.method()), problem.kind().status().as_u16(), 0.0);
    }
    let mut answer = problem::render(problem.into_response(), &context);
    if let Ok(id) = HeaderValue::from_str(context.id()) {
        answer.headers_mut().insert(REQUEST_ID, id);
    }
    answer
}

impl Service<Request> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answering {
        let peer = request.extensions().get().map_or(NOWHERE, |Peer(peer)| *peer);
        // A call within the process needs no name of a server.
        self.admit(peer, request, |request| request, |_, _, _| Ok(()))
    }
}

/// The route of requests that were refused before one was looked for.
const REFUSED: &str = "refused";
/// The other end of a request that came by no connection.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
