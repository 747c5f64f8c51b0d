//! From what other nodes change to what this one knows.

use std::sync::Arc;

use crate::service::ports::{Change, ChangeFeed};
use crate::service::tenant_cache::CachedTenants;

/// Tells those who keep what the store says of each change, for as long as the node serves.
pub async fn hear(mut feed: impl ChangeFeed, tenants: Arc<CachedTenants>) {
    // Nothing is heard of until the feed says so.
    tenants.hear(&Change::Lost);
    loop {
        tenants.hear(&feed.next().await);
    }
}
