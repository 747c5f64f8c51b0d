//! What becomes of spans on their way to a collector, counted: the SDK throws away what finds no room, and tells nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter, SpanProcessor};

use crate::service::ports::words::words;
use crate::telemetry::labels::labels;

/// Spans that may wait.
pub(super) const QUEUE: usize = 4_096;

words! {
    /// What became of a span.
    pub enum SpanEnd {
        /// The collector has taken it.
        Sent = "sent",
        /// Too many waited.
        QueueFull = "queue_full",
        /// The collector was asked to take it, and didn't.
        NotTaken = "not_taken",
    }
}

labels! {
    SpanEnd = "outcome",
}

/// How many spans wait, and what became of the others.
#[derive(Debug, Default)]
pub struct Passage {
    waiting: AtomicUsize,
    ended: [AtomicU64; SpanEnd::ALL.len()],
}

impl Passage {
    /// How many spans have ended so.
    #[must_use]
    pub fn ended(&self, end: SpanEnd) -> u64 {
        self.ended[end as usize].load(Ordering::Relaxed)
    }

    fn end(&self, end: SpanEnd, count: usize) {
        self.ended[end as usize].fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Whether one more may wait. One that may not has ended.
    fn enter(&self) -> bool {
        let more = |waiting| (waiting < QUEUE).then_some(waiting + 1);
        let entered = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok();
        if !entered {
            self.end(SpanEnd::QueueFull, 1);
        }
        entered
    }

    fn leave(&self, count: usize) {
        self.waiting.fetch_sub(count, Ordering::Relaxed);
    }
}

/// Spans that come into the SDK's queue, or leave it for a collector.
#[derive(Debug)]
pub(super) struct Counted<T> {
    /// Where they go.
    pub(super) next: T,
    /// Where they are counted.
    pub(super) passage: Arc<Passage>,
}

impl<P: SpanProcessor> SpanProcessor for Counted<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.next.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.passage.enter() {
            self.next.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.next.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.next.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.next.set_resource(resource);
    }
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        self.passage.leave(count);
        let outcome = self.next.export(batch).await;
        self.passage.end(if outcome.is_ok() { SpanEnd::Sent } else { SpanEnd::NotTaken }, count);
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.next.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.next.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.next.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_may_wait_and_the_others_are_counted() {
        let passage = Passage::default();
        let entered = (0..QUEUE + 3).filter(|_| passage.enter()).count();
        assert_eq!((entered, passage.ended(SpanEnd::QueueFull)), (QUEUE, 3));
        passage.leave(2);
        assert_eq!([passage.enter(), passage.enter(), passage.enter()], [true, true, false]);
        assert_eq!(passage.ended(SpanEnd::QueueFull), 4);
    }
}
