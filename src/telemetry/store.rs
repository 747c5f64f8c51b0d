//! Metrics of a store that is reached over a network.

use std::time::Duration;

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
};

use crate::service::ports::{CheckoutEnd, ConnectionEnd, StoreMeter};

/// Counts connections, waits and changes. Made before the store, registered once there are metrics.
#[derive(Clone)]
pub struct StoreMetrics {
    connections: IntGauge,
    opened: IntCounter,
    closed: IntCounterVec,
    checkouts: HistogramVec,
    cleared: IntCounter,
    waits: Histogram,
    refused: IntCounter,
    writable: IntGauge,
    no_server: IntCounter,
    retried: IntCounter,
    feed: IntGauge,
    changes: IntCounter,
}

impl StoreMetrics {
    /// All of them, at zero.
    ///
    /// # Errors
    /// Where a name can't be.
    pub fn new() -> Result<Self, prometheus::Error> {
        let seconds = || vec![0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0];
        let metrics = Self {
            connections: IntGauge::new(
                "signet_store_connections",
                "Connections of the pool to the store that are open or being made.",
            )?,
            opened: IntCounter::new("signet_store_connections_opened_total", "Connections begun.")?,
            closed: IntCounterVec::new(
                Opts::new("signet_store_connections_closed_total", "Connections closed, by reason."),
                &["reason"],
            )?,
            checkouts: HistogramVec::new(
                HistogramOpts::new(
                    "signet_store_checkout_duration_seconds",
                    "Time until the pool gave a connection or failed, by outcome.",
                )
                .buckets(seconds()),
                &["outcome"],
            )?,
            cleared: IntCounter::new(
                "signet_store_pool_clears_total",
                "Times that all connections to a server were thrown away.",
            )?,
            waits: Histogram::with_opts(
                HistogramOpts::new(
                    "signet_store_wait_duration_seconds",
                    "Time that operations waited for their turn to use a connection.",
                )
                .buckets(seconds()),
            )?,
            refused: IntCounter::new(
                "signet_store_wait_timeouts_total",
                "Operations refused because no connection became free in time.",
            )?,
            writable: IntGauge::new(
                "signet_store_writable",
                "1 while there is a server that can be written to, else 0.",
            )?,
            no_server: IntCounter::new(
                "signet_store_selection_failures_total",
                "Operations that failed because no server could be selected in time.",
            )?,
            retried: IntCounter::new(
                "signet_store_transaction_retries_total",
                "Transactions tried again because they met another one.",
            )?,
            feed: IntGauge::new(
                "signet_store_feed_connected",
                "1 while changes are heard of as they are made, else 0: then caches are fresh by time alone.",
            )?,
            changes: IntCounter::new("signet_store_changes_total", "Changes heard of.")?,
        };
        for end in ConnectionEnd::ALL {
            metrics.closed.with_label_values(&[end.as_str()]);
        }
        for end in CheckoutEnd::ALL {
            metrics.checkouts.with_label_values(&[end.as_str()]);
        }
        Ok(metrics)
    }

    /// Registers them.
    ///
    /// # Errors
    /// Where the names are taken.
    pub fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(self.connections.clone()))?;
        registry.register(Box::new(self.opened.clone()))?;
        registry.register(Box::new(self.closed.clone()))?;
        registry.register(Box::new(self.checkouts.clone()))?;
        registry.register(Box::new(self.cleared.clone()))?;
        registry.register(Box::new(self.waits.clone()))?;
        registry.register(Box::new(self.refused.clone()))?;
        registry.register(Box::new(self.writable.clone()))?;
        registry.register(Box::new(self.no_server.clone()))?;
        registry.register(Box::new(self.retried.clone()))?;
        registry.register(Box::new(self.feed.clone()))?;
        registry.register(Box::new(self.changes.clone()))
    }
}

impl StoreMeter for StoreMetrics {
    fn connection_opened(&self) {
        self.opened.inc();
        self.connections.inc();
    }

    fn connection_closed(&self, why: ConnectionEnd) {
        self.closed.with_label_values(&[why.as_str()]).inc();
        self.connections.dec();
    }

    fn checked_out(&self, after: Duration, end: CheckoutEnd) {
        self.checkouts.with_label_values(&[end.as_str()]).observe(after.as_secs_f64());
    }

    fn pool_cleared(&self) {
        self.cleared.inc();
    }

    fn waited(&self, time: Duration, served: bool) {
        self.waits.observe(time.as_secs_f64());
        if !served {
            self.refused.inc();
        }
    }

    fn server_known(&self, writable: bool) {
        self.writable.set(i64::from(writable));
    }

    fn no_server(&self) {
        self.no_server.inc();
    }

    fn transaction_retried(&self) {
        self.retried.inc();
    }

    fn feed(&self, connected: bool) {
        self.feed.set(i64::from(connected));
    }

    fn change_heard(&self) {
        self.changes.inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_that_are_open_are_those_begun_and_not_closed() {
        let (metrics, registry) = (StoreMetrics::new().unwrap(), Registry::new());
        metrics.register(&registry).unwrap();
        metrics.connection_opened();
        metrics.connection_opened();
        metrics.connection_closed(ConnectionEnd::Idle);
        metrics.waited(Duration::from_secs(5), false);
        assert_eq!((metrics.connections.get(), metrics.refused.get()), (1, 1));
        let families = registry.gather();
        assert_eq!(families.len(), 12);
    }
}
