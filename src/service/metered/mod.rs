//! Stores whose operations are counted, each by its name, its outcome and its time: around a port, whoever is behind
//! it. In the trace of a request each is a span.
//!
//! `assets`: [`AssetStore`](super::ports::AssetStore). `tenants`: [`TenantStore`](super::ports::TenantStore) and
//! [`LeaseStore`](super::ports::LeaseStore). `objects`: [`ObjectStore`](super::ports::ObjectStore).

mod assets;
mod objects;
mod tenants;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::ports::{ObjectOperation, StoreError, StoreMeter, StoreOperation, StoreOutcome};

/// A store, and who counts what it is asked for.
pub struct Metered<S: ?Sized> {
    store: Arc<S>,
    meter: Arc<dyn StoreMeter>,
}

impl<S: ?Sized> Metered<S> {
    /// Counts what a store is asked for.
    #[must_use]
    pub fn new(store: Arc<S>, meter: Arc<dyn StoreMeter>) -> Arc<Self> {
        Arc::new(Self { store, meter })
    }

    async fn timed<T>(
        &self,
        operation: impl Operation,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        // Nobody follows what no request asks for.
        let span = if Span::current().is_none() { Span::none() } else { operation.span() };
        let mut watch = Watch {
            meter: &*self.meter,
            operation,
            outcome: StoreOutcome::Abandoned,
            began: Instant::now(),
            span: span.clone(),
        };
        let answer = call.instrument(span).await;
        watch.outcome = StoreOutcome::of(&answer);
        answer
    }
}

/// Counts when it is dropped: also where the call is cut off.
struct Watch<'m, O: Operation> {
    meter: &'m dyn StoreMeter,
    operation: O,
    outcome: StoreOutcome,
    began: Instant,
    span: Span,
}

impl<O: Operation> Drop for Watch<'_, O> {
    fn drop(&mut self) {
        self.operation.count(self.meter, self.outcome, self.began.elapsed());
        self.span.record("outcome", self.outcome.as_str());
    }
}

/// Something that a store is asked for.
trait Operation: Copy {
    fn count(self, meter: &dyn StoreMeter, outcome: StoreOutcome, after: Duration);
    /// Its span in a trace.
    fn span(self) -> Span;
}

impl Operation for StoreOperation {
    fn count(self, meter: &dyn StoreMeter, outcome: StoreOutcome, after: Duration) {
        meter.operation(self, outcome, after);
    }

    fn span(self) -> Span {
        tracing::debug_span!("store", operation = self.as_str(), outcome = Empty)
    }
}

impl Operation for ObjectOperation {
    fn count(self, meter: &dyn StoreMeter, outcome: StoreOutcome, after: Duration) {
        meter.object_operation(self, outcome, after);
    }

    fn span(self) -> Span {
        tracing::debug_span!("objects", operation = self.as_str(), outcome = Empty)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Mutex;

    use futures_util::FutureExt;

    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<(StoreOperation, StoreOutcome)>>);

    impl StoreMeter for Heard {
        fn operation(&self, operation: StoreOperation, outcome: StoreOutcome, _: Duration) {
            self.0.lock().unwrap().push((operation, outcome));
        }
    }

    #[test]
    fn whatever_becomes_of_an_operation_is_counted_once() {
        let heard = Arc::new(Heard::default());
        let store = Metered::new(Arc::new(()), heard.clone());
        let timed = |answer: Result<(), StoreError>| store.timed(StoreOperation::Usage, async { answer });
        timed(Ok(())).now_or_never().unwrap().unwrap();
        timed(Err(StoreError::unavailable("gone"))).now_or_never().unwrap().unwrap_err();
        timed(Err(StoreError::corrupt("odd"))).now_or_never().unwrap().unwrap_err();
        assert!(store.timed(StoreOperation::Due, pending::<Result<(), _>>()).now_or_never().is_none());
        let expected = [
            (StoreOperation::Usage, StoreOutcome::Done),
            (StoreOperation::Usage, StoreOutcome::Unavailable),
            (StoreOperation::Usage, StoreOutcome::Corrupt),
            (StoreOperation::Due, StoreOutcome::Abandoned),
        ];
        assert_eq!(*heard.0.lock().unwrap(), expected);
    }
}
