//! Bodies whose log lines are their request's.

use std::pin::Pin;
use std::task::Context;

use axum::body::{Body, HttpBody};
use axum::response::Response;
use tracing::Span;

use super::guarded_body::{Guard, GuardedBody, PolledFrame};

/// An answer whose body is made within a span: it lasts until the body is sent, or given up.
pub(super) fn within(span: Span, answer: Response) -> Response {
    if answer.body().is_end_stream() {
        return answer;
    }
    answer.map(|body| Body::new(GuardedBody::new(body, span)))
}

impl Guard for Span {
    fn poll_frame(&mut self, body: Pin<&mut Body>, context: &mut Context<'_>) -> PolledFrame {
        let _within = self.enter();
        body.poll_frame(context)
    }
}
