//! What others have changed in a store.

use async_trait::async_trait;

use crate::media::{AssetId, TenantId};

/// Something that whoever keeps what the store says must hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// An asset was put in, changed or removed.
    Asset(AssetId),
    /// A tenant was put in, changed or removed.
    Tenant(TenantId),
    /// From here on each change is heard of as it is made. What was before may have been missed.
    Connected,
    /// From here on nothing is heard of until [`Change::Connected`]; nothing was missed if the feed goes on where
    /// it ended, which it says by [`Change::Resumed`]. The store answers, or may.
    Lost,
    /// The feed is lost, and the store answers nothing at all, so waiting for it is pointless. This ends with the next
    /// [`Change::Lost`], [`Change::Resumed`] or [`Change::Connected`].
    Unresponsive,
    /// The feed goes on where it ended: nothing was missed.
    Resumed,
}

/// Changes that all nodes make, in the order in which they are made.
#[async_trait]
pub trait ChangeFeed: Send + 'static {
    /// Waits for the next one, however long that takes. Tries again by itself where the store is away.
    async fn next(&mut self) -> Change;
}
