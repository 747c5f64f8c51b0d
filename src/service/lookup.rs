//! From ids to a tenant's assets, many at once: one query, and what each of the others is.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::asset_cache::{CachedAssets, Known};
use super::ports::StoreError;
use crate::document::Reason;
use crate::media::{Asset, AssetId, Status, TenantId};

/// Assets that can be served, or why they can't, by what was asked for.
pub type Servable = HashMap<String, Result<Arc<Asset>, Reason>>;

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

    /// The servable assets behind ids, or why there is none. Ids may stand there more than once;
    /// a text that is no id is `unknown`.
    ///
    /// # Errors
    /// Where the store can't answer.
    pub async fn servable<'a>(
        &self,
        tenant: &TenantId,
        texts: impl IntoIterator<Item = &'a str>,
    ) -> Result<Known<Servable>, StoreError> {
        let texts: HashSet<&str> = texts.into_iter().collect();
        let ids: Vec<AssetId> = texts.iter().filter_map(|text| text.parse().ok()).collect();
        let Known { value: mut found, stale } = self.assets.look_up_own(tenant, &ids).await?;
        let missing: Vec<AssetId> = ids.iter().copied().filter(|id| !found.contains_key(id)).collect();
        let elsewhere = self.assets.look_up_taken(&missing).await?;
        let outcome = |text: &str| match text.parse::<AssetId>() {
            Ok(id) => match found.remove(&id) {
                Some(asset) => servable(asset),
                None if elsewhere.value.contains(&id) => Err(Reason::Foreign),
                None => Err(Reason::Unknown),
            },
            Err(_) => Err(Reason::Unknown),
        };
        let mut outcome = outcome;
        let value = texts.into_iter().map(|text| (text.to_owned(), outcome(text))).collect();
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
