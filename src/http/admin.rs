//! GET `/metrics`, `/healthz`, `/readyz`: for those who run Signet, on a listener of their own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE};

use super::AdminContext;

/// Whether this node wants requests: not until it has started, nor once it shuts down, nor while there is an obstacle.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    started: AtomicBool,
    obstacle: Mutex<Option<&'static str>>,
}

impl Readiness {
    /// Not ready yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The node has started, or shuts down.
    pub fn set(&self, started: bool) {
        self.0.started.store(started, Ordering::Release);
    }

    /// Names what keeps a node that has started from serving, or says that there is nothing any more.
    pub fn set_obstacle(&self, obstacle: Option<&'static str>) {
        *self.0.obstacle.lock().unwrap_or_else(PoisonError::into_inner) = obstacle;
    }

    /// Whether load balancers should send requests.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.started.load(Ordering::Acquire) && self.obstacle().is_none()
    }

    fn obstacle(&self) -> Option<&'static str> {
        *self.0.obstacle.lock().unwrap_or_else(PoisonError::into_inner)
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

/// 200 while this node wants requests, else 503 and why.
pub(super) async fn readyz(State(context): State<AdminContext>) -> Response {
    let (status, word) = if context.readiness.is_ready() {
        (StatusCode::OK, "ready\n".to_owned())
    } else {
        let why = context.readiness.obstacle().map(|obstacle| format!(": {obstacle}"));
        (StatusCode::SERVICE_UNAVAILABLE, format!("not ready{}\n", why.unwrap_or_default()))
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
        readiness.set_obstacle(Some("there is something"));
        assert!(!seen.is_ready());
        readiness.set_obstacle(None);
        assert!(seen.is_ready());
        readiness.set(false);
        assert!(!seen.is_ready());
    }
}
