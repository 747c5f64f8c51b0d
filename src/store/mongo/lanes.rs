//! One change of a tenant's usage at a time on this node.
//!
//! Two transactions that change one document meet, and one of them is undone. So those of a tenant wait for
//! each other here, in the order of asking and before they take a turn: between nodes alone there are meetings
//! left. Tenants share a fixed number of lanes.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;

use crate::media::TenantId;
use crate::service::ports::StoreError;

/// How many there are.
const LANES: usize = 64;

/// The lanes of a client.
pub struct Lanes {
    lanes: [Mutex<()>; LANES],
    hasher: RandomState,
}

/// Others were before, for too long.
#[derive(Debug, thiserror::Error)]
#[error("the changes of the tenant that were asked for before took more than {} s", .0.as_secs_f64())]
pub struct LaneFull(Duration);

impl Default for Lanes {
    fn default() -> Self {
        Self { lanes: std::array::from_fn(|_| Mutex::new(())), hasher: RandomState::new() }
    }
}

impl Lanes {
    /// Waits for a tenant's lane.
    pub async fn enter(
        &self,
        tenant: &TenantId,
        longest: Duration,
    ) -> Result<MutexGuard<'_, ()>, StoreError> {
        let number = usize::try_from(self.hasher.hash_one(tenant) % LANES as u64).unwrap_or(0);
        let lane = timeout(longest, self.lanes[number].lock()).await;
        lane.map_err(|_| StoreError::unavailable(LaneFull(longest)))
    }
}
