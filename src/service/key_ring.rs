//! The key pairs that sign, and which of them does now.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::cloudfront::{HashAlgorithm, KeyPairId, PrivateKey, PublicKey};

/// One key pair of the ring.
#[derive(Debug)]
pub struct RingKey {
    /// CloudFront's id of the public key.
    pub id: KeyPairId,
    /// What signs.
    pub private: PrivateKey,
    /// What checks.
    pub public: PublicKey,
    /// The hash that its signatures use.
    pub hash: HashAlgorithm,
    /// From when it signs, in seconds since the Unix epoch.
    pub not_before: u64,
    /// From when it doesn't sign any more, in seconds since the Unix epoch.
    pub retire_at: Option<u64>,
}

/// Several key pairs; the newest active one signs. Replaced as a whole, while links are being made.
#[derive(Debug)]
pub struct KeyRing {
    keys: ArcSwap<Vec<Arc<RingKey>>>,
}

impl KeyRing {
    /// A ring.
    ///
    /// # Errors
    /// Where it is empty, or an id stands in it twice.
    pub fn new(keys: Vec<RingKey>) -> Result<Self, RingError> {
        Ok(Self { keys: ArcSwap::from_pointee(checked(keys)?) })
    }

    /// Puts other keys in its place. The old ones stay where the new ones are refused.
    ///
    /// # Errors
    /// As [`KeyRing::new`].
    pub fn replace(&self, keys: Vec<RingKey>) -> Result<(), RingError> {
        self.keys.store(Arc::new(checked(keys)?));
        Ok(())
    }

    /// The key that signs at a time: of those active, the one that became so last. `now` is in
    /// seconds since the Unix epoch.
    #[must_use]
    pub fn active(&self, now: u64) -> Option<Arc<RingKey>> {
        let keys = self.keys.load();
        let active = |key: &&Arc<RingKey>| key.not_before <= now && key.retire_at.is_none_or(|end| now < end);
        keys.iter().filter(active).max_by_key(|key| key.not_before).map(Arc::clone)
    }

    /// All keys.
    #[must_use]
    pub fn keys(&self) -> Vec<Arc<RingKey>> {
        self.keys.load().to_vec()
    }
}

fn checked(keys: Vec<RingKey>) -> Result<Vec<Arc<RingKey>>, RingError> {
    if keys.is_empty() {
        return Err(RingError::Empty);
    }
    for (index, key) in keys.iter().enumerate() {
        if keys[..index].iter().any(|earlier| earlier.id == key.id) {
            return Err(RingError::Twice { id: key.id.clone() });
        }
    }
    Ok(keys.into_iter().map(Arc::new).collect())
}

/// Keys that can't make a ring.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// No keys.
    #[error("a key ring needs at least one key pair")]
    Empty,
    /// One id for two keys.
    #[error("the key pair id {id} stands in the key ring twice")]
    Twice {
        /// The id.
        id: KeyPairId,
    },
}
