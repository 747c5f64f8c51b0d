//! What faults leave behind: nothing.
//!
//! - `moves`: changes of visibility that a crash or an outage cut off.
//! - `refusals`: errors of MongoDB that no retry cures, and groups that can't be served.
//! - `transactions`: nodes that are killed or stopped while they write.
//! - `together`: the writes and reads of many at one cluster.

mod moves;
mod refusals;
mod together;
mod transactions;
