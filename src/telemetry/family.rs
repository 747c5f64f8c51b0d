//! Families of metrics, declared where they are used: a line of `metrics!` each.
//!
//! ```text
//! metrics! {
//!     /// What is counted of documents.
//!     pub struct Documents {
//!         /// Documents by how the work on them ended.
//!         ended: Counters<DocumentOutcome> = "signet_documents_total";
//!         /// Time that a document takes, by how it ended.
//!         seconds: Histograms<DocumentOutcome> = "signet_document_duration_seconds", buckets REQUEST_SECONDS;
//!     }
//! }
//! ```
//!
//! The doc comment is the help text. A family with labels has a series for each of their values from its start,
//! and finds it by an index: nothing is hashed or locked where something is counted, and nobody can add a series.
//! [`Keyed`] families alone have a label whose values come from the settings.

use std::marker::PhantomData;
use std::ops::Index;

use prometheus::core::Collector;
use prometheus::{
    Counter, Error, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry,
};

/// Declares a struct of families, with `register`.
macro_rules! metrics {
    ($(#[$outer:meta])* $vis:vis struct $name:ident {
        $($(#[doc = $help:literal])+ $field:ident: $kind:ty = $metric:literal $(, buckets $buckets:expr)?;)+
    }) => {
        $(#[$outer])*
        #[derive(Clone)]
        $vis struct $name {
            $($(#[doc = $help])+ pub(in crate::telemetry) $field: $kind,)+
        }

        impl $name {
            /// Registers all of them, at zero.
            ///
            /// # Errors
            /// Where a name is taken, or can't be.
            pub fn register(registry: &prometheus::Registry) -> Result<Self, prometheus::Error> {
                Ok(Self {
                    $($field: <$kind as $crate::telemetry::family::Family>::register(
                        registry,
                        &$crate::telemetry::family::Terms {
                            name: $metric,
                            help: concat!($($help),+).trim_ascii(),
                            buckets: [$(&$buckets as &[f64],)? &[]][0],
                        },
                    )?,)+
                })
            }
        }
    };
}

pub(super) use metrics;

/// Bounds of times of answers, in seconds: a redirect takes tens of microseconds, a document milliseconds.
pub const REQUEST_SECONDS: [f64; 17] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    30.0,
];
/// Bounds of times of operations and waits, in seconds.
pub const STEP_SECONDS: [f64; 11] = [0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0];

/// What a family is called and says of itself.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Its name.
    pub name: &'static str,
    /// Its help text.
    pub help: &'static str,
    /// The upper bounds of a histogram's buckets.
    pub buckets: &'static [f64],
}

impl Terms {
    fn opts(&self) -> Opts {
        Opts::new(self.name, self.help)
    }

    fn histogram(&self) -> HistogramOpts {
        HistogramOpts::new(self.name, self.help).buckets(self.buckets.to_vec())
    }
}

/// A family of metrics.
pub trait Family: Sized {
    /// Registers it, at zero.
    ///
    /// # Errors
    /// Where its name is taken, or can't be.
    fn register(registry: &Registry, terms: &Terms) -> Result<Self, Error>;
}

/// One word of a bounded set, as a label has it.
pub trait Label: Copy + 'static {
    /// The label.
    const NAME: &'static str;
    /// All its values.
    const ALL: &'static [Self];
    /// The value.
    fn value(self) -> &'static str;
    /// The value's place in [`Label::ALL`].
    fn index(self) -> usize;
}

/// A label, or two of them.
pub trait Labels: Copy + 'static {
    /// The labels.
    fn names() -> Vec<&'static str>;
    /// All combinations of their values, in the order of their index.
    fn all() -> Vec<Self>;
    /// The values of one combination.
    fn values(self) -> Vec<&'static str>;
    /// Its place among all.
    fn index(self) -> usize;
}

impl<A: Label> Labels for A {
    fn names() -> Vec<&'static str> {
        vec![A::NAME]
    }

    fn all() -> Vec<Self> {
        A::ALL.to_vec()
    }

    fn values(self) -> Vec<&'static str> {
        vec![self.value()]
    }

    fn index(self) -> usize {
        Label::index(self)
    }
}

impl<A: Label, B: Label> Labels for (A, B) {
    fn names() -> Vec<&'static str> {
        vec![A::NAME, B::NAME]
    }

    fn all() -> Vec<Self> {
        A::ALL.iter().flat_map(|a| B::ALL.iter().map(|b| (*a, *b))).collect()
    }

    fn values(self) -> Vec<&'static str> {
        vec![self.0.value(), self.1.value()]
    }

    fn index(self) -> usize {
        self.0.index() * B::ALL.len() + self.1.index()
    }
}

/// A series for each value of labels.
pub struct Series<L, M> {
    all: Box<[M]>,
    labels: PhantomData<fn(L)>,
}

/// Counters by labels.
pub type Counters<L> = Series<L, IntCounter>;
/// Gauges by labels.
pub type Gauges<L> = Series<L, IntGauge>;
/// Histograms by labels.
pub type Histograms<L> = Series<L, Histogram>;

