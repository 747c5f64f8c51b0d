//! Does the client take its answers?
//!
//! A connection on which bytes move may still hold answers that nobody reads: pings are bytes, and so is another
//! request. So of each long answer is noted since when a piece of it lies there that the client has made no room
//! for. Signet's own waiting, for a store or for the rest of the request, doesn't count.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::{Body as _, Frame, SizeHint};

use super::activity::InFlight;

/// The long answers of a connection. Times are milliseconds after its beginning.
#[derive(Default)]
pub(super) struct Untaken(Mutex<Vec<Arc<Since>>>);

/// Since when the client has had a piece to take, plus one; 0 while it waits for one.
type Since = AtomicU64;

impl Untaken {
    /// Since when the piece lies there that has lain longest.
    pub(super) fn longest(&self) -> Option<u64> {
        let answers = self.lock();
        answers.iter().filter_map(|since| since.load(Ordering::Relaxed).checked_sub(1)).min()
    }

    fn begin(&self) -> Arc<Since> {
        let since = Arc::default();
        self.lock().push(Arc::clone(&since));
        since
    }

    fn end(&self, since: &Arc<Since>) {
        self.lock().retain(|other| !Arc::ptr_eq(other, since));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Since>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of an answer. Its request is in flight until it is dropped.
pub(super) struct Taken {
    inner: Body,
    request: InFlight,
    /// None for short answers.
    since: Option<Arc<Since>>,
}

impl Taken {
    pub(super) fn new(inner: Body, request: InFlight) -> Self {
        let short = inner.size_hint().upper().is_some_and(|most| most <= SHORT);
        let since = (!short).then(|| request.activity().untaken().begin());
        Self { inner, request, since }
    }
}

impl hyper::body::Body for Taken {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.inner).poll_frame(context);
        if let Some(since) = &self.since {
            let waits = frame.is_pending();
            let now = if waits { 0 } else { self.request.activity().millis().saturating_add(1) };
            since.store(now, Ordering::Relaxed);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(since) = &self.since {
            self.request.activity().untaken().end(since);
        }
    }
}

/// Answers that hyper takes in one piece, whatever the client does, in bytes.
const SHORT: u64 = 16 * 1024;
