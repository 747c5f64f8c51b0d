//! Metrics of the listener's certificate.

use prometheus::{IntCounterVec, IntGauge, Opts, Registry};

use super::keys::Reload;

/// Counts reloads, and knows the end of the certificate.
#[derive(Clone)]
pub struct TlsMetrics {
    not_after: IntGauge,
    reloads: IntCounterVec,
}

impl TlsMetrics {
    /// Registers everything, at zero.
    ///
    /// # Errors
    /// Where the names are taken.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let not_after = IntGauge::new(
            "signet_tls_certificate_not_after_seconds",
            "When the certificate of the API's listener ends, in seconds since the Unix epoch; 0 without TLS.",
        )?;
        let reloads = IntCounterVec::new(
            Opts::new("signet_tls_reloads_total", "Times that the certificate was read again, by outcome."),
            &["outcome"],
        )?;
        for outcome in Reload::ALL {
            reloads.with_label_values(&[outcome.as_str()]);
        }
        registry.register(Box::new(not_after.clone()))?;
        registry.register(Box::new(reloads.clone()))?;
        Ok(Self { not_after, reloads })
    }

    /// Clients are shown a certificate that ends then, in seconds since the Unix epoch.
    pub fn shows(&self, not_after: u64) {
        self.not_after.set(i64::try_from(not_after).unwrap_or(i64::MAX));
    }

    /// The certificate was read again.
    pub fn reloaded(&self, outcome: Reload) {
        self.reloads.with_label_values(&[outcome.as_str()]).inc();
    }
}
