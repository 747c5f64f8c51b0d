//! How much a stranger may ask of Signet.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use crate::service::rates::Rate;

/// Limits of requests.
#[derive(Debug, Clone)]
pub struct HttpLimits {
    /// Bytes of a document, compressed and decompressed, and of a line of NDJSON. Default 16 MiB.
    pub document_bytes: usize,
    /// Bytes of the body of a control call. Default 64 KiB.
    pub control_bytes: usize,
    /// Bytes of the body of a batch of links: 1,000 URLs of 8,192 bytes fit. Default 10 MiB.
    pub batch_bytes: usize,
    /// Bytes of the list of a file's parts: 10,000 with ETags of 128 bytes fit. Default 2 MiB.
    pub parts_bytes: usize,
    /// Bytes beyond the largest document that are read and thrown away after a refusal, so that
    /// the client sees the answer. Default 1 MiB.
    pub drain_bytes: usize,
    /// How long a client may send nothing of a body that it has begun. Default 30 s.
    pub body_idle: Duration,
    /// Bytes per second below which a body of a control call or a document is given up, after the
    /// first [`HttpLimits::body_idle`]. Default 1 KiB.
    pub body_rate: usize,
    /// How long a service may take over a call or a document, once its body is here. Default 60 s,
    /// less than [`ServerLimits::idle_time`].
    pub answer_time: Duration,
    /// How many proxies of one's own a request comes through, for [`super::ClientAddress::of`]. Default 0.
    pub trusted_hops: usize,
    /// How often, and how much at a time. Default no bound.
    pub load: LoadLimits,
}

/// How often, and how much at a time. `None` is no bound.
#[derive(Debug, Clone, Copy, Default)]
pub struct LoadLimits {
    /// How often each tenant may ask.
    pub tenant: Option<Rate>,
    /// How often each address may ask without credentials; a /64 of IPv6 is one address.
    pub client: Option<Rate>,
    /// Bytes that each address may have under way and unread without credentials.
    pub client_bytes: Option<NonZeroUsize>,
    /// Requests under way at the same time. Permalinks that are ready don't count.
    pub in_flight: Option<NonZeroU32>,
    /// Requests of each tenant under way at the same time.
    pub tenant_in_flight: Option<NonZeroU32>,
    /// Bytes of bodies in memory at the same time: a tenant may have as many as there are left.
    pub body_bytes: Option<NonZeroUsize>,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            document_bytes: 16 * MIB,
            control_bytes: 64 * 1024,
            batch_bytes: 10 * MIB,
            parts_bytes: 2 * MIB,
            drain_bytes: MIB,
            body_idle: Duration::from_secs(30),
            body_rate: 1024,
            answer_time: Duration::from_secs(60),
            trusted_hops: 0,
            load: LoadLimits::default(),
        }
    }
}

/// Limits of connections.
#[derive(Debug, Clone)]
pub struct ServerLimits {
    /// Connections at the same time. For one more, that which has been idle longest ends; where none is idle, it waits,
    /// and others in the listener's backlog. Default 10,000.
    pub connections: usize,
    /// Connections of one address, or of a /64 of IPv6, at the same time. For one more, that of the address which has
    /// been idle longest ends; where none is idle, the new one is closed. Default no bound.
    pub client_connections: Option<NonZeroUsize>,
    /// How long a client may take over the head of a request. Default 10 s.
    pub head_time: Duration,
    /// Bytes of the head of a request: 8 KiB or more. Default 32 KiB, as CloudFront has it.
    pub head_bytes: usize,
    /// How long a connection may move no byte in either direction, and its client may leave a piece of an answer
    /// where it is. Default 75 s, more than the
    /// 60 s of a load balancer, so that this side isn't the one that closes first.
    pub idle_time: Duration,
    /// Requests at the same time on one HTTP/2 connection. Default 128.
    pub streams: u32,
    /// How long connections are still accepted after the shutdown has begun, for clients that don't know of it yet.
    /// Default 0 s.
    pub lame_duck: Duration,
    /// How long requests may go on after that. Default 20 s.
    pub drain_time: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            client_connections: None,
            head_time: Duration::from_secs(10),
            head_bytes: 32 * 1024,
            idle_time: Duration::from_secs(75),
            streams: 128,
            lame_duck: Duration::ZERO,
            drain_time: Duration::from_secs(20),
        }
    }
}

const MIB: usize = 1024 * 1024;
