//! From ids to a tenant's assets, many at once: one query, and what each of the others is.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::asset_cache::{CachedAssets, Known};
use super::ports::StoreError;
use crate::document::Reason;
use crate::media::{Asset, AssetId, Status, TenantId};

/// Assets that can be served, or why they can't, by the ids that were asked for.
#[derive(Debug, Default)]
pub struct Servable(HashMap<AssetId, Result<Arc<Asset>, Reason>>);

impl Servable {
    /// Returns an asset.
    ///
    /// # Errors
    /// Why it can't be served; [`Reason::Unknown`] of one that wasn't asked for.
    pub fn get(&self, id: AssetId) -> Result<&Arc<Asset>, Reason> {
        match self.0.get(&id) {
            Some(outcome) => outcome.as_ref().map_err(|reason| *reason),
            None => Err(Reason::Unknown),
        }
    }
}

/// Looks assets up for links.
#[derive(Clone)]
pub struct Lookup {
    assets: CachedAssets,
}

impl Lookup {
    /// A look-up in what is known.
    #[must_use]
    pub fn new(assets: CachedAssets) -> Self {
        Self { assets }
    }

    /// The servable assets behind ids, or why there is none. An id may be there more than once. Where there are none,
    /// or all are known, no store is asked.
    ///
    /// # Errors
    /// Where the store can't answer.
    pub async fn servable(
        &self,
        tenant: &TenantId,
        ids: impl IntoIterator<Item = AssetId>,
    ) -> Result<Known<Servable>, StoreError> {
        let ids: Vec<AssetId> = ids.into_iter().collect::<HashSet<_>>().into_iter().collect();
        if ids.is_empty() {
            return Ok(Known { value: Servable::default(), stale: false });
        }
        let Known { value: mut found, stale } = self.assets.look_up_own(tenant, &ids).await?;
        let missing: Vec<AssetId> = ids.iter().copied().filter(|id| !found.contains_key(id)).collect();
        let elsewhere = self.assets.look_up_taken(&missing).await?;
        let mut outcome = |id: &AssetId| match found.remove(id) {
            Some(asset) => servable(asset),
            None if elsewhere.value.contains(id) => Err(Reason::Foreign),
            None => Err(Reason::Unknown),
        };
        let value = Servable(ids.iter().map(|id| (*id, outcome(id))).collect());
        Ok(Known { value, stale: stale || elsewhere.stale })
    }
}

fn servable(asset: Arc<Asset>) -> Result<Arc<Asset>, Reason> {
    if asset.deleted_at.is_some() {
        return Err(Reason::Deleted);
    }
    if asset.status != Status::Ready {
        return Err(Reason::NotReady);
    }
    Ok(asset)
}
