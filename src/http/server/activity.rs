//! What a connection has been doing, seen from its bytes: the basis of its time limits.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::taken::Untaken;
use crate::http::ServerLimits;

/// What a connection has been doing. Times are milliseconds after its beginning.
pub(super) struct Activity {
    opened: Instant,
    /// When a byte moved last.
    moved: AtomicU64,
    /// When the first byte came that no request has claimed yet, plus one; 0 for none.
    head_began: AtomicU64,
    received: AtomicBool,
    requested: AtomicBool,
    in_flight: AtomicUsize,
    /// HTTP/2 by its preface: there, bytes outside a request needn't be the head of one.
    multiplexed: AtomicBool,
    untaken: Untaken,
}

impl Activity {
    /// A connection that was opened then.
    pub(super) fn since(opened: Instant) -> Arc<Self> {
        Arc::new(Self {
            opened,
            moved: AtomicU64::new(0),
            head_began: AtomicU64::new(0),
            received: AtomicBool::new(false),
            requested: AtomicBool::new(false),
            in_flight: AtomicUsize::new(0),
            multiplexed: AtomicBool::new(false),
            untaken: Untaken::default(),
        })
    }

    /// Whether a byte has ever come.
    pub(super) fn has_received(&self) -> bool {
        self.received.load(Ordering::Relaxed)
    }

    /// When the connection is to be closed if nothing happens until then:
    /// 1. the first request takes at most `head_time` from the connection's beginning;
    /// 2. the head of a later one takes at most that from its first byte;
    /// 3. something moves at least every `idle_time`;
    /// 4. the client takes a piece of each answer, 64 KiB at most, in that time.
    ///
    /// It comes nearer when a head begins, or a request: to no less than the lesser of `head_time` and
    /// `idle_time` from then.
    pub(super) fn deadline(&self, limits: &ServerLimits) -> Instant {
        if !self.requested.load(Ordering::Relaxed) {
            return self.opened + limits.head_time;
        }
        let after = |millis| self.opened + Duration::from_millis(millis);
        let moved = self.moved.load(Ordering::Relaxed);
        let idle = after(self.untaken.longest().map_or(moved, |since| since.min(moved))) + limits.idle_time;
        match self.head_began.load(Ordering::Relaxed).checked_sub(1) {
            Some(began) => idle.min(after(began) + limits.head_time),
            None => idle,
        }
    }

    /// Whether all that was asked is answered, and nothing more has begun: a connection that is kept for later.
    pub(super) fn rests(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
            && self.in_flight.load(Ordering::Relaxed) == 0
            && self.head_began.load(Ordering::Relaxed) == 0
    }

    /// A request begins; it ends when the guard is dropped.
    pub(super) fn request(self: &Arc<Self>) -> InFlight {
        self.requested.store(true, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.head_began.store(0, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    /// Milliseconds since its beginning.
    pub(super) fn millis(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Its long answers.
    pub(super) fn untaken(&self) -> &Untaken {
        &self.untaken
    }

    fn moved(&self) -> u64 {
        let millis = self.millis();
        self.moved.store(millis, Ordering::Relaxed);
        millis
    }

    fn read(&self, bytes: &[u8]) {
        let now = self.moved();
        if !self.has_received() {
            self.received.store(true, Ordering::Relaxed);
            self.multiplexed.store(bytes.starts_with(b"PRI"), Ordering::Relaxed);
        }
        let outside = self.in_flight.load(Ordering::Relaxed) == 0;
        if outside
            && self.head_began.load(Ordering::Relaxed) == 0
            && !self.multiplexed.load(Ordering::Relaxed)
        {
            self.head_began.store(now.saturating_add(1), Ordering::Relaxed);
        }
    }
}

/// A request that isn't answered whole yet.
pub(super) struct InFlight(Arc<Activity>);

impl InFlight {
    /// Of the connection that it came by.
    pub(super) fn activity(&self) -> &Activity {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A stream of bytes that reports what it moves.
pub(super) struct Watched<I> {
    inner: I,
    activity: Arc<Activity>,
}

impl<I> Watched<I> {
    pub(super) fn new(inner: I, activity: Arc<Activity>) -> Self {
        Self { inner, activity }
    }

    fn wrote(&self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(outcome, Poll::Ready(Ok(1..))) {
            self.activity.moved();
        }
        outcome
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Watched<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.inner).poll_read(context, buffer);
        if let Some(fresh) = buffer.filled().get(before..).filter(|fresh| !fresh.is_empty()) {
            self.activity.read(fresh);
        }
        outcome
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Watched<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.wrote(outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.wrote(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_without_a_request_has_the_time_of_a_head() {
        let (activity, limits) = (Activity::since(Instant::now()), ServerLimits::default());
        activity.read(b"GET / HT");
        assert_eq!(activity.deadline(&limits), activity.opened + limits.head_time);
    }

    #[test]
    fn between_requests_a_connection_may_rest_but_not_dawdle() {
        let (activity, limits) = (Activity::since(Instant::now()), ServerLimits::default());
        activity.read(b"GET / HTTP/1.1\r\n\r\n");
        drop(activity.request());
        assert!(activity.deadline(&limits) > activity.opened + Duration::from_secs(70));
        assert!(activity.rests());
        activity.read(b"G");
        assert!(activity.deadline(&limits) < activity.opened + Duration::from_secs(11) && !activity.rests());
    }

    #[test]
    fn frames_between_http_2_requests_are_no_head() {
        let (activity, limits) = (Activity::since(Instant::now()), ServerLimits::default());
        activity.read(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        drop(activity.request());
        activity.read(b"ping");
        assert!(activity.deadline(&limits) > activity.opened + Duration::from_secs(70));
    }
}
