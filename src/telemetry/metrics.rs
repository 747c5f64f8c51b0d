//! All metrics, in a registry of their own, and their text for Prometheus.
//!
//! Each family is declared by one line: [`services`](super::services), [`stores`](super::stores),
//! [`keys`](super::keys), [`node`](super::node), [`requests`](super::requests). All are there from the first scrape, in
//! every mode.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus::process_collector::ProcessCollector;
use prometheus::{Error, Registry, TextEncoder};
use serde_json::Value;
use tokio::runtime::RuntimeMetrics;

use super::keys::KeyMetrics;
use super::node::NodeMetrics;
use super::requests::Requests;
use super::services::ServiceMetrics;
use super::stores::StoreMetrics;
use super::traces::passage::Passage;
use crate::http::Readiness;
use crate::service::key_ring::KeyRing;
use crate::service::link_cache::CacheWatch;
use crate::service::ports::Clock;

/// All metrics. It is what services and stores count by.
pub struct Metrics {
    registry: Registry,
    services: ServiceMetrics,
    stores: StoreMetrics,
    keys: KeyMetrics,
    node: NodeMetrics,
    /// What is looked at whenever metrics are asked for.
    looks: Mutex<Vec<Look>>,
}

type Look = Box<dyn Fn() + Send>;

impl Metrics {
    /// Registers everything but requests, at zero.
    ///
    /// # Errors
    /// Where two metrics have one name.
    pub fn new() -> Result<Self, Error> {
        let registry = Registry::new();
        registry.register(Box::new(ProcessCollector::for_self()))?;
        let this = Self {
            services: ServiceMetrics::register(&registry)?,
            stores: StoreMetrics::register(&registry)?,
            keys: KeyMetrics::register(&registry)?,
            node: NodeMetrics::register(&registry)?,
            looks: Mutex::default(),
            registry,
        };
        this.node.begin();
        Ok(this)
    }

    /// Registers what is counted of requests; `description` is the API's.
    ///
    /// # Errors
    /// Where that was done before.
    pub fn requests(&self, description: &Value) -> Result<Requests, Error> {
        Requests::register(&self.registry, description, self.services.limits.clone())
    }

    /// Looks at a key ring whenever metrics are asked for.
    pub fn watch_keys(&self, ring: Arc<KeyRing>, clock: Arc<dyn Clock>) {
        let keys = self.keys.clone();
        self.watch(move || keys.look(&ring, clock.now().seconds()));
    }

    /// Looks at the link cache whenever metrics are asked for.
    pub fn watch_links(&self, cache: CacheWatch) {
        let node = self.node.clone();
        self.watch(move || node.look_at_cache(&cache));
    }

    /// Looks whether this node wants requests whenever metrics are asked for.
    pub fn watch_readiness(&self, readiness: Readiness) {
        let ready = self.node.ready.clone();
        self.watch(move || ready.set(i64::from(readiness.is_ready())));
    }

    /// Looks at the runtimes that serve whenever metrics are asked for.
    pub fn watch_runtimes(&self, runtimes: Vec<RuntimeMetrics>) {
        let node = self.node.clone();
        self.watch(move || node.look_at_runtimes(&runtimes));
    }

    /// Looks at what has become of spans whenever metrics are asked for.
    pub fn watch_spans(&self, passage: Arc<Passage>) {
        let node = self.node.clone();
        self.watch(move || node.look_at_spans(&passage));
    }

    /// Does something whenever metrics are asked for, before they are gathered: it may set gauges.
    pub fn watch(&self, look: impl Fn() + Send + 'static) {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(look));
    }

    /// What is counted of the key ring.
    #[must_use]
    pub fn keys(&self) -> &KeyMetrics {
        &self.keys
    }

    pub(super) fn services(&self) -> &ServiceMetrics {
        &self.services
    }

    pub(super) fn stores(&self) -> &StoreMetrics {
        &self.stores
    }

    /// Where others register theirs.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Everything in Prometheus's text format.
    #[must_use]
    pub fn render(&self) -> String {
        let families = {
            // One scrape at a time: nobody sees gauges that are being set.
            let looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
            looks.iter().for_each(|look| look());
            self.registry.gather()
        };
        TextEncoder::new().encode_to_string(&families).unwrap_or_else(|error| {
            tracing::error!(%error, "metrics can't be written");
            String::new()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_there_from_the_start() {
        let text = Metrics::new().unwrap().render();
        for line in [
            "signet_links_total{source=\"cache\"} 0\n",
            "signet_document_unsigned_total{reason=\"foreign\"} 0\n",
            "signet_limits_hit_total{limit=\"body_bytes\"} 0\n",
            "process_start_time_seconds ",
        ] {
            assert!(text.contains(line), "{line} isn't in {text}");
        }
    }

    #[test]
    fn what_is_watched_is_looked_at_with_each_scrape() {
        let metrics = Metrics::new().unwrap();
        let readiness = Readiness::new();
        metrics.watch_readiness(readiness.clone());
        assert!(metrics.render().contains("\nsignet_ready 0\n"));
        readiness.set(true);
        assert!(metrics.render().contains("\nsignet_ready 1\n"));
    }
}
