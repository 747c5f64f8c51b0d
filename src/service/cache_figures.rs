//! How full caches are, and what had to leave them.

use std::hash::{BuildHasher, Hash};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::Cache;
use quick_cache::{Lifecycle, Weighter};

/// How full a cache is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheFigures {
    /// Entries.
    pub entries: u64,
    /// What they weigh, in bytes.
    pub bytes: u64,
    /// What they may weigh, in bytes.
    pub max_bytes: u64,
    /// Entries that have left for want of room.
    pub evictions: u64,
}

/// Counts what leaves a cache for want of room.
#[derive(Debug, Clone, Default)]
pub(super) struct Evictions(Arc<AtomicU64>);

impl Evictions {
    /// An entry has left.
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many have.
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// How full the cache is whose evictions these are.
    pub(super) fn figures<K, V, We, B>(&self, cache: &Cache<K, V, We, B, Self>) -> CacheFigures
    where
        K: Eq + Hash,
        V: Clone,
        We: Weighter<K, V> + Clone,
        B: BuildHasher + Clone,
    {
        CacheFigures {
            entries: cache.len() as u64,
            bytes: cache.weight(),
            max_bytes: cache.capacity(),
            evictions: self.count(),
        }
    }
}

impl<K, V> Lifecycle<K, V> for Evictions {
    /// What has left, to be dropped once the cache isn't locked any more.
    type RequestState = Option<V>;

    fn on_evict(&self, left: &mut Option<V>, _: K, value: V) {
        self.add();
        *left = Some(value);
    }
}
