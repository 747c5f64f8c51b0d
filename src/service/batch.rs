//! Many links in one call.

use std::sync::Arc;

use super::asset_cache::{CachedAssets, Known};
use super::asset_links::AssetFile;
use super::auth::Caller;
use super::delivery::{Delivery, Target};
use super::links::{FileOutcome, Link, LinkError};
use super::lookup::{Lookup, Servable};
use super::ports::Clock;
use crate::document::Reason;
use crate::media::{AssetId, ObjectKey};

/// Makes links in batches.
pub struct BatchLinks {
    assets: CachedAssets,
    lookup: Lookup,
    delivery: Delivery,
    clock: Arc<dyn Clock>,
}

/// What links are wanted for.
#[derive(Debug, Clone, Default)]
pub struct BatchRequest {
    /// Ids of assets.
    pub ids: Vec<String>,
    /// Keys under the tenant's root.
    pub keys: Vec<String>,
    /// URLs under the tenant's root.
    pub urls: Vec<String>,
}

/// What one link was wanted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// An asset's id.
    Id(String),
    /// An object key.
    Key(String),
    /// A URL.
    Url(String),
}

/// One answer of a batch.
#[derive(Debug, Clone)]
pub struct BatchItem {
    /// What was asked.
    pub subject: Subject,
    /// The link, or why there is none.
    pub outcome: Result<Link, Reason>,
}

impl BatchLinks {
    /// How many links one call may ask for.
    pub const MAX: usize = 1_000;

    /// Joins the parts.
    #[must_use]
    pub fn new(assets: CachedAssets, lookup: Lookup, delivery: Delivery, clock: Arc<dyn Clock>) -> Self {
        Self { assets, lookup, delivery, clock }
    }

    /// The links: first those of ids, then keys, then URLs, each in the order asked.
    ///
    /// 1. Ids whose links are ready are answered at once.
    /// 2. The others are looked up, in one query.
    /// 3. What is still missing is made, with what keys and URLs want; links of ids are kept.
    ///
    /// # Errors
    /// Where the store can't answer or nothing can be signed; a bad item is no error.
    pub async fn links(
        &self,
        caller: &Caller,
        request: BatchRequest,
    ) -> Result<Known<Vec<BatchItem>>, LinkError> {
        let ready = self.ready(caller, &request.ids);
        let unready = request.ids.iter().zip(&ready).filter(|(_, link)| link.is_none());
        let unready: Vec<&str> = unready.map(|(id, _)| id.as_str()).collect();
        let Known { value: assets, stale } = if unready.is_empty() {
            Known { value: Servable::new(), stale: false }
        } else {
            self.lookup.servable(&caller.tenant.id, unready).await?
        };
        let count = request.ids.len() + request.keys.len() + request.urls.len();
        let mut batch = Batch { items: Vec::with_capacity(count), targets: Vec::new(), places: Vec::new() };
        let place = self.delivery.place(&caller.tenant);
        for (id, link) in request.ids.into_iter().zip(ready) {
            let target = || match assets.get(&id) {
                Some(Ok(asset)) => {
                    let target = self.delivery.asset_file(&place, asset.visibility, asset.key.clone());
                    target.map_err(|_| Reason::InvalidKey)
                }
                Some(Err(reason)) => Err(*reason),
                None => Err(Reason::Unknown),
            };
            match link {
                Some(link) => batch.items.push(BatchItem { subject: Subject::Id(id), outcome: Ok(link) }),
                None => batch.add(target(), Subject::Id(id)),
            }
        }
        for key in request.keys {
            let parsed = ObjectKey::parse(&key).map_err(|_| Reason::InvalidKey);
            let file = |key| self.delivery.file(&place, key, None).map_err(|_| Reason::InvalidKey);
            batch.add(parsed.and_then(file), Subject::Key(key));
        }
        for url in request.urls {
            batch.add(place.own_url(&url).map(|own| self.delivery.url(&place, own)), Subject::Url(url));
        }
        let made = self.delivery.links(std::mem::take(&mut batch.targets)).await?;
        for (index, made) in batch.places.into_iter().zip(made) {
            let Some(item) = batch.items.get_mut(index) else { continue };
            self.keep(caller, &assets, &item.subject, &made);
            item.outcome = made.map(|made| made.link).map_err(|_| item.subject.too_long());
        }
        Ok(Known { value: batch.items, stale })
    }

    /// Of each id, its link where that was handed out before.
    fn ready(&self, caller: &Caller, ids: &[String]) -> Vec<Option<Link>> {
        let now = self.clock.now();
        let ready = |text: &String| {
            let asset = self.assets.good(text.parse::<AssetId>().ok()?, now.millis())?;
            if !asset.is_servable() || asset.tenant != caller.tenant.id {
                return None;
            }
            let file = AssetFile { asset: &asset, tenant: &caller.tenant, width: None };
            self.delivery.ready_link(file, now.seconds())
        };
        let ready: Vec<Option<Link>> = ids.iter().map(ready).collect();
        self.assets.used(ready.iter().flatten().count());
        ready
    }

    fn keep(&self, caller: &Caller, assets: &Servable, subject: &Subject, made: &FileOutcome) {
        let Subject::Id(id) = subject else { return };
        if let (Some(Ok(asset)), Ok(made)) = (assets.get(id), made) {
            self.delivery.keep(AssetFile { asset, tenant: &caller.tenant, width: None }, made);
        }
    }
}

/// A batch while it is being answered.
struct Batch {
    items: Vec<BatchItem>,
    targets: Vec<Target>,
    /// Of each target, the place of its item.
    places: Vec<usize>,
}

impl Batch {
    /// Adds what has to be made, or why it can't be.
    fn add(&mut self, target: Result<Target, Reason>, subject: Subject) {
        let reason = match target {
            Ok(target) => {
                self.places.push(self.items.len());
                self.targets.push(target);
                // Until it is made.
                Reason::Unknown
            }
            Err(reason) => reason,
        };
        self.items.push(BatchItem { subject, outcome: Err(reason) });
    }
}

impl Subject {
    /// Why it has no link where that would be too long.
    fn too_long(&self) -> Reason {
        match self {
            Self::Url(_) => Reason::InvalidUrl,
            Self::Id(_) | Self::Key(_) => Reason::InvalidKey,
        }
    }
}
