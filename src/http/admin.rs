//! GET `/metrics`, `/healthz`, `/readyz`: for those who run Signet, on a listener of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE};

use super::AdminContext;

/// Whether this node wants requests: off until it has started, off again once it shuts down.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Not ready yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on load balancers should send requests, or no longer.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }

    /// Whether load balancers should send requests.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The metrics in Prometheus' text format.
pub(super) async fn metrics(State(context): State<AdminContext>) -> Response {
    let headers = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"), (CACHE_CONTROL, "no-store")];
    (headers, (context.metrics)()).into_response()
}

/// 200 as long as the process answers at all.
pub(super) async fn healthz() -> Response {
    ([(CACHE_CONTROL, "no-store")], "ok\n").into_response()
}

/// 200 while this node wants requests, else 503.
pub(super) async fn readyz(State(context): State<AdminContext>) -> Response {
    let (status, word) = if context.readiness.is_ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    };
    (status, [(CACHE_CONTROL, "no-store")], word).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_ready_when_it_says_so() {
        let readiness = Readiness::new();
        let seen = readiness.clone();
        assert!(!seen.is_ready());
        readiness.set(true);
        assert!(seen.is_ready());
        readiness.set(false);
        assert!(!seen.is_ready());
    }
}
