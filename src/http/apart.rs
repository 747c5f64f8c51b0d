//! Work on another runtime than the one that waits for it.

use std::future::pending;
use std::panic::resume_unwind;

use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

/// What a task comes to that runs on `runtime`, within the span of whoever waits. It ends when nobody waits any more,
/// and its panics are those of whoever does.
pub(super) fn apart<T, F>(runtime: &Handle, task: F) -> impl Future<Output = T> + Send + use<T, F>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let task = AbortOnDropHandle::new(runtime.spawn(task.in_current_span()));
    async move {
        match task.await {
            Ok(outcome) => outcome,
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            // The runtime ends, and with it all that waits.
            Err(_) => pending().await,
        }
    }
}
