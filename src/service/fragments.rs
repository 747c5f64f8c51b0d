//! The links of files that documents ask for again and again, ready to be copied.
//!
//! A fragment is found by a 128-bit keyed digest of the place, of what was asked for (a key with its
//! derivatives, or a URL) and of the key pair that signs. It says in which seconds all of its links
//! are what would be made anew, and outside of these it is not used: so it changes when its window
//! does, and not later. Bounded by bytes.

use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use siphasher::sip128::{Hasher128, SipHasher13};

use super::cache_figures::{CacheFigures, Evictions};
use super::key_ring::RingKey;
use super::layout::Place;
use crate::document::{Derivatives, Links};
use crate::media::{Asset, Visibility};

/// What one entry takes beside its text, in bytes.
const ENTRY_OVERHEAD: usize = 250;
/// About as long as most entries are: what the cache makes room for at its start.
const ENTRY_BYTES: u64 = 2_500;

/// Ready links.
#[derive(Debug, Clone)]
pub struct Fragment {
    /// The links.
    pub links: Links,
    /// How many grants they use.
    pub grants: usize,
    /// When they are what would be made anew: seconds since the Unix epoch.
    pub fresh: Range<u64>,
    /// Until when an answer that holds them may be cached: seconds since the Unix epoch.
    pub cache_until: u64,
}

/// What links are wanted for.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// A file by its key under the root, not checked yet, with its derivatives; and the visibility of the asset whose
    /// file it is. Where the visibility makes it a stable URL, nothing is kept here.
    File(&'a str, Option<&'a Derivatives>, Option<Visibility>),
    /// The file of an asset.
    Asset(&'a Asset),
    /// A URL that somebody has written.
    Url(&'a str),
}

/// What a fragment is found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FragmentDigest(u128);

/// The fragments of all documents.
pub struct FragmentCache {
    fragments: Cache<FragmentDigest, Fragment, Weight, BuildHasherDefault<DigestHasher>, Evictions>,
    evicted: Evictions,
    secret: [u8; 16],
}

impl FragmentCache {
    /// A cache of at most `max_bytes`. `secret` keeps strangers from choosing colliding digests.
    #[must_use]
    pub fn new(max_bytes: u64, secret: [u8; 16]) -> Self {
        let items = usize::try_from(max_bytes / ENTRY_BYTES).unwrap_or(usize::MAX).clamp(16, MOST_ROOM);
        let evicted = Evictions::default();
        let fragments = Cache::with(items, max_bytes, Weight, BuildHasherDefault::default(), evicted.clone());
        Self { fragments, evicted, secret }
    }

    /// How full it is.
    #[must_use]
    pub fn figures(&self) -> CacheFigures {
        self.evicted.figures(&self.fragments)
    }

    /// What is there of a place now, signed by a key.
    #[must_use]
    pub fn at(&self, place: &Place, key: &RingKey, now: u64) -> Ready<'_> {
        let mut hasher = SipHasher13::new_with_key(&self.secret);
        // 0xff is in no UTF-8 text: the parts can't run into each other.
        for part in [place.root(), key.id.as_str(), key.hash.as_str()] {
            hasher.write(part.as_bytes());
            hasher.write_u8(0xff);
        }
        Ready { cache: self, hasher, now }
    }
}

/// Entries that the cache makes room for at its start, whatever it may grow to.
const MOST_ROOM: usize = 65_536;

/// Entries weigh what they take, in bytes.
#[derive(Debug, Clone)]
struct Weight;

impl Weighter<FragmentDigest, Fragment> for Weight {
    fn weight(&self, _: &FragmentDigest, fragment: &Fragment) -> u64 {
        (fragment.links.bytes() + ENTRY_OVERHEAD) as u64
    }
}

/// The fragments of one place, one key pair and one moment.
pub struct Ready<'c> {
    cache: &'c FragmentCache,
    hasher: SipHasher13,
    now: u64,
}

impl Ready<'_> {
    /// What a subject's fragment is found by.
    #[must_use]
    pub fn digest(&self, subject: Subject<'_>) -> FragmentDigest {
        let mut hasher = self.hasher;
        match subject {
            Subject::Url(url) => {
                hasher.write(url.as_bytes());
                hasher.write_u8(0xfe);
            }
            Subject::Asset(asset) => {
                hasher.write(asset.key.as_str().as_bytes());
                hasher.write_u8(0xfd);
            }
            Subject::File(key, derivatives, _) => {
                hasher.write(key.as_bytes());
                hasher.write_u8(0xff);
                if let Some(derivatives) = derivatives {
                    hasher.write(derivatives.format().as_bytes());
                    hasher.write_u8(0xff);
                    derivatives.widths().iter().for_each(|width| hasher.write_u16(*width));
                }
            }
        }
        FragmentDigest(hasher.finish128().as_u128())
    }

    /// The fragment, if it is good now.
    #[must_use]
    pub fn get(&self, digest: FragmentDigest) -> Option<Fragment> {
        self.cache.fragments.get(&digest).filter(|fragment| fragment.fresh.contains(&self.now))
    }

    /// Keeps a fragment for other documents.
    pub fn keep(&self, digest: FragmentDigest, fragment: Fragment) {
        self.cache.fragments.insert(digest, fragment);
    }
}

/// A digest is a keyed hash already: its first half will do.
#[derive(Default)]
pub struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let (first, _) = bytes.as_chunks();
        self.0 = first.first().map_or(0, |half| u64::from_le_bytes(*half));
    }

    fn write_u128(&mut self, digest: u128) {
        self.0 = (digest >> 64) as u64;
    }
}
