//! When the cluster last answered, and over which connections; how many connections are open.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The cluster counts as silent after this time without any answer. It is three times the interval at which the change
/// stream ([`super::feed`]) is answered when nothing changes.
pub const SILENCE: Duration = Duration::from_millis(1_500);

/// The times of the last answers, and the open connections.
pub struct Pulse {
    began: Instant,
    answered: Mark,
    served: Mark,
    primary: Mark,
    feed_tried: AtomicBool,
    feed_heard: AtomicBool,
    /// The open connections of the pool, by server and number.
    open: Mutex<HashSet<(String, u32)>>,
}

/// A time, in milliseconds since `began`.
#[derive(Default)]
struct Mark(AtomicU64);

impl Pulse {
    /// Starts now, as if everything had just been answered.
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

    /// Records an answer to the change stream, or its refusal.
    pub fn feed_answered(&self) {
        self.set(&self.answered);
        self.set(&self.primary);
    }

    /// Records an answer to any other operation.
    pub fn served(&self) {
        self.set(&self.served);
        self.set(&self.answered);
    }

    /// Records an answer of the primary to the driver's monitor.
    pub fn primary_heard(&self) {
        self.set(&self.primary);
    }

    /// Records that this process was suspended: what it didn't hear meanwhile isn't the cluster's silence.
    pub fn stood_still(&self) {
        self.set(&self.answered);
    }

    /// Records the first result of opening the change stream, whatever it is.
    pub fn feed_was_tried(&self) {
        self.feed_tried.store(true, Ordering::Relaxed);
    }

    /// Whether opening the change stream has had a result yet.
    pub fn feed_tried(&self) -> bool {
        self.feed_tried.load(Ordering::Relaxed)
    }

    /// Sets whether the change stream works.
    pub fn set_feed_heard(&self, heard: bool) {
        self.feed_heard.store(heard, Ordering::Relaxed);
    }

    /// Whether the change stream works. It then occupies a connection of the pool.
    pub fn feed_heard(&self) -> bool {
        self.feed_heard.load(Ordering::Relaxed)
    }

    /// Records a new connection of the pool.
    pub fn opened(&self, server: String, number: u32) {
        self.open().insert((server, number));
    }

    /// Records that a connection of the pool was closed or failed to open.
    pub fn closed(&self, server: String, number: u32) {
        self.open().remove(&(server, number));
    }

    /// The number of open connections of the pool, in use or idle.
    pub fn connections(&self) -> usize {
        self.open().len()
    }

    /// The time since the last answer over any connection of the pool.
    pub fn silent_for(&self) -> Duration {
        self.since(&self.answered)
    }

    /// The time since the last answer to an operation other than the change stream's.
    pub fn unserved_for(&self) -> Duration {
        self.since(&self.served)
    }

    /// The time since the primary's last answer over any connection.
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
