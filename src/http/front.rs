//! What a connection asks: the way in and out of every request.
//!
//! 1. A permalink whose link is ready is answered at once: what browsers ask for most, and what has nothing to wait for.
//! 2. Everything else goes to the router, with its layers.
//!
//! Either way a request gets its id and is counted by `observe`.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::response::Response;
use futures_util::future::{Either, Ready, ready};
use tower::{Service, ServiceExt};

use super::observe::Observer;
use super::routes::Permalinks;

/// A router, and what is answered before it.
#[derive(Clone)]
pub struct Front {
    router: Router,
    permalinks: Option<Arc<ReadyPermalinks>>,
}

/// Permalinks, and what observes those that are ready.
struct ReadyPermalinks {
    permalinks: Permalinks,
    observer: Observer,
}

/// An answer to come.
pub type Answering = Either<
    Ready<Result<Response, Infallible>>,
    Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>,
>;

impl Front {
    /// A router alone.
    pub(super) fn new(router: Router) -> Self {
        Self { router, permalinks: None }
    }

    /// A router whose permalinks are answered before it, where they are ready.
    pub(super) fn with_permalinks(router: Router, permalinks: Permalinks, observer: Observer) -> Self {
        Self { router, permalinks: Some(Arc::new(ReadyPermalinks { permalinks, observer })) }
    }

    /// The answer to a request. `complete` makes it one that the router takes.
    pub(super) fn answer<B: HttpBody>(
        &self,
        request: hyper::Request<B>,
        complete: impl FnOnce(hyper::Request<B>) -> Request,
    ) -> Answering {
        if let Some(answer) = self.permalinks.as_ref().and_then(|front| front.answer(&request)) {
            return Either::Left(ready(Ok(answer)));
        }
        Either::Right(Box::pin(self.router.clone().oneshot(complete(request))))
    }
}

impl ReadyPermalinks {
    fn answer<B: HttpBody>(&self, request: &hyper::Request<B>) -> Option<Response> {
        let seen = self.observer.begin();
        let mut answer = self.permalinks.ready(request)?;
        seen.end(Permalinks::ROUTE, request, &mut answer);
        Some(answer)
    }
}

impl Service<Request> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answering {
        self.answer(request, |request| request)
    }
}
