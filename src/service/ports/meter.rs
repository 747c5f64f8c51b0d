//! What the services count. `telemetry` turns it into metrics.

use std::time::Duration;

use super::words::words;
use crate::document::Reason;
use crate::service::key_ring::RingKey;

/// Counts what happens. What has a default counts for nothing in commands that end.
pub trait Meter: Send + Sync + 'static {
    /// So many grants were used for links.
    fn links(&self, source: LinkSource, count: usize);
    /// A key has signed.
    fn signature(&self, key: &RingKey);
    /// A signature couldn't be made.
    fn signing_failed(&self);
    /// A job for the signing threads came into the queue.
    fn queued(&self) {}
    /// A signing thread has taken a job from the queue, in which it was for so long.
    fn taken(&self, _after: Duration) {}
    /// A document was signed: its length in bytes, and its sites.
    fn document(&self, bytes: usize, found: usize, signed: usize);
    /// The work on a document has ended, after so long.
    fn document_ended(&self, _outcome: DocumentOutcome, _after: Duration) {}
    /// A site of a document stayed unsigned.
    fn unsigned(&self, reason: Reason);
    /// The keys of the tokens' issuer were fetched, or couldn't be. Never where no tokens are checked.
    fn token_keys(&self, _fetched: bool) {}
    /// So many assets were looked up for links, in one look.
    fn assets(&self, _source: AssetSource, _count: usize) {}
    /// Something became of a ticket, or of the wish for one.
    fn ticket(&self, _outcome: TicketOutcome) {}
    /// The lifecycle worker has looked at an asset.
    fn lifecycle(&self, _outcome: LifecycleOutcome) {}
    /// The lifecycle worker has looked at everything that was due, at a time in seconds since the Unix epoch.
    fn lifecycle_pass(&self, _seconds: u64) {}
    /// Somebody has met a limit.
    fn limit(&self, _limit: Limit) {}
}

words! {
    /// Where a link's signature came from.
    pub enum LinkSource {
        /// The link cache had it.
        Cache = "cache",
        /// It was made, or waited for while another request made it.
        Signed = "signed",
    }

    /// Where what is known of an asset came from.
    pub enum AssetSource {
        /// The cache had it.
        Cache = "cache",
        /// The store was asked.
        Store = "store",
        /// The cache had it, and the store couldn't be asked.
        Stale = "stale",
    }

    /// How the work on a document ended.
    pub enum DocumentOutcome {
        /// It was signed, some sites perhaps not.
        Signed = "signed",
        /// It is no JSON.
        Invalid = "invalid",
        /// It is too deep, or has too many links.
        TooLarge = "too_large",
        /// Strict mode: a site would stay unsigned.
        Unsigned = "unsigned",
        /// Its links couldn't be made.
        Failed = "failed",
    }

    /// What became of a ticket.
    pub enum TicketOutcome {
        /// It was handed out.
        Created = "created",
        /// It was handed out again to a call that was repeated.
        Repeated = "repeated",
        /// It was asked for, for a file that can't be.
        Refused = "refused",
        /// It was asked for, and the tenant has no room for the file.
        OverQuota = "over_quota",
        /// Its file is there: READY.
        Finalized = "finalized",
        /// Something else came than was promised: REJECTED.
        Rejected = "rejected",
        /// Nothing came: EXPIRED.
        Expired = "expired",
        /// Its holder gave it up.
        Aborted = "aborted",
    }

    /// What became of an asset that was due.
    pub enum LifecycleOutcome {
        /// Its upload was there and is what was promised: READY.
        Adopted = "adopted",
        /// Its upload was there and is something else: REJECTED.
        Rejected = "rejected",
        /// Nothing was uploaded: EXPIRED.
        Expired = "expired",
        /// An object that arrived late was removed.
        Swept = "swept",
        /// It was removed for good.
        Purged = "purged",
        /// A move that was cut off was ended.
        Recovered = "recovered",
        /// An insertion that was cut off was forgotten.
        Forgotten = "forgotten",
        /// Nothing had to be done.
        Nothing = "nothing",
        /// Something failed: it stays due.
        Failed = "failed",
    }

    /// What bounds a stranger, a tenant or a node.
    pub enum Limit {
        /// Connections of a listener.
        Connections = "connections",
        /// Connections of an address.
        ClientConnections = "client_connections",
        /// The head of a request, in bytes. In HTTP/1.1 alone: h2 answers with 431 by itself, and tells nobody.
        HeadBytes = "head_bytes",
        /// What HTTP/2 takes of a client in frames: requests taken back, heads of over four times the limit or without
        /// an end, control frames that belong to no request. It ends the connection.
        Http2Flood = "http2_flood",
        /// The time of a TLS handshake or a request's head, or of a piece of an answer that isn't taken.
        HeadTime = "head_time",
        /// A body, or a line of one, in bytes.
        BodyBytes = "body_bytes",
        /// The bodies that a node holds, in bytes.
        BodyMemory = "body_memory",
        /// The silence in a body.
        BodyTime = "body_time",
        /// The time of an answer.
        AnswerTime = "answer_time",
        /// The depth of a document.
        DocumentDepth = "document_depth",
        /// The links of a document.
        DocumentLinks = "document_links",
        /// The items of a batch.
        Items = "items",
        /// A tenant's files.
        Quota = "quota",
        /// A tenant's requests in a time.
        TenantRate = "tenant_rate",
        /// A tenant's requests at a time.
        TenantConcurrency = "tenant_concurrency",
        /// An anonymous client's requests in a time.
        ClientRate = "client_rate",
        /// The bytes that an anonymous client has under way and hasn't taken yet.
        ClientBytes = "client_bytes",
        /// The look-ups of unknown API keys that a node has under way.
        KeyLookups = "key_lookups",
        /// The requests that a node works on at a time.
        Concurrency = "concurrency",
        /// The requests that wait for the signing threads.
        SigningQueue = "signing_queue",
    }
}

/// Counts nothing: for commands that end.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMeter;

impl Meter for NoMeter {
    fn links(&self, _: LinkSource, _: usize) {}
    fn signature(&self, _: &RingKey) {}
    fn signing_failed(&self) {}
    fn document(&self, _: usize, _: usize, _: usize) {}
    fn unsigned(&self, _: Reason) {}
}
