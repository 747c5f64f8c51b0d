//! Metrics of the listener's certificate.

use prometheus::IntGauge;

use super::family::{Counters, metrics};
use super::keys::Reload;

metrics! {
    /// Counts reloads, and knows the end of the certificate.
    pub struct TlsMetrics {
        /// When the certificate of the API's listener ends, in seconds since the Unix epoch; 0 without TLS.
        not_after: IntGauge = "signet_tls_certificate_not_after_seconds";
        /// Times that the certificate was read again, by outcome.
        reloads: Counters<Reload> = "signet_tls_reloads_total";
    }
}

impl TlsMetrics {
    /// Clients are shown a certificate that ends then, in seconds since the Unix epoch.
    pub fn shows(&self, not_after: u64) {
        self.not_after.set(i64::try_from(not_after).unwrap_or(i64::MAX));
    }

    /// The certificate was read again.
    pub fn reloaded(&self, outcome: Reload) {
        self.reloads[outcome].inc();
    }
}
