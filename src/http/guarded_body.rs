//! Bodies of answers that keep something until they are sent or given up, and may do something with each frame.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

/// What polling a body gives.
pub(super) type PolledFrame = Poll<Option<Result<Frame<Bytes>, axum::Error>>>;

/// What a body keeps.
pub(super) trait Guard: Unpin {
    /// Polls the body for its next frame. By default does nothing beside.
    fn poll_frame(&mut self, body: Pin<&mut Body>, context: &mut Context<'_>) -> PolledFrame {
        body.poll_frame(context)
    }
}

/// A body with a guard, which is dropped with it.
pub(super) struct GuardedBody<G> {
    body: Body,
    guard: G,
}

impl<G> GuardedBody<G> {
    /// Makes a body keep a guard.
    pub(super) fn new(body: Body, guard: G) -> Self {
        Self { body, guard }
    }
}

impl<G: Guard> HttpBody for GuardedBody<G> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> PolledFrame {
        let Self { body, guard } = &mut *self;
        guard.poll_frame(Pin::new(body), context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
