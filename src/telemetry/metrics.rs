//! Metrics for Prometheus. Each field's help text is in [`Metrics::new`], where it is registered.
//!
//! Label values come from fixed sets: a stranger can't add series.

use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use crate::document::Reason;
use crate::http::RequestMeter;
use crate::service::ports::{AssetSource, LifecycleOutcome, LinkSource, Meter};

/// All metrics, with a registry of their own.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    seconds: HistogramVec,
    links: IntCounterVec,
    signatures: IntCounter,
    signing_failures: IntCounter,
    documents: IntCounter,
    document_bytes: IntCounter,
    sites: IntCounterVec,
    unsigned: IntCounterVec,
    token_keys: IntCounterVec,
    assets: IntCounterVec,
    lifecycle: IntCounterVec,
    lifecycle_pass: IntGauge,
}

impl Metrics {
    /// Registers everything, at zero where the labels are known.
    ///
    /// # Errors
    /// Where two metrics have one name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let build = IntGaugeVec::new(
            Opts::new("signet_build_info", "Always 1; the version is a label."),
            &["version"],
        )?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let requests = IntCounterVec::new(
            Opts::new("signet_http_requests_total", "Requests answered, by route, method and status."),
            &["route", "method", "status"],
        )?;
        let buckets =
            vec![0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
        let seconds = HistogramVec::new(
            HistogramOpts::new(
                "signet_http_request_duration_seconds",
                "Time from a request's head to its answer's head, by route.",
            )
            .buckets(buckets),
            &["route"],
        )?;
        let links = IntCounterVec::new(
            Opts::new("signet_links_total", "Grants used for links, by where the signature came from."),
            &["source"],
        )?;
        for source in ["cache", "signed"] {
            links.with_label_values(&[source]);
        }
        let signatures = IntCounter::new("signet_signatures_total", "Signatures made.")?;
        let signing_failures =
            IntCounter::new("signet_signing_failures_total", "Signatures that couldn't be made.")?;
        let documents = IntCounter::new("signet_documents_total", "Documents signed.")?;
        let document_bytes =
            IntCounter::new("signet_document_bytes_total", "Bytes of documents that came in.")?;
        let sites = IntCounterVec::new(
            Opts::new("signet_document_sites_total", "Pieces of media found in documents, by outcome."),
            &["outcome"],
        )?;
        for outcome in ["signed", "unsigned"] {
            sites.with_label_values(&[outcome]);
        }
        let unsigned = IntCounterVec::new(
            Opts::new("signet_document_unsigned_total", "Pieces of media left unsigned, by reason."),
            &["reason"],
        )?;
        for reason in Reason::ALL {
            unsigned.with_label_values(&[reason.as_str()]);
        }
        let token_keys = IntCounterVec::new(
            Opts::new(
                "signet_token_key_fetches_total",
                "Times that the issuer's keys were fetched, by outcome.",
            ),
            &["outcome"],
        )?;
        for outcome in ["fetched", "failed"] {
            token_keys.with_label_values(&[outcome]);
        }
        let assets = IntCounterVec::new(
            Opts::new(
                "signet_asset_lookups_total",
                "Assets looked up for links, by where the answer came from.",
            ),
            &["source"],
        )?;
        for source in ["cache", "store", "stale"] {
            assets.with_label_values(&[source]);
        }
        let lifecycle = IntCounterVec::new(
            Opts::new(
                "signet_lifecycle_assets_total",
                "Assets that the lifecycle worker looked at, by outcome.",
            ),
            &["outcome"],
        )?;
        for outcome in LifecycleOutcome::ALL {
            lifecycle.with_label_values(&[outcome.as_str()]);
        }
        let lifecycle_pass = IntGauge::new(
            "signet_lifecycle_last_pass_timestamp_seconds",
            "When this node last looked at everything that was due; 0 where it never had the lease.",
        )?;
        registry.register(Box::new(build))?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        registry.register(Box::new(links.clone()))?;
        registry.register(Box::new(signatures.clone()))?;
        registry.register(Box::new(signing_failures.clone()))?;
        registry.register(Box::new(documents.clone()))?;
        registry.register(Box::new(document_bytes.clone()))?;
        registry.register(Box::new(sites.clone()))?;
        registry.register(Box::new(unsigned.clone()))?;
        registry.register(Box::new(token_keys.clone()))?;
        registry.register(Box::new(assets.clone()))?;
        registry.register(Box::new(lifecycle.clone()))?;
        registry.register(Box::new(lifecycle_pass.clone()))?;
        Ok(Self {
            registry,
            requests,
            seconds,
            links,
            signatures,
            signing_failures,
            documents,
            document_bytes,
            sites,
            unsigned,
            token_keys,
            assets,
            lifecycle,
            lifecycle_pass,
        })
    }

    /// Where others register theirs.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Everything in Prometheus's text format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "metrics can't be written");
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

