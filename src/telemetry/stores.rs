//! What is counted of the stores.

use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntGauge};

use super::family::{Counters, Histograms, STEP_SECONDS, metrics};
use super::metrics::Metrics;
use crate::service::ports::{
    CheckoutEnd, ConnectionEnd, ObjectOperation, StoreMeter, StoreOperation, StoreOutcome,
};

metrics! {
    /// Operations of all stores; pool, servers and changes of one that is reached over a network.
    pub struct StoreMetrics {
        /// Operations of the store of assets, tenants and leases, by operation and outcome.
        operations: Counters<(StoreOperation, StoreOutcome)> = "signet_store_operations_total";
        /// Time that operations of the store took, by operation.
        seconds: Histograms<StoreOperation> = "signet_store_operation_duration_seconds", buckets STEP_SECONDS;
        /// Operations of the object store (S3 or local files), by operation and outcome.
        objects: Counters<(ObjectOperation, StoreOutcome)> = "signet_object_operations_total";
        /// Time that operations of the object store took, by operation; of a get until its body begins.
        object_seconds: Histograms<ObjectOperation> = "signet_object_operation_duration_seconds", buckets STEP_SECONDS;
        /// Connections of the pool to the store that are open or being made.
        connections: IntGauge = "signet_store_connections";
        /// Connections begun.
        opened: IntCounter = "signet_store_connections_opened_total";
        /// Connections closed, by reason.
        closed: Counters<ConnectionEnd> = "signet_store_connections_closed_total";
        /// Time until the pool gave a connection or failed, by outcome.
        checkouts: Histograms<CheckoutEnd> = "signet_store_checkout_duration_seconds", buckets STEP_SECONDS;
        /// Times that all connections to a server were thrown away.
        cleared: IntCounter = "signet_store_pool_clears_total";
        /// Time that operations waited for their turn to use a connection.
        waits: Histogram = "signet_store_wait_duration_seconds", buckets STEP_SECONDS;
        /// Operations refused because no connection became free in time.
        refused: IntCounter = "signet_store_wait_timeouts_total";
        /// 1 while there is a server that can be written to, else 0. The embedded store always is.
        writable: IntGauge = "signet_store_writable";
        /// Operations that failed because no server could be selected in time.
        no_server: IntCounter = "signet_store_selection_failures_total";
        /// Transactions tried again because they met another one.
        retried: IntCounter = "signet_store_transaction_retries_total";
        /// 1 while changes are heard of as they are made, else 0: then caches are fresh by time alone. All changes
        /// of the embedded store are this node's own.
        feed: IntGauge = "signet_store_feed_connected";
        /// Changes heard of.
        changes: IntCounter = "signet_store_changes_total";
        /// Groups of the control plane that can't be served, as of the last check of all groups.
        unservable: IntGauge = "signet_tenants_unservable";
    }
}

impl StoreMeter for Metrics {
    fn operation(&self, operation: StoreOperation, outcome: StoreOutcome, after: Duration) {
        self.stores().operations[(operation, outcome)].inc();
        self.stores().seconds[operation].observe(after.as_secs_f64());
    }

    fn object_operation(&self, operation: ObjectOperation, outcome: StoreOutcome, after: Duration) {
        self.stores().objects[(operation, outcome)].inc();
        self.stores().object_seconds[operation].observe(after.as_secs_f64());
    }

    fn connection_opened(&self) {
        self.stores().opened.inc();
        self.stores().connections.inc();
    }

    fn connection_closed(&self, why: ConnectionEnd) {
        self.stores().closed[why].inc();
        self.stores().connections.dec();
    }

    fn checked_out(&self, after: Duration, end: CheckoutEnd) {
        self.stores().checkouts[end].observe(after.as_secs_f64());
    }

    fn pool_cleared(&self) {
        self.stores().cleared.inc();
    }

    fn waited(&self, time: Duration, served: bool) {
        self.stores().waits.observe(time.as_secs_f64());
        if !served {
            self.stores().refused.inc();
        }
    }

    fn server_known(&self, writable: bool) {
        self.stores().writable.set(i64::from(writable));
    }

    fn no_server(&self) {
        self.stores().no_server.inc();
    }

    fn transaction_retried(&self) {
        self.stores().retried.inc();
    }

    fn feed(&self, connected: bool) {
        self.stores().feed.set(i64::from(connected));
    }

    fn change_heard(&self) {
        self.stores().changes.inc();
    }

    fn unservable(&self, tenants: usize) {
        self.stores().unservable.set(i64::try_from(tenants).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_that_are_open_are_those_begun_and_not_closed() {
        let metrics = Metrics::new().unwrap();
        metrics.connection_opened();
        metrics.connection_opened();
        metrics.connection_closed(ConnectionEnd::Idle);
        metrics.waited(Duration::from_secs(5), false);
        assert_eq!((metrics.stores().connections.get(), metrics.stores().refused.get()), (1, 1));
    }

    #[test]
    fn an_operation_counts_by_its_outcome() {
        let metrics = Metrics::new().unwrap();
        metrics.operation(StoreOperation::Usage, StoreOutcome::Unavailable, Duration::from_millis(2));
        let text = metrics.render();
        for line in [
            "signet_store_operations_total{operation=\"usage\",outcome=\"unavailable\"} 1",
            "signet_store_operations_total{operation=\"usage\",outcome=\"done\"} 0",
            "signet_store_operation_duration_seconds_count{operation=\"usage\"} 1",
            "signet_object_operations_total{operation=\"head\",outcome=\"done\"} 0",
        ] {
            assert!(text.contains(line), "{line} isn't in {text}");
        }
    }
}
