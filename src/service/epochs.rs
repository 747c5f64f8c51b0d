//! Counters that move when something is known otherwise than before, so that whoever has derived something from it
//! sees that without looking it up again.
//!
//! Whoever derives notes the epoch before it looks. Whoever changes what is known moves it afterwards. So an epoch
//! that still stands was noted after the last change. Things share counters: one that moves for another costs a
//! look-up, no more.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// The counters.
pub(super) struct Epochs {
    counters: [AtomicU64; COUNTERS],
    hasher: RandomState,
}

/// Where a counter stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Epoch {
    counter: usize,
    stands: u64,
}

impl Epochs {
    /// The epoch of what is known of a thing. To be noted before that is looked up.
    pub(super) fn of(&self, thing: &impl Hash) -> Epoch {
        let counter = self.counter(thing);
        Epoch { counter, stands: self.counters[counter].load(Ordering::Acquire) }
    }

    /// Whether nothing has changed since.
    pub(super) fn stands(&self, epoch: Epoch) -> bool {
        self.counters[epoch.counter].load(Ordering::Acquire) == epoch.stands
    }

    /// A thing is known otherwise: to be said once it is.
    pub(super) fn move_on(&self, thing: &impl Hash) {
        self.counters[self.counter(thing)].fetch_add(1, Ordering::Release);
    }

    /// Everything is.
    pub(super) fn all_move_on(&self) {
        for counter in &self.counters {
            counter.fetch_add(1, Ordering::Release);
        }
    }

    fn counter(&self, thing: &impl Hash) -> usize {
        self.hasher.hash_one(thing) as usize % COUNTERS
    }
}

impl Default for Epochs {
    fn default() -> Self {
        Self { counters: [const { AtomicU64::new(0) }; COUNTERS], hasher: RandomState::new() }
    }
}

/// A power of two.
const COUNTERS: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_ends_when_its_thing_changes_or_all_do() {
        let epochs = Epochs::default();
        let noted = epochs.of(&"a");
        assert!(epochs.stands(noted));
        epochs.move_on(&"a");
        assert!(!epochs.stands(noted));
        let noted = epochs.of(&"a");
        assert!(epochs.stands(noted));
        epochs.all_move_on();
        assert!(!epochs.stands(noted));
    }
}
