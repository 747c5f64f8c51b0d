//! What a connection has been doing, seen from its bytes: the basis of its time limits.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;
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
    /// Whether it takes no more requests than it has: the next answer says so.
    retires: AtomicBool,
    /// Whether it has sent more control frames than it may.
    floods: AtomicBool,
    /// Whether it is to end if it is idle.
    asked_to_end: AtomicBool,
    /// Its task, which is woken where it is asked for something.
    task: AtomicWaker,
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
            retires: AtomicBool::new(false),
            floods: AtomicBool::new(false),
            asked_to_end: AtomicBool::new(false),
            task: AtomicWaker::new(),
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
    /// 4. the client takes a piece of each answer, 64 KiB at most, in that time;
    /// 5. one that rests while the server `ends` has no more than `head_time` for what it still has to say.
    ///
    /// It comes nearer when a head begins, or a request: to no less than the lesser of `head_time` and
    /// `idle_time` from then.
    pub(super) fn deadline(&self, limits: &ServerLimits, ends: bool) -> Instant {
        if !self.requested.load(Ordering::Relaxed) {
            return self.opened + limits.head_time;
        }
        let after = |millis| self.opened + Duration::from_millis(millis);
        let moved = self.moved.load(Ordering::Relaxed);
        let silence =
            if ends && self.rests() { limits.head_time.min(limits.idle_time) } else { limits.idle_time };
        let idle = after(self.untaken.longest().map_or(moved, |since| since.min(moved))) + silence;
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

    /// Since when nothing has been under way; `None` where something is. A connection without a request yet, or with a
    /// part of one's head, is idle once no byte has come for a second: [`FRESH`].
    pub(super) fn idle_since(&self, now: Instant) -> Option<Instant> {
        let moved = self.opened + Duration::from_millis(self.moved.load(Ordering::Relaxed));
        let at_work = self.in_flight.load(Ordering::Relaxed) > 0;
        (!at_work && (self.rests() || now.saturating_duration_since(moved) >= FRESH)).then_some(moved)
    }

    /// Whether HTTP can end it now without losing a request that has begun.
    pub(super) fn is_between_heads(&self) -> bool {
        let began = self.requested.load(Ordering::Relaxed) && self.head_began.load(Ordering::Relaxed) == 0;
        began || self.is_multiplexed()
    }

    /// Whether it speaks HTTP/2.
    pub(super) fn is_multiplexed(&self) -> bool {
        self.multiplexed.load(Ordering::Relaxed)
    }

    /// Whether a request has ever come.
    pub(super) fn has_requested(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
    }

    /// Takes no more requests than those that are on their way: the next answer says so.
    pub(super) fn retire(&self) {
        self.retires.store(true, Ordering::Relaxed);
    }

    /// Whether it takes no more requests.
    pub(super) fn retires(&self) -> bool {
        self.retires.load(Ordering::Relaxed)
    }

    /// It has sent more control frames than it may.
    pub(super) fn flood(&self) {
        self.floods.store(true, Ordering::Relaxed);
    }

    /// Whether it has.
    pub(super) fn floods(&self) -> bool {
        self.floods.load(Ordering::Relaxed)
    }

    /// Asks it to end if it is idle; whether it wasn't asked before.
    pub(super) fn ask_to_end(&self) -> bool {
        let first = !self.asked_to_end.swap(true, Ordering::AcqRel);
        if first {
            self.task.wake();
        }
        first
    }

    /// Whether it was asked to end, and hasn't declined.
    pub(super) fn is_asked_to_end(&self) -> bool {
        self.asked_to_end.load(Ordering::Acquire)
    }

    /// Ready once it is asked to end while it is idle. Where something is under way it declines.
    pub(super) fn poll_end(&self, context: &Context<'_>) -> Poll<()> {
        self.task.register(context.waker());
        if !self.is_asked_to_end() {
            return Poll::Pending;
        }
        if self.idle_since(Instant::now()).is_some() {
            return Poll::Ready(());
        }
        self.asked_to_end.store(false, Ordering::Release);
        Poll::Pending
    }

    /// Ends once it is asked to end while it is idle.
    pub(super) async fn asked_to_end(&self) {
        poll_fn(|context| self.poll_end(context)).await;
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

    /// A byte has moved. Gives the time.
    pub(super) fn touch(&self) -> u64 {
        let millis = self.millis();
        self.moved.store(millis, Ordering::Relaxed);
        millis
    }

    /// Bytes have come, of HTTP/2 where it is `multiplexed`.
    pub(super) fn read(&self, now: u64, multiplexed: bool) {
        if !self.has_received() {
            self.received.store(true, Ordering::Relaxed);
        }
        if multiplexed {
            if !self.is_multiplexed() {
                self.multiplexed.store(true, Ordering::Relaxed);
                self.head_began.store(0, Ordering::Relaxed);
            }
            return;
        }
        let outside = self.in_flight.load(Ordering::Relaxed) == 0;
        if outside && self.head_began.load(Ordering::Relaxed) == 0 {
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

/// How long a connection may say nothing before it counts as idle though nothing was asked by it yet.
const FRESH: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_without_a_request_has_the_time_of_a_head() {
        let (activity, limits) = (Activity::since(Instant::now()), ServerLimits::default());
        activity.read(0, false);
        assert_eq!(activity.deadline(&limits, false), activity.opened + limits.head_time);
    }

    #[test]
    fn between_requests_a_connection_may_rest_but_not_dawdle() {
        let (activity, limits) = (Activity::since(Instant::now()), ServerLimits::default());
        activity.read(0, false);
        drop(activity.request());
        assert!(activity.deadline(&limits, false) > activity.opened + Duration::from_secs(70));
        assert!(activity.rests());
        activity.read(0, false);
        assert!(
            activity.deadline(&limits, false) < activity.opened + Duration::from_secs(11)
                && !activity.rests()
        );
    }

    #[test]
    fn frames_between_http_2_requests_are_no_head() {
        let (activity, limits) = (Activity::since(Instant::now()), ServerLimits::default());
        activity.read(0, true);
        drop(activity.request());
        activity.read(0, true);
        assert!(activity.deadline(&limits, false) > activity.opened + Duration::from_secs(70));
    }

    #[test]
    fn one_that_rests_has_little_time_while_the_server_ends() {
        let (activity, limits) = (Activity::since(Instant::now()), ServerLimits::default());
        activity.read(0, true);
        let request = activity.request();
        assert!(activity.deadline(&limits, true) > activity.opened + Duration::from_secs(70));
        drop(request);
        assert!(activity.deadline(&limits, true) < activity.opened + Duration::from_secs(11));
    }

    #[test]
    fn it_is_idle_between_requests_and_where_none_comes() {
        let began = Instant::now();
        let activity = Activity::since(began);
        assert_eq!(activity.idle_since(began), None, "it has only begun");
        assert_eq!(activity.idle_since(began + FRESH), Some(began));
        activity.moved.store(2_000, Ordering::Relaxed);
        activity.read(2_000, false);
        let moved = began + Duration::from_secs(2);
        assert_eq!(activity.idle_since(moved), None, "a head comes");
        let request = activity.request();
        assert_eq!(activity.idle_since(moved + FRESH * 10), None, "it waits for an answer");
        drop(request);
        assert_eq!(activity.idle_since(moved), Some(moved));
    }

    #[test]
    fn one_that_is_asked_to_end_declines_where_it_is_at_work() {
        let activity = Activity::since(Instant::now());
        let request = activity.request();
        let waker = futures_util::task::noop_waker();
        let context = Context::from_waker(&waker);
        assert!(activity.poll_end(&context).is_pending());
        assert!(activity.ask_to_end() && !activity.ask_to_end() && activity.is_asked_to_end());
        assert!(activity.poll_end(&context).is_pending());
        assert!(!activity.is_asked_to_end());
        drop(request);
        assert!(activity.poll_end(&context).is_pending(), "it is asked again where it is to");
        assert!(activity.ask_to_end() && activity.poll_end(&context).is_ready());
    }
}
