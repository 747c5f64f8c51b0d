//! The key pairs that sign, and which of them does now.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

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

impl RingKey {
    /// Whether it signs at a time, unless a newer one does: `now` in seconds since the Unix epoch.
    #[must_use]
    pub fn is_active(&self, now: u64) -> bool {
        self.not_before <= now && self.retire_at.is_none_or(|end| now < end)
    }

    fn same(&self, other: &Self) -> bool {
        (&self.id, &self.public, self.hash, self.not_before, self.retire_at)
            == (&other.id, &other.public, other.hash, other.not_before, other.retire_at)
    }
}

/// Several key pairs; the newest active one signs. Replaced as a whole, while links are being made.
///
/// All of them check links at the edge, also those that wait and those past their `retire_at`: links
/// made just before that live on. A pair leaves the key group by leaving the ring.
#[derive(Debug)]
pub struct KeyRing {
    keys: ArcSwap<Vec<Arc<RingKey>>>,
    /// The public key of every id that this ring has ever had: an id never changes its key.
    known: Mutex<BTreeMap<KeyPairId, PublicKey>>,
}

impl KeyRing {
    /// A ring.
    ///
    /// # Errors
    /// Where it is empty, or an id stands in it twice.
    pub fn new(keys: Vec<RingKey>) -> Result<Self, RingError> {
        let keys = checked(keys)?;
        let known = keys.iter().map(|key| (key.id.clone(), key.public.clone())).collect();
        Ok(Self { keys: ArcSwap::from_pointee(keys), known: Mutex::new(known) })
    }

    /// Puts other keys in its place, all at once. The old ones stay where the new ones are refused.
    /// `now` is in seconds since the Unix epoch.
    ///
    /// # Errors
    /// As [`KeyRing::new`]; where nothing would sign now, though something does; and where an id comes
    /// with another key than before: CloudFront never changes the key behind an id, so one of the two
    /// is wrong, and signatures of both would be in the link cache under one id.
    pub fn replace(&self, keys: Vec<RingKey>, now: u64) -> Result<Replaced, RingError> {
        let keys = checked(keys)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = keys.iter().find(|key| known.get(&key.id).is_some_and(|old| *old != key.public)) {
            return Err(RingError::OtherKey { id: key.id.clone() });
        }
        if self.active(now).is_some() && active(&keys, now).is_none() {
            return Err(RingError::NoneActive);
        }
        let old = self.keys.load();
        if old.len() == keys.len() && old.iter().zip(&keys).all(|(old, new)| old.same(new)) {
            return Ok(Replaced::Unchanged);
        }
        known.extend(keys.iter().map(|key| (key.id.clone(), key.public.clone())));
        self.keys.store(Arc::new(keys));
        Ok(Replaced::Applied)
    }

    /// The key that signs at a time: of those active, the one that became so last; of two that did at
    /// once, the later in the settings. `now` is in seconds since the Unix epoch.
    #[must_use]
    pub fn active(&self, now: u64) -> Option<Arc<RingKey>> {
        active(&self.keys.load(), now)
    }

    /// Whether it is this key that signs at a time: as [`KeyRing::active`].
    #[must_use]
    pub fn is_active(&self, key: &Arc<RingKey>, now: u64) -> bool {
        newest(&self.keys.load(), now).is_some_and(|active| Arc::ptr_eq(active, key))
    }

    /// The first time from `now` on at which no key is active, in seconds since the Unix epoch.
    #[must_use]
    pub fn dark_from(&self, now: u64) -> Option<u64> {
        let keys = self.keys.load();
        let ends = keys.iter().filter_map(|key| key.retire_at).filter(|end| *end > now);
        ends.chain([now]).filter(|time| active(&keys, *time).is_none()).min()
    }

    /// All keys.
    #[must_use]
    pub fn keys(&self) -> Vec<Arc<RingKey>> {
        self.keys.load().to_vec()
    }
}

/// What became of a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// The new keys are in place.
    Applied,
    /// They were in place already.
    Unchanged,
}

fn active(keys: &[Arc<RingKey>], now: u64) -> Option<Arc<RingKey>> {
    newest(keys, now).map(Arc::clone)
}

