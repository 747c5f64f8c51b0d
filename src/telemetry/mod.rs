//! What Signet says of itself: [`metrics`] for Prometheus, [`keys`] those of the
//! key ring; [`logging`] for people and collectors.

pub mod keys;
pub mod logging;
pub mod metrics;
