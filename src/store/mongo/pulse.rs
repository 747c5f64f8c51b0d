//! When the cluster was last heard, by which connections, and how many are open.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// After so long without any answer the cluster is taken to answer nothing: three times what the change stream
/// ([`super::feed`]) takes where nothing changes.
pub const SILENCE: Duration = Duration::from_millis(1_500);

/// The times of the last answers, and the connections.
pub struct Pulse {
    began: Instant,
    answered: Mark,
    served: Mark,
    primary: Mark,
    feed_tried: AtomicBool,
    feed_heard: AtomicBool,
    /// Those of the pool that can be used, by server and number.
    open: Mutex<HashSet<(String, u32)>>,
}

/// A time, in milliseconds since the pulse began.
#[derive(Default)]
struct Mark(AtomicU64);

impl Pulse {
    /// A pulse that begins now: what is yet to be heard counts as heard now.
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            answered: Mark::default(),
            served: Mark::default(),
            primary: Mark::default(),
            feed_tried: AtomicBool::new(false),
            feed_heard: AtomicBool::new(false),
            open: Mutex::default(),
        }
    }

    /// The change stream was answered, or refused.
    pub fn feed_answered(&self) {
        self.set(&self.answered);
        self.set(&self.primary);
    }

    /// An operation that isn't the change stream's was answered.
    pub fn served(&self) {
        self.set(&self.served);
        self.set(&self.answered);
    }

    /// The primary has answered the driver's monitor.
    pub fn primary_heard(&self) {
        self.set(&self.primary);
    }

    /// Nobody could hear for a while, as this process stood still: that wasn't the cluster's silence.
    pub fn stood_still(&self) {
        self.set(&self.answered);
    }

    /// The change stream has been asked for, and whatever came of it is known.
    pub fn feed_was_tried(&self) {
        self.feed_tried.store(true, Ordering::Relaxed);
    }

    /// Whether the change stream has been asked for.
    pub fn feed_tried(&self) -> bool {
        self.feed_tried.load(Ordering::Relaxed)
    }

    /// Sets whether there is a change stream that is answered.
    pub fn set_feed_heard(&self, heard: bool) {
        self.feed_heard.store(heard, Ordering::Relaxed);
    }

    /// Whether there is a change stream that is answered: it has a connection of the pool.
    pub fn feed_heard(&self) -> bool {
        self.feed_heard.load(Ordering::Relaxed)
    }

    /// A connection of the pool can be used.
    pub fn opened(&self, server: String, number: u32) {
        self.open().insert((server, number));
    }

    /// A connection of the pool was closed, or couldn't be made.
    pub fn closed(&self, server: String, number: u32) {
        self.open().remove(&(server, number));
    }

    /// How many connections of the pool can be used, in use or not.
    pub fn connections(&self) -> usize {
        self.open().len()
    }

    /// How long nothing was answered by the connections of the pool.
    pub fn silent_for(&self) -> Duration {
        self.since(&self.answered)
    }

    /// How long no operation was answered but the change stream's.
    pub fn unserved_for(&self) -> Duration {
        self.since(&self.served)
    }

    /// How long the primary wasn't heard, by whichever connection.
    pub fn primary_unheard_for(&self) -> Duration {
        self.since(&self.primary)
    }

    fn open(&self) -> MutexGuard<'_, HashSet<(String, u32)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, mark: &Mark) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        mark.0.store(now, Ordering::Relaxed);
    }

    fn since(&self, mark: &Mark) -> Duration {
        self.began.elapsed().saturating_sub(Duration::from_millis(mark.0.load(Ordering::Relaxed)))
    }
}
