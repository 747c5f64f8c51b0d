//! What Signet says of itself: [`metrics`] for Prometheus, [`logging`] for people and collectors.

pub mod logging;
pub mod metrics;
