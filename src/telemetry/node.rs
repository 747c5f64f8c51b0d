//! What is seen of the node itself: asked for whenever metrics are.

use std::time::Duration;

use prometheus::{Counter, IntCounter, IntGauge};
use tokio::runtime::RuntimeMetrics;

use super::family::{Counters, Gauges, Label, metrics};
use super::traces::passage::{Passage, SpanEnd};
use crate::service::cache_figures::CacheFigures;
use crate::service::link_cache::{CachePart, CacheWatch};

metrics! {
    /// Version, readiness, caches, the runtime, and spans on their way.
    pub struct NodeMetrics {
        /// Always 1; the version is a label.
        build: Gauges<Version> = "signet_build_info";
        /// 1 while this node wants requests, 0 while it starts and drains.
        ready: IntGauge = "signet_ready";
        /// Entries of the link cache, by what they are: signatures, or links that are ready, of files in documents and
        /// of assets.
        cache_entries: Gauges<CachePart> = "signet_link_cache_entries";
        /// Bytes that the entries of the link cache weigh.
        cache_bytes: Gauges<CachePart> = "signet_link_cache_bytes";
        /// Bytes that the entries of the link cache may weigh.
        cache_max_bytes: Gauges<CachePart> = "signet_link_cache_max_bytes";
        /// Entries that left the link cache for want of room.
        cache_evictions: Counters<CachePart> = "signet_link_cache_evictions_total";
        /// Threads of the runtimes that serve: those of connections, and those that work on requests.
        workers: IntGauge = "signet_runtime_workers";
        /// Tasks of these runtimes that live: connections, requests and what goes on beside them.
        tasks: IntGauge = "signet_runtime_tasks";
        /// Tasks that wait for any of a runtime's threads.
        queue_length: IntGauge = "signet_runtime_queue_length";
        /// Time that these threads have been busy.
        busy_seconds: Counter = "signet_runtime_busy_seconds_total";
        /// Spans of traces by what became of them: sent, or thrown away. None are made without a collector.
        spans: Counters<SpanEnd> = "signet_spans_total";
    }
}

/// The version, as a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version;

impl Label for Version {
    const NAME: &'static str = "version";
    const ALL: &'static [Self] = &[Self];

    fn value(self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    fn index(self) -> usize {
        0
    }
}

impl NodeMetrics {
    /// Says what never changes.
    pub(super) fn begin(&self) {
        self.build[Version].set(1);
    }

    /// Looks at the link cache.
    pub(super) fn look_at_cache(&self, cache: &CacheWatch) {
        for part in CachePart::ALL {
            let CacheFigures { entries, bytes, max_bytes, evictions } = cache.figures(*part);
            self.cache_entries[*part].set(whole(entries));
            self.cache_bytes[*part].set(whole(bytes));
            self.cache_max_bytes[*part].set(whole(max_bytes));
            grow(&self.cache_evictions[*part], evictions);
        }
    }

    /// Looks at what has become of spans.
    pub(super) fn look_at_spans(&self, passage: &Passage) {
        for end in SpanEnd::ALL {
            grow(&self.spans[*end], passage.ended(*end));
        }
    }

    /// Looks at the runtimes.
    pub(super) fn look_at_runtimes(&self, runtimes: &[RuntimeMetrics]) {
        let sum =
            |count: fn(&RuntimeMetrics) -> usize| whole(runtimes.iter().map(count).sum::<usize>() as u64);
        self.workers.set(sum(RuntimeMetrics::num_workers));
        self.tasks.set(sum(RuntimeMetrics::num_alive_tasks));
        self.queue_length.set(sum(RuntimeMetrics::global_queue_depth));
        let busy = |runtime: &RuntimeMetrics| -> Duration {
            (0..runtime.num_workers()).map(|worker| runtime.worker_total_busy_duration(worker)).sum()
        };
        let busy = runtimes.iter().map(busy).sum::<Duration>().as_secs_f64();
        self.busy_seconds.inc_by((busy - self.busy_seconds.get()).max(0.0));
    }
}

/// Sets a counter to what is counted elsewhere.
fn grow(counter: &IntCounter, total: u64) {
    counter.inc_by(total.saturating_sub(counter.get()));
}

fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
