//! Response bodies that own a guard: a value that lives until the body is sent or dropped, and may act on each frame.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

/// The result of polling a body for a frame.
pub(super) type PolledFrame = Poll<Option<Result<Frame<Bytes>, axum::Error>>>;

/// A value that a body owns.
pub(super) trait Guard: Unpin {
    /// Polls the body for its next frame. The default only does that.
    fn poll_frame(&mut self, body: Pin<&mut Body>, context: &mut Context<'_>) -> PolledFrame {
        body.poll_frame(context)
    }
}

/// A body and its guard. Both are dropped together.
pub(super) struct GuardedBody<G> {
    body: Body,
    guard: G,
}

impl<G> GuardedBody<G> {
    /// Gives a body a guard.
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