impl RequestMeter for Metrics {
    fn request(&self, route: &str, method: &'static str, status: u16, seconds: f64) {
        let mut digits = [0_u8; 3];
        let status = status_text(status, &mut digits);
        self.requests.with_label_values(&[route, method, status]).inc();
        self.seconds.with_label_values(&[route]).observe(seconds);
    }
}

impl Meter for Metrics {
    fn links(&self, source: LinkSource, count: usize) {
        let source = match source {
            LinkSource::Cache => "cache",
            LinkSource::Signed => "signed",
        };
        self.links.with_label_values(&[source]).inc_by(count as u64);
    }

    fn signature(&self) {
        self.signatures.inc();
    }

    fn signing_failed(&self) {
        self.signing_failures.inc();
    }

    fn document(&self, bytes: usize, found: usize, signed: usize) {
        self.documents.inc();
        self.document_bytes.inc_by(bytes as u64);
        self.sites.with_label_values(&["signed"]).inc_by(signed as u64);
        self.sites.with_label_values(&["unsigned"]).inc_by(found.saturating_sub(signed) as u64);
    }

    fn unsigned(&self, reason: &'static str) {
        self.unsigned.with_label_values(&[reason]).inc();
    }

    fn assets(&self, source: AssetSource, count: usize) {
        let source = match source {
            AssetSource::Cache => "cache",
            AssetSource::Store => "store",
            AssetSource::Stale => "stale",
        };
        self.assets.with_label_values(&[source]).inc_by(count as u64);
    }

    fn token_keys(&self, fetched: bool) {
        self.token_keys.with_label_values(&[if fetched { "fetched" } else { "failed" }]).inc();
    }

    fn lifecycle(&self, outcome: LifecycleOutcome) {
        self.lifecycle.with_label_values(&[outcome.as_str()]).inc();
    }

    fn lifecycle_pass(&self, seconds: u64) {
        self.lifecycle_pass.set(i64::try_from(seconds).unwrap_or(i64::MAX));
    }
}

fn status_text(status: u16, digits: &mut [u8; 3]) -> &str {
    let digit = |value: u16| b'0' + u8::try_from(value % 10).unwrap_or(0);
    *digits = [digit(status / 100), digit(status / 10), digit(status)];
    std::str::from_utf8(digits).unwrap_or("000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_there_from_the_start_and_count() {
        let metrics = Metrics::new().unwrap();
        let text = metrics.render();
        for family in
            ["signet_links_total{source=\"cache\"} 0", "signet_document_unsigned_total{reason=\"foreign\"} 0"]
        {
            assert!(text.contains(family), "{text}");
        }
        metrics.request("/m/{id}", "GET", 302, 0.001);
        let line = "signet_http_requests_total{method=\"GET\",route=\"/m/{id}\",status=\"302\"} 1";
        assert!(metrics.render().contains(line));
    }
}
