//! Work on documents: where it is long, on threads of its own, so much of it at a time, tenants in turn.

use std::future::pending;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use self_cell::self_cell;
use tokio::runtime::{Handle, RuntimeFlavor};

use super::rota::Rota;
use super::signing_pool::Lane;
use crate::document::{Scan, ScanError, Want, scan_until};

self_cell!(
    /// A document and its scan, which refers to the document's bytes.
    pub(super) struct ScannedDocument {
        owner: Bytes,
        #[covariant]
        dependent: Scan,
    }
);

impl ScannedDocument {
    /// Scans a document, and gives up soon after the flag was set.
    pub(super) fn scan(
        input: Bytes,
        rules: &crate::document::Rules,
        cancelled: &AtomicBool,
    ) -> Result<Self, ScanError> {
        Self::try_new(input, |input| scan_until(input, rules, cancelled))
    }

    /// Returns what must be resolved.
    pub(super) fn wants(&self) -> &[Want<'_>] {
        self.borrow_dependent().wants()
    }

    /// Returns the scan.
    pub(super) fn get(&self) -> &Scan<'_> {
        self.borrow_dependent()
    }
}

/// Does the work that documents make.
pub(super) struct DocumentWork {
    /// Limits the work on large documents to one document a core.
    large: Rota,
}

/// Tells the thread that works when nothing waits for it any more.
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl DocumentWork {
    /// Allows as many large documents at the same time as there are cores.
    pub(super) fn new() -> Self {
        Self { large: Rota::new(std::thread::available_parallelism().map_or(1, usize::from)) }
    }

    /// Does the work that a document of so many bytes makes.
    ///
    /// Where it is long, another thread does it, so that the caller can be dropped meanwhile. Then the flag that the
    /// work is given is set. The place for large documents is free again when the thread has ended its work, so
    /// there is never more of it under way than there are places.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        lane: Lane,
        bytes: usize,
        work: impl FnOnce(&AtomicBool) -> T + Send + 'static,
    ) -> T {
        // A runtime of one thread serves nothing else.
        let one_thread = || Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread;
        if bytes < LARGE_BYTES || one_thread() {
            return work(&AtomicBool::new(false));
        }
        let place = self.large.enter(lane).await;
        let cancel = CancelOnDrop(Arc::default());
        let cancelled = Arc::clone(&cancel.0);
        let task = tokio::task::spawn_blocking(move || {
            let _place = place;
            work(&cancelled)
        });
        match task.await {
            Ok(outcome) => outcome,
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            // The runtime ends, and with it all that waits.
            Err(_) => pending().await,
        }
    }
}

/// From this length on, in bytes, the work on a document takes too long for a thread that serves:
/// about a third of a millisecond.
const LARGE_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn who_is_dropped_gives_the_work_up_and_its_place_back_when_it_has_ended() {
        let work = DocumentWork { large: Rota::new(1) };
        let ((begun, has_begun), (seen, has_seen)) = (channel(), channel());
        let first = work.run(Lane(1), LARGE_BYTES, move |cancelled| {
            begun.send(()).unwrap();
            while !cancelled.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            seen.send(()).unwrap();
        });
        let mut first = Box::pin(first);
        assert!((&mut first).now_or_never().is_none());
        tokio::task::block_in_place(|| has_begun.recv()).unwrap();
        let mut second = Box::pin(work.run(Lane(2), LARGE_BYTES, |_| "done"));
        assert!((&mut second).now_or_never().is_none(), "it has the place while the first works");
        drop(first);
        tokio::task::block_in_place(|| has_seen.recv()).unwrap();
        assert_eq!(second.await, "done");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_small_document_is_worked_on_at_once() {
        let work = DocumentWork { large: Rota::new(0) };
        let own = std::thread::current().id();
        let here = work.run(Lane(1), LARGE_BYTES - 1, move |_| std::thread::current().id() == own);
        assert_eq!(here.now_or_never(), Some(true));
        assert!(work.run(Lane(1), LARGE_BYTES, |_| ()).now_or_never().is_none());
    }
}
