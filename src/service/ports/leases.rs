//! Work that one node does for all.

use async_trait::async_trait;

use super::StoreError;
use crate::media::Timestamp;

/// Leases: each has one holder at a time among all nodes.
///
/// A holder that stands still for longer than its lease may meet the next one: what is done under a
/// lease must bear that.
#[async_trait]
pub trait LeaseStore: Send + Sync + 'static {
    /// Takes a lease until a time, or renews one's own. `false` where somebody else has it at `now`.
    async fn take(
        &self,
        lease: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Gives a lease back before its time. It is no error if it is somebody else's.
    async fn give_back(&self, lease: &str, holder: &str) -> Result<(), StoreError>;
}
