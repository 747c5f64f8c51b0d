//! What is kept, by id, bounded by bytes; and the order of reads and changes.
//!
//! Ids share [`STRIPES`] counters. Who reads or changes an asset notes its counter before asking the store.
//!
//! - A change moves the counter when the store has answered, and is kept unless another change has moved it meanwhile:
//!   which of the two was the later isn't known then, so the id is forgotten, and the next reader asks the store.
//! - A read is kept only if the counter hasn't moved meanwhile: what it has read may be older than the change.
//!
//! So nothing older ever takes the place of something newer, also where that was evicted. Ids that share a counter by
//! chance cost each other a look into the store, no more.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde_json::Value;

use crate::media::{Asset, AssetId};
use crate::service::epochs::Epochs;

/// Keeps entries.
pub(super) struct Shelf {
    entries: Cache<AssetId, Entry, Weight>,
    hasher: RandomState,
    stripes: Vec<Mutex<u64>>,
    /// They move with whatever is put in or taken out; what leaves for want of room is as true as it was.
    epochs: Epochs,
}

/// What the store has said of an id.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The asset, or that there is none.
    pub asset: Option<Arc<Asset>>,
    /// When the store was asked, in milliseconds.
    pub asked_at: u64,
    /// Whether a change has been tried since of which nobody knows what came of it.
    pub doubtful: bool,
}

impl Entry {
    pub(super) fn new(asset: Option<Arc<Asset>>, asked_at: u64) -> Self {
        Self { asset, asked_at, doubtful: false }
    }
}

impl Shelf {
    pub(super) fn new(max_bytes: u64) -> Self {
        let items = usize::try_from(max_bytes / ENTRY_BYTES).unwrap_or(usize::MAX).clamp(16, MOST_ROOM);
        Self {
            entries: Cache::with_weighter(items, max_bytes, Weight),
            hasher: RandomState::new(),
            stripes: (0..STRIPES).map(|_| Mutex::new(0)).collect(),
            epochs: Epochs::default(),
        }
    }

    pub(super) fn get(&self, id: AssetId) -> Option<Entry> {
        self.entries.get(&id)
    }

    /// The epochs of what is known.
    pub(super) fn epochs(&self) -> &Epochs {
        &self.epochs
    }

    /// Where the counter of an id stands.
    pub(super) fn mark(&self, id: AssetId) -> u64 {
        self.stripe(id).map_or(0, |counter| *counter)
    }

    /// Keeps what was read, if nothing has changed since the mark.
    pub(super) fn read(&self, id: AssetId, mark: u64, entry: Entry) {
        let counter = self.stripe(id);
        if counter.as_deref() == Some(&mark) {
            self.entries.insert(id, entry);
            self.epochs.move_on(&id);
        }
    }

    /// Begins a change.
    pub(super) fn begin(&self, id: AssetId) -> Change<'_> {
        Change { shelf: self, id, mark: self.mark(id), settled: false }
    }

    /// Forgets an id, and what is being read of it.
    pub(super) fn forget(&self, id: AssetId) {
        let mut counter = self.stripe(id);
        move_on(&mut counter);
        self.entries.remove(&id);
        self.epochs.move_on(&id);
    }

    /// Forgets everything, and what is being read.
    pub(super) fn forget_all(&self) {
        for stripe in &self.stripes {
            *stripe.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        }
        self.entries.clear();
        self.epochs.all_move_on();
    }

    fn doubt(&self, id: AssetId) {
        let mut counter = self.stripe(id);
        move_on(&mut counter);
        if let Some((_, entry)) = self.entries.remove(&id).filter(|(_, entry)| entry.asset.is_some()) {
            self.entries.insert(id, Entry { doubtful: true, ..entry });
        }
        self.epochs.move_on(&id);
    }

    /// The counter of an id. There always is one.
    fn stripe(&self, id: AssetId) -> Option<MutexGuard<'_, u64>> {
        let index = self.hasher.hash_one(id) as usize % self.stripes.len().max(1);
        Some(self.stripes.get(index)?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn move_on(counter: &mut Option<MutexGuard<'_, u64>>) {
    if let Some(counter) = counter {
        **counter += 1;
    }
}

/// A change under way. One that ends without a word leaves what was known doubtful.
pub(super) struct Change<'s> {
    shelf: &'s Shelf,
    id: AssetId,
    mark: u64,
    settled: bool,
}

impl Change<'_> {
    /// The change was made.
    pub(super) fn made(mut self, entry: Entry) {
        self.settled = true;
        let mut counter = self.shelf.stripe(self.id);
        if counter.as_deref() == Some(&self.mark) {
            self.shelf.entries.insert(self.id, entry);
        } else {
            self.shelf.entries.remove(&self.id);
        }
        self.shelf.epochs.move_on(&self.id);
        move_on(&mut counter);
    }

    /// Nothing was changed.
    pub(super) fn unmade(mut self) {
        self.settled = true;
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        if !self.settled {
            self.shelf.doubt(self.id);
        }
    }
}

/// Entries weigh about what they take, in bytes.
#[derive(Debug, Clone)]
struct Weight;

impl Weighter<AssetId, Entry> for Weight {
    fn weight(&self, _: &AssetId, entry: &Entry) -> u64 {
        let texts = |asset: &Asset| {
            asset.tenant.as_str().len()
                + asset.filename.as_str().len()
                + asset.content_type.as_str().len()
                + asset.key.as_str().len()
                + asset
                    .metadata
                    .members()
                    .iter()
                    .map(|(name, value)| name.len() + bytes(value))
                    .sum::<usize>()
        };
        let asset = entry.asset.as_ref().map_or(0, |asset| size_of::<Asset>() + texts(asset));
        (asset + OVERHEAD) as u64
    }
}

/// About what a value takes. Its depth is bounded where metadata is read.
fn bytes(value: &Value) -> usize {
    let within = match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(bytes).sum(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| MEMBER + name.len() + bytes(value)).sum()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    };
    size_of::<Value>() + within
}

/// How many counters there are.
const STRIPES: usize = 1_024;
/// What an entry takes beside its asset, in bytes.
const OVERHEAD: usize = 150;
/// What a member takes beside its name and its value, in bytes.
const MEMBER: usize = 32;
/// About as long as most entries are: what room is made for at the start.
const ENTRY_BYTES: u64 = 1_000;
/// Entries that room is made for at the start, whatever they may grow to.
const MOST_ROOM: usize = 65_536;
