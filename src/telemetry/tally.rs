//! Counters that each thread has for itself, for what is counted with every request: where cores count in one place,
//! taking turns at it costs more than all the rest of counting. What threads have counted is put together whenever
//! somebody looks.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Error, IntCounter, IntCounterVec, Opts, Registry};
use thread_local::ThreadLocal;

use super::family::{Family, Labels, Terms};

/// Counters by labels, as [`super::family::Counters`].
pub struct Tallies<L> {
    threads: Arc<ThreadLocal<Tally>>,
    labels: PhantomData<fn(L)>,
}

/// What one thread has counted since somebody looked.
pub(super) struct Tally(Box<[AtomicU64]>);

impl Tally {
    /// Nothing, of so many things.
    pub(super) fn new(things: usize) -> Self {
        Self((0..things).map(|_| AtomicU64::new(0)).collect())
    }

    pub(super) fn add(&self, thing: usize, count: u64) {
        self.0[thing].fetch_add(count, Ordering::Relaxed);
    }

    /// Takes what there is: things and how many.
    pub(super) fn pour(&self) -> impl Iterator<Item = (usize, u64)> {
        let counted = self.0.iter().map(|count| count.swap(0, Ordering::Relaxed));
        counted.enumerate().filter(|(_, count)| *count > 0)
    }
}

impl<L: Labels> Tallies<L> {
    /// Counts.
    pub fn add(&self, labels: L, count: u64) {
        self.threads.get_or(|| Tally::new(L::all().len())).add(labels.index(), count);
    }
}

impl<L> Clone for Tallies<L> {
    fn clone(&self) -> Self {
        Self { threads: Arc::clone(&self.threads), labels: PhantomData }
    }
}

impl<L: Labels> Family for Tallies<L> {
    fn register(registry: &Registry, terms: &Terms) -> Result<Self, Error> {
        let family = IntCounterVec::new(Opts::new(terms.name, terms.help), &L::names())?;
        let series = L::all().into_iter().map(|labels| family.with_label_values(&labels.values())).collect();
        let threads = Arc::<ThreadLocal<Tally>>::default();
        registry.register(Box::new(Whole { family, series, threads: Arc::clone(&threads) }))?;
        Ok(Self { threads, labels: PhantomData })
    }
}

/// The family, as it is looked at.
struct Whole {
    family: IntCounterVec,
    series: Vec<IntCounter>,
    threads: Arc<ThreadLocal<Tally>>,
}

impl Collector for Whole {
    fn desc(&self) -> Vec<&Desc> {
        self.family.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        for (thing, count) in self.threads.iter().flat_map(Tally::pour) {
            self.series[thing].inc_by(count);
        }
        self.family.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use prometheus::TextEncoder;

    use super::*;
    use crate::service::ports::LinkSource;

    #[test]
    fn what_threads_count_is_there_together_whenever_somebody_looks() {
        let registry = Registry::new();
        let terms = Terms { name: "links_total", help: "Links.", buckets: &[] };
        let links = Tallies::register(&registry, &terms).unwrap();
        let text = || TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        assert!(text().contains("links_total{source=\"signed\"} 0\n"), "{}", text());
        for round in 1..=2 {
            thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| (0..1_000).for_each(|_| links.add(LinkSource::Cache, 2)));
                }
            });
            links.add(LinkSource::Signed, 1);
            let cached = format!("links_total{{source=\"cache\"}} {}\n", round * 8_000);
            let signed = format!("links_total{{source=\"signed\"}} {round}\n");
            assert!(text().contains(&cached) && text().contains(&signed), "{}", text());
        }
    }
}
