//! How often, and how much at a time.

use serde::Deserialize;

/// `[limits]`: what a node takes on, of all and of each. All of it is of one node: behind a load balancer, each has its
/// own. 0 turns a limit off. `signet dev` has none for rates
/// and tenants, unless they are set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// How many requests with credentials each tenant may send in a second. Default 500.
    pub tenant_per_second: u32,
    /// How many of them at once after a rest; 0 is as many as in a second. Default 1,000.
    pub tenant_burst: u32,
    /// How many requests without credentials, or with wrong ones, may come from each address in a second; a /64 of IPv6
    /// is one address. Behind proxies of one's own `server.trusted_hops` must be set, or all clients are one. Default 200.
    pub client_per_second: u32,
    /// How many of them at once after a rest; 0 is as many as in a second. Default 2,000.
    pub client_burst: u32,
    /// Memory for the requests of each address that are under way without good credentials and for answers that it
    /// hasn't taken yet, in bytes; a /64 of IPv6 is one address. Each request counts for 8 KiB and the length of its
    /// path, an answer for what is held of it. What comes beyond is refused. Default 32 MiB.
    pub max_client_bytes: usize,
    /// Look-ups of API keys that the node doesn't know, under way at the same time; what comes beyond is refused at
    /// once. Known keys don't count. Default 64.
    pub max_key_lookups: u32,
    /// Requests under way at the same time; what comes beyond is refused at once. Permalinks whose link is ready don't
    /// count, and are never refused by it. Default 10,000.
    pub max_requests: u32,
    /// Requests of each tenant under way at the same time. Default 64.
    pub max_tenant_requests: u32,
    /// Requests that wait for signatures at the same time; links that are ready aren't waited for. A tenant may have as
    /// many of them as there is room left: half of it where it is alone. Default 32,768.
    pub max_signing_requests: u32,
    /// Memory for bodies, in bytes: documents and batches of 64 KiB and more, decompressed, until their answer has gone. A
    /// tenant may have as much of it as there is left: half of it where it is alone. At least twice
    /// `documents.max_bytes`, or the largest documents are refused always. Default 256 MiB.
    pub max_body_bytes: usize,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            tenant_per_second: 500,
            tenant_burst: 1_000,
            client_per_second: 200,
            client_burst: 2_000,
            max_client_bytes: 32 * 1024 * 1024,
            max_key_lookups: 64,
            max_requests: 10_000,
            max_tenant_requests: 64,
            max_signing_requests: 32_768,
            max_body_bytes: 256 * 1024 * 1024,
        }
    }
}
