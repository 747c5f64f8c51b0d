//! Stores whose operations are counted, each by its name, its outcome and its time: around a port, whoever is behind
//! it.
//!
//! `assets`: [`AssetStore`](super::ports::AssetStore). `tenants`: [`TenantStore`](super::ports::TenantStore) and
//! [`LeaseStore`](super::ports::LeaseStore). `objects`: [`ObjectStore`](super::ports::ObjectStore).

mod assets;
mod objects;
mod tenants;

use std::sync::Arc;
use std::time::{Duration, Instant};

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
        let mut watch =
            Watch { meter: &*self.meter, operation, outcome: StoreOutcome::Abandoned, began: Instant::now() };
        let answer = call.await;
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
}

impl<O: Operation> Drop for Watch<'_, O> {
    fn drop(&mut self) {
        self.operation.count(self.meter, self.outcome, self.began.elapsed());
    }
}

/// Something that a store is asked for.
trait Operation: Copy {
    fn count(self, meter: &dyn StoreMeter, outcome: StoreOutcome, after: Duration);
}

impl Operation for StoreOperation {
    fn count(self, meter: &dyn StoreMeter, outcome: StoreOutcome, after: Duration) {
        meter.operation(self, outcome, after);
    }
}

impl Operation for ObjectOperation {
    fn count(self, meter: &dyn StoreMeter, outcome: StoreOutcome, after: Duration) {
        meter.object_operation(self, outcome, after);
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
