//! What is counted of the services.

use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntGauge};

use super::family::{Counters, Histograms, REQUEST_SECONDS, STEP_SECONDS, metrics};
use super::labels::labels;
use super::metrics::Metrics;
use super::tally::Tallies;
use crate::document::Reason;
use crate::service::key_ring::RingKey;
use crate::service::ports::words::words;
use crate::service::ports::{
    AssetSource, DocumentOutcome, LifecycleOutcome, Limit, LinkSource, Meter, TicketOutcome,
};

metrics! {
    /// Links and signatures; documents; assets, tickets and their lifecycle; limits.
    pub struct ServiceMetrics {
        /// Grants used for links, by where the signature came from.
        links: Tallies<LinkSource> = "signet_links_total";
        /// Signatures that couldn't be made.
        signing_failures: IntCounter = "signet_signing_failures_total";
        /// Jobs that wait for the signing threads now. A job is about a millisecond's work.
        queue_length: IntGauge = "signet_signing_queue_length";
        /// Time that jobs waited for the signing threads.
        queue_wait: Histogram = "signet_signing_queue_wait_seconds", buckets STEP_SECONDS;
        /// Documents, by how the work on them ended.
        documents: Counters<DocumentOutcome> = "signet_documents_total";
        /// Time that documents took, by how the work on them ended.
        document_seconds: Histograms<DocumentOutcome> = "signet_document_duration_seconds", buckets REQUEST_SECONDS;
        /// Bytes of documents that were signed, as they came in.
        document_bytes: IntCounter = "signet_document_bytes_total";
        /// Pieces of media found in documents, by outcome.
        sites: Counters<SiteOutcome> = "signet_document_sites_total";
        /// Pieces of media left unsigned, by reason.
        unsigned: Counters<Reason> = "signet_document_unsigned_total";
        /// Times that the issuer's keys were fetched, by outcome.
        token_keys: Counters<Fetch> = "signet_token_key_fetches_total";
        /// Assets looked up for links, by where the answer came from.
        assets: Tallies<AssetSource> = "signet_asset_lookups_total";
        /// Answers with assets as they were known before their store became unavailable.
        stale_answers: IntCounter = "signet_stale_answers_total";
        /// Upload tickets, by what became of them.
        tickets: Counters<TicketOutcome> = "signet_tickets_total";
        /// Assets that the lifecycle worker looked at, by outcome.
        lifecycle: Counters<LifecycleOutcome> = "signet_lifecycle_assets_total";
        /// When this node last looked at everything that was due, in seconds since the Unix epoch; 0 where it
        /// never had the lease.
        lifecycle_pass: IntGauge = "signet_lifecycle_last_pass_timestamp_seconds";
        /// Times that a limit was met, by limit.
        limits: Counters<Limit> = "signet_limits_hit_total";
    }
}

words! {
    /// Whether a piece of media was signed.
    pub enum SiteOutcome {
        /// It was.
        Signed = "signed",
        /// It wasn't.
        Unsigned = "unsigned",
    }

    /// Whether keys could be fetched.
    pub enum Fetch {
        /// They could.
        Fetched = "fetched",
        /// They couldn't.
        Failed = "failed",
    }
}

labels! {
    SiteOutcome = "outcome",
    Fetch = "outcome",
}

impl Meter for Metrics {
    fn links(&self, source: LinkSource, count: usize) {
        self.services().links.add(source, count as u64);
    }

    fn signature(&self, key: &RingKey) {
        self.keys().signed(key);
    }

    fn signing_failed(&self) {
        self.services().signing_failures.inc();
    }

    fn queued(&self) {
        self.services().queue_length.inc();
    }

    fn taken(&self, after: Duration) {
        self.services().queue_length.dec();
        self.services().queue_wait.observe(after.as_secs_f64());
    }

    fn document(&self, bytes: usize, found: usize, signed: usize) {
        let services = self.services();
        services.document_bytes.inc_by(bytes as u64);
        services.sites[SiteOutcome::Signed].inc_by(signed as u64);
        services.sites[SiteOutcome::Unsigned].inc_by(found.saturating_sub(signed) as u64);
    }

    fn document_ended(&self, outcome: DocumentOutcome, after: Duration) {
        self.services().documents[outcome].inc();
        self.services().document_seconds[outcome].observe(after.as_secs_f64());
    }

    fn unsigned(&self, reason: Reason) {
        self.services().unsigned[reason].inc();
    }

    fn assets(&self, source: AssetSource, count: usize) {
        self.services().assets.add(source, count as u64);
        if source == AssetSource::Stale {
            self.services().stale_answers.inc();
        }
    }

    fn token_keys(&self, fetched: bool) {
        self.services().token_keys[if fetched { Fetch::Fetched } else { Fetch::Failed }].inc();
    }

    fn ticket(&self, outcome: TicketOutcome) {
        self.services().tickets[outcome].inc();
    }

    fn lifecycle(&self, outcome: LifecycleOutcome) {
        self.services().lifecycle[outcome].inc();
        // The worker decides about tickets that nobody has finalized.
        match outcome {
            LifecycleOutcome::Adopted => self.ticket(TicketOutcome::Finalized),
            LifecycleOutcome::Rejected => self.ticket(TicketOutcome::Rejected),
            LifecycleOutcome::Expired => self.ticket(TicketOutcome::Expired),
            _ => {}
        }
    }

    fn lifecycle_pass(&self, seconds: u64) {
        self.services().lifecycle_pass.set(i64::try_from(seconds).unwrap_or(i64::MAX));
    }

    fn limit(&self, limit: Limit) {
        self.services().limits[limit].inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_worker_decides_of_a_ticket_counts_among_the_tickets() {
        let metrics = Metrics::new().unwrap();
        metrics.lifecycle(LifecycleOutcome::Expired);
        metrics.lifecycle(LifecycleOutcome::Purged);
        let expired = metrics.services().tickets[TicketOutcome::Expired].get();
        let all: u64 =
            TicketOutcome::ALL.iter().map(|outcome| metrics.services().tickets[*outcome].get()).sum();
        assert_eq!((expired, all), (1, 1));
    }

    #[test]
    fn an_answer_is_stale_once_however_many_assets_are() {
        let metrics = Metrics::new().unwrap();
        metrics.assets(AssetSource::Stale, 7);
        metrics.assets(AssetSource::Cache, 2);
        assert_eq!(metrics.services().stale_answers.get(), 1);
        assert!(metrics.render().contains("signet_asset_lookups_total{source=\"stale\"} 7\n"));
    }
}
