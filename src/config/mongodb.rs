//! How MongoDB is reached.

use serde::Deserialize;

use super::Secret;

/// `[store.mongodb]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MongodbSettings {
    /// The connection string, `mongodb://…` or `mongodb+srv://…`; better in `CLUSTER_URL` than in a file.
    /// Needed where `store.assets` is `mongodb`.
    pub uri: Option<Secret>,
    /// The control-plane database. Default `Vivreal`.
    pub control_database: String,
    /// The most connections to each server, one of which waits for changes: at least 2. Default 3.
    pub pool_size: u32,
    /// How many connections the cluster takes from Signet's nodes together, for `signet check`: 500 on Atlas's
    /// shared tier, 1,500 on M10, less what other services use. Default 500.
    pub connection_cap: u32,
    /// How long is waited for a server that can be used, in milliseconds. Default 5000.
    pub server_selection_ms: u64,
    /// How long making a connection may take, in milliseconds. Default 5000.
    pub connect_ms: u64,
    /// How often each server is asked whether it is there, in milliseconds: at least 500. Default 5000.
    pub heartbeat_ms: u64,
    /// How long a request waits for a connection, in milliseconds. Default 5000.
    pub wait_queue_ms: u64,
    /// After what time an unused connection is closed, in milliseconds. Default 60000.
    pub idle_ms: u64,
    /// How long the server may work on one find, update, delete or aggregate (`maxTimeMS`), in milliseconds.
    /// Default 10000.
    pub max_time_ms: u64,
    /// How long the `ping` that guards the control plane may take, in milliseconds. Default 2000.
    pub ping_ms: u64,
}

impl Default for MongodbSettings {
    fn default() -> Self {
        Self {
            uri: None,
            control_database: "Vivreal".to_owned(),
            pool_size: 3,
            connection_cap: 500,
            server_selection_ms: 5_000,
            connect_ms: 5_000,
            heartbeat_ms: 5_000,
            wait_queue_ms: 5_000,
            idle_ms: 60_000,
            max_time_ms: 10_000,
            ping_ms: 2_000,
        }
    }
}
