//! What a store counts that is reached over a network. `telemetry` turns it into metrics.

use std::time::Duration;

use super::NoMeter;

/// Counts connections, waits and what was tried again. A store that has none of these calls nothing.
pub trait StoreMeter: Send + Sync + 'static {
    /// A connection is being made.
    fn connection_opened(&self) {}
    /// A connection was closed.
    fn connection_closed(&self, _why: ConnectionEnd) {}
    /// The driver handed a connection out, or couldn't, after a time.
    fn checked_out(&self, _after: Duration, _end: CheckoutEnd) {}
    /// All connections to a server were thrown away.
    fn pool_cleared(&self) {}
    /// An operation waited for its turn: so long, and whether it came.
    fn waited(&self, _time: Duration, _served: bool) {}
    /// Whether there is a server that can be written to.
    fn server_known(&self, _writable: bool) {}
    /// No server could be selected in time.
    fn no_server(&self) {}
    /// A transaction met another one, and is tried again.
    fn transaction_retried(&self) {}
    /// Whether changes of other nodes are heard of as they are made.
    fn feed(&self, _connected: bool) {}
    /// A change of another node, or of this one, was heard of.
    fn change_heard(&self) {}
}

/// Why a connection was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionEnd {
    /// Nobody used it.
    Idle,
    /// Its server was away meanwhile.
    Stale,
    /// It broke.
    Error,
    /// The pool was closed.
    PoolClosed,
}

impl ConnectionEnd {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Idle, Self::Stale, Self::Error, Self::PoolClosed];

    /// The name in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Stale => "stale",
            Self::Error => "error",
            Self::PoolClosed => "pool_closed",
        }
    }
}

/// How asking the driver for a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckoutEnd {
    /// With a connection.
    Done,
    /// None was free in time.
    Timeout,
    /// None could be made.
    Error,
}

impl CheckoutEnd {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Done, Self::Timeout, Self::Error];

    /// The name in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Timeout => "timeout",
            Self::Error => "error",
        }
    }
}

impl StoreMeter for NoMeter {}
