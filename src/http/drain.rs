//! Lets a refused client read its answer.
//!
//! A client that is still sending when the connection closes may lose the answer on its way. So
//! after a refusal what it sends is read and thrown away, within bounds, before the answer goes
//! out. A client that waits for `100 Continue` sends nothing, and isn't asked to.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame, SizeHint};
use hyper::header::EXPECT;
use tokio::time::timeout;

/// A layer around everything that reads bodies. The state is how far a body is read in all, in
/// bytes.
pub(super) async fn drain(State(most): State<usize>, request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let waits = request.headers().contains_key(EXPECT);
    let mut shared = None;
    let request = request.map(|body| {
        let body = Shared(Arc::new(Mutex::new(Inner { body, begun: false, read: 0 })));
        shared = Some(body.clone());
        Body::new(body)
    });
    let answer = next.run(request).await;
    let refused = answer.status().is_client_error() || answer.status().is_server_error();
    let sends = |rest: &Shared| !waits || rest.lock().begun;
    if let Some(rest) = shared.filter(|rest| refused && sends(rest)) {
        let _ = timeout(MOST_TIME, throw_away(rest, most)).await;
    }
    answer
}

/// Reads what a client sends with a request that nobody has looked at, so far.
pub(super) async fn after_refusal(request: Request, most: usize) {
    if request.headers().contains_key(EXPECT) {
        return;
    }
    let rest = Shared(Arc::new(Mutex::new(Inner { body: request.into_body(), begun: false, read: 0 })));
    let _ = timeout(MOST_TIME, throw_away(rest, most)).await;
}

async fn throw_away(mut rest: Shared, most: usize) {
    while rest.lock().read < most {
        let Some(Ok(_)) = rest.frame().await else { return };
    }
}

/// A body with two readers, one after the other.
#[derive(Clone)]
struct Shared(Arc<Mutex<Inner>>);

struct Inner {
    body: Body,
    begun: bool,
    /// Bytes, by whichever reader.
    read: usize,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl hyper::body::Body for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut inner = self.lock();
        inner.begun = true;
        let frame = Pin::new(&mut inner.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            inner.read = inner.read.saturating_add(frame.data_ref().map_or(0, Bytes::len));
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.lock().body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.lock().body.size_hint()
    }
}

const MOST_TIME: Duration = Duration::from_secs(5);
