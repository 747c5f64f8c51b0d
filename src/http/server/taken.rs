//! Does the client take its answers?
//!
//! A connection on which bytes move may still hold answers that nobody reads: pings are bytes, and so is another
//! request. So of each long answer is noted since when a piece of it lies there that the client has made no room
//! for. Signet's own waiting, for a store or for the rest of the request, doesn't count.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;

use axum::body::{Body, HttpBody};

use super::activity::InFlight;
use crate::http::guarded_body::{Guard, GuardedBody, PolledFrame};

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

/// The body of an answer.
pub(super) type Taken = GuardedBody<Taking>;

/// An answer on its way: its request is in flight until this is dropped.
pub(super) struct Taking {
    request: InFlight,
    /// None for short answers.
    since: Option<Arc<Since>>,
}

/// Makes the body of an answer note whether its client takes it.
pub(super) fn noted(body: Body, request: InFlight) -> Taken {
    let short = body.size_hint().upper().is_some_and(|most| most <= SHORT);
    let since = (!short).then(|| request.activity().untaken().begin());
    GuardedBody::new(body, Taking { request, since })
}

impl Guard for Taking {
    fn poll_frame(&mut self, body: Pin<&mut Body>, context: &mut Context<'_>) -> PolledFrame {
        let frame = body.poll_frame(context);
        if let Some(since) = &self.since {
            let waits = frame.is_pending();
            let now = if waits { 0 } else { self.request.activity().millis().saturating_add(1) };
            since.store(now, Ordering::Relaxed);
        }
        frame
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        if let Some(since) = &self.since {
            self.request.activity().untaken().end(since);
        }
    }
}

/// Answers that hyper takes in one piece, whatever the client does, in bytes.
const SHORT: u64 = 16 * 1024;
