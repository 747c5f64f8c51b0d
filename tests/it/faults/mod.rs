//! What faults leave behind: nothing.
//!
//! - `moves`: changes of visibility that a crash or an outage cut off.
//! - `refusals`: errors of MongoDB that no retry cures, and groups that can't be served.

mod moves;
mod refusals;
