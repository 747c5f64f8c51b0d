//! What Signet says of itself, for Prometheus and for people.
//!
//! 1. [`metrics`]: all metrics. [`family`]: how a family is declared, [`labels`]: what its labels are called.
//! 2. Families of [`requests`], [`services`], [`stores`], [`keys`], the listener's certificate ([`tls`]), and of the [`node`]
//!    itself.
//! 3. [`logging`]: for people and collectors. [`traces`]: requests on their way from service to service.

pub mod family;
pub mod keys;
pub mod labels;
pub mod logging;
pub mod metrics;
pub mod node;
pub mod requests;
pub mod services;
pub mod stores;
mod tally;
pub mod tls;
pub mod traces;
