//! What Signet says of itself: [`metrics`] for Prometheus, [`keys`] those of the
//! key ring, [`store`] those of a store that is reached over a network, [`tls`] those of the listener's
//! certificate; [`logging`] for people and collectors.

pub mod keys;
pub mod logging;
pub mod metrics;
pub mod store;
pub mod tls;
