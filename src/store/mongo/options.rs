//! The rules of connections, as numbers.

use std::time::Duration;

use super::error::ConnectError;

/// How the cluster is used. The defaults are the rules of `docs/operations.md`.
#[derive(Debug, Clone)]
pub struct MongoOptions {
    /// The control-plane database.
    pub control_database: String,
    /// The most connections to each server, for requests and changes together: at least 2.
    pub pool_size: u32,
    /// How long is waited for a server that can be used.
    pub server_selection: Duration,
    /// How long making a connection may take.
    pub connect: Duration,
    /// How often each server is asked whether it is there.
    pub heartbeat: Duration,
    /// How long a request waits for a connection.
    pub wait_queue: Duration,
    /// After what time an unused connection is closed.
    pub idle: Duration,
    /// How long the server may work on one operation (`maxTimeMS`).
    pub max_time: Duration,
    /// How long the `ping` that guards the control plane may take.
    pub ping: Duration,
}

impl Default for MongoOptions {
    fn default() -> Self {
        Self {
            control_database: "Vivreal".to_owned(),
            pool_size: 3,
            server_selection: Duration::from_secs(5),
            connect: Duration::from_secs(5),
            heartbeat: Duration::from_secs(5),
            wait_queue: Duration::from_secs(5),
            idle: Duration::from_secs(60),
            max_time: Duration::from_secs(10),
            ping: Duration::from_secs(2),
        }
    }
}

impl MongoOptions {
    /// Checks what the driver would refuse later, or never.
    pub(super) fn check(&self) -> Result<(), ConnectError> {
        if self.pool_size < 2 {
            return Err(ConnectError::Limit("the pool has at least 2 connections: one waits for changes"));
        }
        if self.heartbeat < Duration::from_millis(500) {
            return Err(ConnectError::Limit("a heartbeat comes every 500 ms at most"));
        }
        let times =
            [self.server_selection, self.connect, self.wait_queue, self.idle, self.max_time, self.ping];
        if times.contains(&Duration::ZERO) {
            return Err(ConnectError::Limit("a time must be more than 0: none is unbounded"));
        }
        Ok(())
    }

    /// How many operations run at the same time: one connection is left to the changes.
    pub(super) fn permits(&self) -> usize {
        usize::try_from(self.pool_size.saturating_sub(1)).unwrap_or(usize::MAX).max(1)
    }

    /// When an operation is given up, whatever the server does: it has had its time, and that of making a
    /// connection.
    pub(super) fn patience(&self) -> Duration {
        self.max_time.saturating_add(self.connect.max(self.server_selection))
    }
}
