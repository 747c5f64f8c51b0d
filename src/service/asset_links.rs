//! Links of assets that were handed out already, whole.
//!
//! One is handed out again as long as everything that it was made of is the same:
//! 1. the asset, by its revision, and the width that is wanted of it;
//! 2. its tenant, which says where its media lies;
//! 3. the key pair that signs, and the seconds in which a link made anew would be the same.
//!
//! Whoever asks brings asset and tenant as they are known at that moment, so nothing has to be forgotten here when one
//! of them changes. Bounded by bytes.

use std::sync::Arc;

use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Weighter};

use super::cache_figures::{CacheFigures, Evictions};
use super::file_links::{FileLinks, Link, SignedBy};
use super::key_ring::RingKey;
use crate::media::{Asset, AssetId, Tenant};

/// Links by asset and width.
pub(super) struct AssetLinks {
    entries: Cache<(AssetId, Option<u32>), Arc<Entry>, Weight, DefaultHashBuilder, Evictions>,
    evicted: Evictions,
}

/// A file of an asset.
#[derive(Debug, Clone, Copy)]
pub struct AssetFile<'a> {
    /// The asset as it is known.
    pub asset: &'a Asset,
    /// Its owner as it is known.
    pub tenant: &'a Arc<Tenant>,
    /// The derivative of this width in pixels; the original without one.
    pub width: Option<u32>,
}

/// A link that was handed out.
#[derive(Clone)]
pub struct ReadyLink {
    entry: Arc<Entry>,
}

/// A link, and what it was made of.
struct Entry {
    url: Arc<str>,
    revision: u64,
    tenant: Arc<Tenant>,
    life: EntryLife,
}

enum EntryLife {
    /// A signed link: when it expires, and until when answers with it may be cached, in seconds since the Unix epoch.
    Signed { by: SignedBy, expires: u64, cache_until: u64 },
    /// A stable URL: for how many seconds answers with it may be cached.
    Stable { max_age: u64 },
}

impl AssetLinks {
    /// Room for so many bytes.
    pub(super) fn new(max_bytes: u64) -> Self {
        let items = usize::try_from(max_bytes / ENTRY_BYTES).unwrap_or(usize::MAX).clamp(16, MOST_ROOM);
        let evicted = Evictions::default();
        let hasher = DefaultHashBuilder::default();
        Self { entries: Cache::with(items, max_bytes, Weight, hasher, evicted.clone()), evicted }
    }

    /// How full they are.
    pub(super) fn figures(&self) -> CacheFigures {
        self.evicted.figures(&self.entries)
    }

    /// The link of a file that was handed out, where the asset and its tenant are what they were then.
    pub(super) fn get(&self, file: AssetFile<'_>) -> Option<ReadyLink> {
        let entry = self.entries.get(&(file.asset.id, file.width))?;
        let same_tenant = Arc::ptr_eq(&entry.tenant, file.tenant) || entry.tenant == *file.tenant;
        if entry.revision != file.asset.revision || !same_tenant {
            return None;
        }
        Some(ReadyLink { entry })
    }

    /// Keeps a link that was made just now. One that nobody has signed goes out once alone, unless it is a stable URL.
    pub(super) fn keep(&self, file: AssetFile<'_>, made: &FileLinks) {
        let life = match (&made.signed, made.link.expires) {
            (Some(by), Some(expires)) => {
                EntryLife::Signed { by: by.clone(), expires, cache_until: made.cache_until }
            }
            (None, None) => EntryLife::Stable { max_age: made.link.max_age },
            _ => return,
        };
        let entry = Entry {
            url: Arc::clone(&made.link.url),
            revision: file.asset.revision,
            tenant: Arc::clone(file.tenant),
            life,
        };
        self.entries.insert((file.asset.id, file.width), Arc::new(entry));
    }
}

impl ReadyLink {
    /// The link, and how many grants it uses, where it is what would be made anew. `now` is in seconds since the Unix
    /// epoch; `signs` says whether a key pair does then.
    pub(super) fn at(&self, now: u64, signs: impl FnOnce(&Arc<RingKey>) -> bool) -> Option<(Link, usize)> {
        let (max_age, grants) = self.max_age_at(now, signs)?;
        let expires = match &self.entry.life {
            EntryLife::Stable { .. } => None,
            EntryLife::Signed { expires, .. } => Some(*expires),
        };
        Some((Link { url: Arc::clone(&self.entry.url), expires, max_age }, grants))
    }

    /// For how many seconds answers with it may be cached, and how many grants it uses; as [`ReadyLink::at`].
    pub(super) fn max_age_at(
        &self,
        now: u64,
        signs: impl FnOnce(&Arc<RingKey>) -> bool,
    ) -> Option<(u64, usize)> {
        match &self.entry.life {
            EntryLife::Stable { max_age } => Some((*max_age, 0)),
            EntryLife::Signed { by, cache_until, .. } => {
                let good = by.fresh.contains(&now) && signs(&by.key);
                good.then(|| (cache_until.saturating_sub(now), by.grants))
            }
        }
    }
}

/// Entries weigh what they take, in bytes.
#[derive(Debug, Clone)]
struct Weight;

impl Weighter<(AssetId, Option<u32>), Arc<Entry>> for Weight {
    fn weight(&self, _: &(AssetId, Option<u32>), entry: &Arc<Entry>) -> u64 {
        (entry.url.len() + OVERHEAD) as u64
    }
}

/// What one entry takes beside its text, in bytes.
const OVERHEAD: usize = 280;
/// About as long as most entries are: what room is made for at the start.
const ENTRY_BYTES: u64 = 760;
/// Entries that room is made for at the start, whatever they may grow to.
const MOST_ROOM: usize = 65_536;
