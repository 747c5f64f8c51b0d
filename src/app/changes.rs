//! From what other nodes change to what this one knows.

use std::sync::Arc;
use std::time::Duration;

use crate::service::asset_cache::CachedAssets;
use crate::service::ports::{Change, ChangeFeed};
use crate::service::tenant_cache::CachedTenants;

/// How long an asset is good while nothing is heard of changes.
pub const UNHEARD: Duration = Duration::from_secs(1);
/// How long it is good while they are heard of: bounds how long a defect could last.
const HEARD: Duration = Duration::from_secs(60);

/// Tells those who keep what the store says of each change, for as long as the node serves.
pub async fn hear(mut feed: impl ChangeFeed, assets: CachedAssets, tenants: Arc<CachedTenants>) {
    // Nothing is heard of until the feed says so.
    let mut change = Change::Lost;
    loop {
        tenants.hear(&change);
        match change {
            Change::Asset(id) => assets.forget(id),
            Change::Tenant(_) => {}
            Change::Lost => {
                assets.set_fresh(UNHEARD);
                assets.set_unresponsive(false);
            }
            Change::Unresponsive => {
                assets.set_fresh(UNHEARD);
                assets.set_unresponsive(true);
            }
            Change::Resumed => {
                assets.set_fresh(HEARD);
                assets.set_unresponsive(false);
            }
            Change::Connected => {
                assets.forget_all();
                assets.set_fresh(HEARD);
                assets.set_unresponsive(false);
            }
        }
        change = feed.next().await;
    }
}
