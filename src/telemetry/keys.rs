//! Metrics of the key ring. Their labels are key pair ids of the settings: no stranger can add series.

use prometheus::{IntCounterVec, IntGauge, IntGaugeVec};

use super::family::{Counters, Keyed, metrics};
use super::labels::labels;
use crate::cloudfront::{HashAlgorithm, KeyAlgorithm};
use crate::service::key_ring::{KeyRing, RingKey};
use crate::service::ports::words::words;

metrics! {
    /// Signatures and reloads; what the ring holds.
    pub struct KeyMetrics {
        /// Signatures made, by algorithm and key pair.
        signatures: Keyed<IntCounterVec, 2> = "signet_signatures_total";
        /// Times that the keys were read again, by outcome.
        reloads: Counters<Reload> = "signet_key_reloads_total";
        /// 1 for the key pair that signs now, 0 for the ring's others.
        active: Keyed<IntGaugeVec, 1> = "signet_key_active";
        /// From when a key pair of the ring signs, in seconds since the Unix epoch; 0 for always.
        not_before: Keyed<IntGaugeVec, 1> = "signet_key_not_before_seconds";
        /// From when a key pair of the ring signs no more, in seconds since the Unix epoch; 0 for never.
        retire_at: Keyed<IntGaugeVec, 1> = "signet_key_retire_at_seconds";
        /// For how long a key pair of the ring has been due to sign, in seconds; 0 where that isn't known.
        age: Keyed<IntGaugeVec, 1> = "signet_key_age_seconds";
        /// When no key pair of the ring will sign any more, in seconds since the Unix epoch; 0 for never.
        ring_ends: IntGauge = "signet_key_ring_ends_seconds";
    }
}

words! {
    /// What became of reading keys, or a certificate, again.
    pub enum Reload {
        /// There are others.
        Applied = "applied",
        /// They were the same.
        Unchanged = "unchanged",
        /// The new ones can't be used; the old ones stay.
        Refused = "refused",
    }
}

labels! {
    Reload = "outcome",
}

impl KeyMetrics {
    /// The keys were read again.
    pub fn reloaded(&self, outcome: Reload) {
        self.reloads[outcome].inc();
    }

    /// A key has signed.
    pub(super) fn signed(&self, key: &RingKey) {
        self.signatures.of(algorithm(key), key.id.as_str()).inc();
    }

    /// Looks at the ring: a key becomes active by time alone. `now` is in seconds since the Unix epoch.
    pub(super) fn look(&self, ring: &KeyRing, now: u64) {
        // A key that has left the ring leaves no gauge behind.
        for family in [&self.active, &self.not_before, &self.retire_at, &self.age] {
            family.clear();
        }
        let signs = ring.active(now);
        for key in ring.keys() {
            let id = key.id.as_str();
            let active = signs.as_ref().is_some_and(|signs| signs.id == key.id);
            self.active.of(id).set(i64::from(active));
            self.not_before.of(id).set(whole(key.not_before));
            self.retire_at.of(id).set(whole(key.retire_at.unwrap_or(0)));
            let known = key.not_before > 0;
            self.age.of(id).set(if known { whole(now.saturating_sub(key.not_before)) } else { 0 });
            // It is there before the first signature.
            self.signatures.of(algorithm(&key), id);
        }
        self.ring_ends.set(whole(ring.dark_from(now).unwrap_or(0)));
    }
}

fn algorithm(key: &RingKey) -> &'static str {
    match (key.private.algorithm(), key.hash) {
        (KeyAlgorithm::Rsa { .. }, HashAlgorithm::Sha1) => "rsa-sha1",
        (KeyAlgorithm::Rsa { .. }, HashAlgorithm::Sha256) => "rsa-sha256",
        (KeyAlgorithm::EcdsaP256, _) => "ecdsa-sha256",
    }
}

fn whole(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}
