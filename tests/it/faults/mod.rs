//! What faults leave behind: nothing.
//!
//! - `connections`: a node whose requests get no connection to MongoDB isn't ready.
//! - `moves`: changes of visibility that a crash or an outage cut off.
//! - `refusals`: errors of MongoDB that no retry cures, and groups that can't be served.
//! - `silence`: a MongoDB that answers nothing is known to within seconds, and one that is only slow isn't taken for it.
//! - `together`: the writes and reads of many at one cluster.
//! - `transactions`: nodes that are killed or stopped while they write.

mod connections;
mod moves;
mod refusals;
mod silence;
mod together;
mod transactions;