fn newest(keys: &[Arc<RingKey>], now: u64) -> Option<&Arc<RingKey>> {
    keys.iter().filter(|key| key.is_active(now)).max_by_key(|key| key.not_before)
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
    /// Another key for an id.
    #[error(
        "the key pair id {id} had another public key before; CloudFront never changes the key of an id, so \
         give the new pair its own id (or restart, where the old one was wrong)"
    )]
    OtherKey {
        /// The id.
        id: KeyPairId,
    },
    /// Nothing to sign with.
    #[error("no key pair would be active now")]
    NoneActive,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudfront::{NewKey, NonceMode};

    const NOW: u64 = 1_000;

    fn pem() -> String {
        PrivateKey::generate(NewKey::EcdsaP256).unwrap().1.to_string()
    }

    fn key(id: &str, pem: &str, not_before: u64, retire_at: Option<u64>) -> RingKey {
        let private = PrivateKey::from_pem(pem.as_bytes(), NonceMode::Deterministic).unwrap();
        RingKey {
            id: KeyPairId::new(id).unwrap(),
            public: private.public_key(),
            hash: private.default_hash(),
            private,
            not_before,
            retire_at,
        }
    }

    fn signer(ring: &KeyRing, now: u64) -> Option<String> {
        ring.active(now).map(|key| key.id.as_str().to_owned())
    }

    #[test]
    fn the_newest_active_key_signs_wherever_it_stands() {
        let ring = KeyRing::new(vec![
            key("KNEW", &pem(), 500, None),
            key("KOLD", &pem(), 0, Some(900)),
            key("KNEXT", &pem(), 700, Some(800)),
        ])
        .unwrap();
        for (now, id) in
            [(0, "KOLD"), (499, "KOLD"), (500, "KNEW"), (699, "KNEW"), (700, "KNEXT"), (799, "KNEXT")]
        {
            assert_eq!(signer(&ring, now).as_deref(), Some(id), "at {now}");
        }
        assert_eq!(signer(&ring, 800).as_deref(), Some("KNEW"), "the newest that is left");
        assert_eq!(ring.keys().len(), 3, "the key group holds all, retired or not");
        assert_eq!(ring.dark_from(0), None);
    }

    #[test]
    fn a_time_without_any_key_is_known_before_it_comes() {
        let ring = |first_end, second_start| {
            let keys = vec![
                key("KA", &pem(), 0, Some(first_end)),
                key("KB", &pem(), second_start, Some(9_000)),
                key("KC", &pem(), 8_000, None),
            ];
            KeyRing::new(keys).unwrap().dark_from(NOW)
        };
        assert_eq!(ring(2_000, 2_000), None);
        assert_eq!(ring(2_000, 2_001), Some(2_000));
        assert_eq!(ring(500, 2_000), Some(NOW), "now already");
    }

    #[test]
    fn a_ring_is_replaced_as_a_whole_or_not_at_all() {
        let (a, b) = (pem(), pem());
        let ring = KeyRing::new(vec![key("KA", &a, 0, None)]).unwrap();
        assert_eq!(ring.replace(vec![key("KA", &a, 0, None)], NOW), Ok(Replaced::Unchanged));
        assert_eq!(ring.replace(Vec::new(), NOW), Err(RingError::Empty));
        let id = KeyPairId::new("KB").unwrap();
        let twice = vec![key("KB", &a, 0, None), key("KB", &b, 0, None)];
        assert_eq!(ring.replace(twice, NOW), Err(RingError::Twice { id }));
        let later = vec![key("KB", &b, NOW + 1, None)];
        assert_eq!(ring.replace(later, NOW), Err(RingError::NoneActive));
        assert_eq!(signer(&ring, NOW).as_deref(), Some("KA"));

        let both = || vec![key("KA", &a, 0, None), key("KB", &b, NOW, None)];
        assert_eq!(ring.replace(both(), NOW), Ok(Replaced::Applied));
        assert_eq!(signer(&ring, NOW).as_deref(), Some("KB"));
        assert_eq!(ring.replace(both(), NOW), Ok(Replaced::Unchanged));
        let retired = vec![key("KA", &a, 0, Some(NOW)), key("KB", &b, NOW, None)];
        assert_eq!(ring.replace(retired, NOW), Ok(Replaced::Applied));
    }

    #[test]
    fn an_id_never_gets_another_key_not_even_after_an_absence() {
        let (a, b) = (pem(), pem());
        let ring = KeyRing::new(vec![key("KA", &a, 0, None)]).unwrap();
        let refused = Err(RingError::OtherKey { id: KeyPairId::new("KA").unwrap() });
        assert_eq!(ring.replace(vec![key("KA", &b, 0, None)], NOW), refused);
        ring.replace(vec![key("KB", &b, 0, None)], NOW).unwrap();
        assert_eq!(ring.replace(vec![key("KA", &pem(), 0, None)], NOW), refused);
        assert_eq!(ring.replace(vec![key("KA", &a, 0, None)], NOW), Ok(Replaced::Applied));
    }
}
