//! Signatures that were made already.
//!
//! The key is a 128-bit keyed digest of the resource, the computed expiry and the key pair, so a
//! stale link can't be served: not after its window, not after the TTL has changed, not after a
//! key rotation. The value is the raw signature. Bounded by bytes; one signature per miss, however
//! many wait for it. A part of the bytes is for [fragments](FragmentCache) and for
//! `asset_links`, which spare documents, permalinks and batches even the making of links from signatures.

use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use moka::sync::Cache;
use siphasher::sip128::{Hasher128, SipHasher13};

use super::asset_links::AssetLinks;
use super::fragments::{DigestHasher, FragmentCache};
use super::key_ring::RingKey;
use crate::cloudfront::Signature;

/// What one entry takes beside its signature, in bytes, as measured on moka 0.12.
const ENTRY_OVERHEAD: u32 = 250;

/// What a signature is found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinkDigest(u128);

/// The cache.
pub struct LinkCache {
    signatures: Cache<LinkDigest, Signature, BuildHasherDefault<DigestHasher>>,
    fragments: FragmentCache,
    assets: AssetLinks,
    secret: [u8; 16],
}

impl LinkCache {
    /// A cache of at most `max_bytes`. `secret` keeps strangers from choosing colliding digests;
    /// it may differ from node to node.
    #[must_use]
    pub fn new(max_bytes: u64, secret: [u8; 16]) -> Self {
        let weight = |_: &LinkDigest, signature: &Signature| {
            ENTRY_OVERHEAD.saturating_add(u32::try_from(signature.as_bytes().len()).unwrap_or(u32::MAX))
        };
        // A link is about as long as the entry of its signature.
        let quarter = max_bytes / 4;
        let signatures = Cache::builder().max_capacity(max_bytes - 2 * quarter).weigher(weight);
        let signatures = signatures.build_with_hasher(BuildHasherDefault::default());
        let (fragments, assets) = (FragmentCache::new(quarter, secret), AssetLinks::new(quarter));
        Self { signatures, fragments, assets, secret }
    }

    /// What the signature of a resource is found by.
    #[must_use]
    pub fn digest(&self, resource: &str, expires: u64, key: &RingKey) -> LinkDigest {
        let mut hasher = SipHasher13::new_with_key(&self.secret);
        hasher.write(resource.as_bytes());
        hasher.write_u8(0xff); // in no UTF-8 text: the parts can't run into each other
        hasher.write_u64(expires);
        hasher.write(key.id.as_str().as_bytes());
        hasher.write_u8(0xff);
        hasher.write(key.hash.as_str().as_bytes());
        LinkDigest(hasher.finish128().as_u128())
    }

    /// The links that are ready.
    #[must_use]
    pub fn fragments(&self) -> &FragmentCache {
        &self.fragments
    }

    /// The links of assets that are ready.
    pub(super) fn assets(&self) -> &AssetLinks {
        &self.assets
    }

    /// A signature that was made already.
    #[must_use]
    pub fn get(&self, digest: LinkDigest) -> Option<Signature> {
        self.signatures.get(&digest)
    }

    /// Whether a signature was made already. Doesn't count as a use.
    #[must_use]
    pub fn holds(&self, digest: LinkDigest) -> bool {
        self.signatures.contains_key(&digest)
    }

    /// The signature, made by `make` where it isn't there and nobody else is making it. Waits for who
    /// makes it: not to be called on async threads.
    ///
    /// # Errors
    /// The error of `make`, shared by all who waited for it.
    pub fn get_or_make<E: Send + Sync + 'static>(
        &self,
        digest: LinkDigest,
        make: impl FnOnce() -> Result<Signature, E>,
    ) -> Result<Signature, Arc<E>> {
        self.signatures.try_get_with(digest, make)
    }
}
