//! From ids to a tenant's assets, many at once: one query, and what each of the others is.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::ports::{AssetStore, StoreError};
use crate::document::Reason;
use crate::media::{Asset, AssetId, Status, TenantId};

/// Looks assets up for links.
#[derive(Clone)]
pub struct Lookup {
    assets: Arc<dyn AssetStore>,
}

impl Lookup {
    /// A look-up in a store.
    #[must_use]
    pub fn new(assets: Arc<dyn AssetStore>) -> Self {
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
    ) -> Result<HashMap<String, Result<Asset, Reason>>, StoreError> {
        let texts: HashSet<&str> = texts.into_iter().collect();
        let ids: Vec<AssetId> = texts.iter().filter_map(|text| text.parse().ok()).collect();
        let mut found: HashMap<AssetId, Asset> = HashMap::with_capacity(ids.len());
        if !ids.is_empty() {
            let assets = self.assets.find_many(tenant, &ids).await?;
            found.extend(assets.into_iter().map(|asset| (asset.id, asset)));
        }
        let missing: Vec<AssetId> = ids.iter().copied().filter(|id| !found.contains_key(id)).collect();
        let elsewhere: HashSet<AssetId> = if missing.is_empty() {
            HashSet::new()
        } else {
            self.assets.existing(&missing).await?.into_iter().collect()
        };
        let outcome = |text: &str| match text.parse::<AssetId>() {
            Ok(id) => match found.remove(&id) {
                Some(asset) => servable(asset),
                None if elsewhere.contains(&id) => Err(Reason::Foreign),
                None => Err(Reason::Unknown),
            },
            Err(_) => Err(Reason::Unknown),
        };
        let mut outcome = outcome;
        Ok(texts.into_iter().map(|text| (text.to_owned(), outcome(text))).collect())
    }
}

fn servable(asset: Asset) -> Result<Asset, Reason> {
    if asset.deleted_at.is_some() {
        return Err(Reason::Deleted);
    }
    if asset.status != Status::Ready {
        return Err(Reason::NotReady);
    }
    Ok(asset)
}