impl<L: Labels, M> Series<L, M> {
    fn of(mut series: impl FnMut(&[&'static str]) -> M) -> Self {
        let all = L::all().into_iter().map(|labels| series(&labels.values())).collect();
        Self { all, labels: PhantomData }
    }
}

impl<L, M: Clone> Clone for Series<L, M> {
    fn clone(&self) -> Self {
        Self { all: self.all.clone(), labels: PhantomData }
    }
}

impl<L: Labels, M> Index<L> for Series<L, M> {
    type Output = M;

    fn index(&self, labels: L) -> &M {
        &self.all[labels.index()]
    }
}

/// A family with labels whose values come from the settings, such as key pair ids.
#[derive(Clone)]
pub struct Keyed<V, const LABELS: usize> {
    family: V,
}

/// The labels of families by key pair.
const KEY: &str = "key_pair_id";

impl Keyed<IntGaugeVec, 1> {
    /// The gauge of a key pair.
    pub fn of(&self, id: &str) -> IntGauge {
        self.family.with_label_values(&[id])
    }

    /// Forgets all.
    pub fn clear(&self) {
        self.family.reset();
    }
}

impl Keyed<IntCounterVec, 2> {
    /// The counter of a key pair and its algorithm.
    pub fn of(&self, algorithm: &str, id: &str) -> IntCounter {
        self.family.with_label_values(&[algorithm, id])
    }
}

impl Family for Keyed<IntGaugeVec, 1> {
    fn register(registry: &Registry, terms: &Terms) -> Result<Self, Error> {
        Ok(Self { family: put(registry, IntGaugeVec::new(terms.opts(), &[KEY])?)? })
    }
}

impl Family for Keyed<IntCounterVec, 2> {
    fn register(registry: &Registry, terms: &Terms) -> Result<Self, Error> {
        Ok(Self { family: put(registry, IntCounterVec::new(terms.opts(), &["algorithm", KEY])?)? })
    }
}

impl<L: Labels> Family for Counters<L> {
    fn register(registry: &Registry, terms: &Terms) -> Result<Self, Error> {
        let family = put(registry, IntCounterVec::new(terms.opts(), &L::names())?)?;
        Ok(Self::of(|values| family.with_label_values(values)))
    }
}

impl<L: Labels> Family for Gauges<L> {
    fn register(registry: &Registry, terms: &Terms) -> Result<Self, Error> {
        let family = put(registry, IntGaugeVec::new(terms.opts(), &L::names())?)?;
        Ok(Self::of(|values| family.with_label_values(values)))
    }
}

impl<L: Labels> Family for Histograms<L> {
    fn register(registry: &Registry, terms: &Terms) -> Result<Self, Error> {
        let family = put(registry, HistogramVec::new(terms.histogram(), &L::names())?)?;
        Ok(Self::of(|values| family.with_label_values(values)))
    }
}

impl Family for IntCounter {
    fn register(registry: &Registry, terms: &Terms) -> Result<Self, Error> {
        put(registry, Self::with_opts(terms.opts())?)
    }
}

impl Family for IntGauge {
    fn register(registry: &Registry, terms: &Terms) -> Result<Self, Error> {
        put(registry, Self::with_opts(terms.opts())?)
    }
}

impl Family for Counter {
    fn register(registry: &Registry, terms: &Terms) -> Result<Self, Error> {
        put(registry, Self::with_opts(terms.opts())?)
    }
}

impl Family for Histogram {
    fn register(registry: &Registry, terms: &Terms) -> Result<Self, Error> {
        put(registry, Self::with_opts(terms.histogram())?)
    }
}

fn put<C: Collector + Clone + 'static>(registry: &Registry, family: C) -> Result<C, Error> {
    registry.register(Box::new(family.clone()))?;
    Ok(family)
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;

    use super::*;
    use crate::service::ports::{LinkSource, StoreOutcome};

    metrics! {
        /// Families of this test.
        struct Some {
            /// What is counted,
            /// in two lines.
            pairs: Counters<(LinkSource, StoreOutcome)> = "pairs_total";
            /// How long it takes.
            times: Histograms<LinkSource> = "times_seconds", buckets [1.0, 2.0];
        }
    }

    #[test]
    fn a_family_is_there_with_all_its_series_and_its_doc_comment_as_help() {
        let registry = Registry::new();
        let some = Some::register(&registry).unwrap();
        some.pairs[(LinkSource::Signed, StoreOutcome::Corrupt)].inc();
        some.times[LinkSource::Cache].observe(1.5);
        let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        assert!(text.contains("# HELP pairs_total What is counted, in two lines.\n"), "{text}");
        assert!(text.contains("pairs_total{outcome=\"corrupt\",source=\"signed\"} 1\n"), "{text}");
        assert_eq!(text.matches("\npairs_total{").count(), LinkSource::ALL.len() * StoreOutcome::ALL.len());
        assert!(text.contains("times_seconds_bucket{source=\"cache\",le=\"2\"} 1\n"), "{text}");
        assert!(text.contains("times_seconds_count{source=\"signed\"} 0\n"), "{text}");
    }

    #[test]
    fn a_name_stands_for_one_family() {
        let registry = Registry::new();
        Some::register(&registry).unwrap();
        assert!(Some::register(&registry).is_err());
    }
}
