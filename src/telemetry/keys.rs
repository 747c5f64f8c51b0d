//! Metrics of the key ring. Labels are key pair ids of the settings: no stranger can add series.

use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};

use crate::service::key_ring::KeyRing;
use crate::service::ports::Clock;

/// What became of reading keys, or a certificate, again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// There are others now.
    Applied,
    /// They were the same.
    Unchanged,
    /// The new ones can't be used; the old ones stay.
    Refused,
}

/// Counts reloads. The gauges look at the ring whenever metrics are asked for, as a key becomes active
/// by time alone.
#[derive(Clone)]
pub struct KeyMetrics {
    reloads: IntCounterVec,
}

impl KeyMetrics {
    /// Registers the metrics of a ring.
    ///
    /// # Errors
    /// Where the names are taken.
    pub fn register(
        registry: &Registry,
        ring: Arc<KeyRing>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, prometheus::Error> {
        let reloads = IntCounterVec::new(
            Opts::new("signet_key_reloads_total", "Times that the keys were read again, by outcome."),
            &["outcome"],
        )?;
        for outcome in Reload::ALL {
            reloads.with_label_values(&[outcome.as_str()]);
        }
        registry.register(Box::new(reloads.clone()))?;
        let gauges = Gauges::new()?;
        let descriptions = gauges.families().iter().flat_map(|family| family.desc()).cloned().collect();
        registry.register(Box::new(RingCollector { ring, clock, descriptions }))?;
        Ok(Self { reloads })
    }

    /// The keys were read again.
    pub fn reloaded(&self, outcome: Reload) {
        self.reloads.with_label_values(&[outcome.as_str()]).inc();
    }
}

impl Reload {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Applied, Self::Unchanged, Self::Refused];

    /// Its label.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::Refused => "refused",
        }
    }
}

struct RingCollector {
    ring: Arc<KeyRing>,
    clock: Arc<dyn Clock>,
    descriptions: Vec<Desc>,
}

impl Collector for RingCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // Made anew each time, so that a key that has left the ring leaves no series behind.
        let Ok(gauges) = Gauges::new() else { return Vec::new() };
        let now = self.clock.now().seconds();
        let signs = self.ring.active(now);
        for key in self.ring.keys() {
            let id = &[key.id.as_str()];
            let active = signs.as_ref().is_some_and(|signs| signs.id == key.id);
            gauges.active.with_label_values(id).set(i64::from(active));
            gauges.not_before.with_label_values(id).set(i64::try_from(key.not_before).unwrap_or(i64::MAX));
        }
        gauges.families().iter().flat_map(|family| family.collect()).collect()
    }
}

struct Gauges {
    active: IntGaugeVec,
    not_before: IntGaugeVec,
}

impl Gauges {
    fn new() -> Result<Self, prometheus::Error> {
        let gauge = |name, help| IntGaugeVec::new(Opts::new(name, help), &["key_pair_id"]);
        Ok(Self {
            active: gauge(
                "signet_key_active",
                "1 for the key pair that signs now, 0 for the ring's others.",
            )?,
            not_before: gauge(
                "signet_key_not_before_seconds",
                "From when a key pair of the ring signs, in seconds since the Unix epoch; 0 for always.",
            )?,
        })
    }

    fn families(&self) -> [&IntGaugeVec; 2] {
        [&self.active, &self.not_before]
    }
}
