//! Many links in one call.

use std::sync::Arc;

use super::asset_cache::{CachedAssets, Known};
use super::asset_links::AssetFile;
use super::auth::Caller;
use super::delivery::{Delivery, Target};
use super::eligibility::{Eligibility, Name};
use super::links::{FileOutcome, Link, LinkError};
use super::lookup::{Lookup, Servable};
use super::ports::Clock;
use crate::document::Reason;
use crate::media::{AssetId, ObjectKey, Visibility};

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
    /// Whether PRIVATE assets, and all else under `private/`, stay unsigned.
    pub public_only: bool,
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
    /// 2. The others are looked up, in one query; keys and URLs of assets' files with them.
    /// 3. What is still missing is made, with what keys and URLs want; links of ids are kept.
    ///
    /// # Errors
    /// Where the store can't answer or nothing can be signed; a bad item is no error.
    pub async fn links(
        &self,
        caller: &Caller,
        request: BatchRequest,
    ) -> Result<Known<Vec<BatchItem>>, LinkError> {
        let place = self.delivery.place(&caller.tenant);
        let public_only = request.public_only;
        let ready = self.ready(caller, &request.ids, public_only);
        let ids = request.ids.into_iter().map(Subject::Id).zip(ready);
        let keys = request.keys.into_iter().map(Subject::Key).map(|key| (key, None));
        let urls = request.urls.into_iter().map(Subject::Url).map(|url| (url, None));
        let named = |(subject, link): (Subject, Option<Link>)| {
            let asset = if link.is_none() { subject.name().asset(&place) } else { None };
            (subject, link, asset)
        };
        let named: Vec<_> = ids.chain(keys).chain(urls).map(named).collect();
        let unready = named.iter().filter_map(|(.., asset)| *asset);
        let Known { value: assets, stale } = self.lookup.servable(&caller.tenant.id, unready).await?;
        let eligible = Eligibility { place: &place, assets: &assets, public_only };
        let mut batch =
            Batch { items: Vec::with_capacity(named.len()), targets: Vec::new(), places: Vec::new() };
        for (subject, link, asset) in named {
            match link {
                Some(link) => batch.items.push(BatchItem { subject, outcome: Ok(link) }),
                None => batch.add(self.target(&eligible, &subject, asset), subject),
            }
        }
        let made = self.delivery.links(std::mem::take(&mut batch.targets)).await?;
        for (index, made) in batch.places.into_iter().zip(made) {
            let Some(item) = batch.items.get_mut(index) else { continue };
            self.keep(caller, &assets, &item.subject, &made);
            item.outcome = made.map(|made| made.link).map_err(|_| item.subject.too_long());
        }
        Ok(Known { value: batch.items, stale })
    }

    /// Returns what has to be made for a subject.
    fn target(
        &self,
        eligible: &Eligibility<'_>,
        subject: &Subject,
        asset: Option<AssetId>,
    ) -> Result<Target, Reason> {
        let asset = eligible.check(subject.name(), asset)?;
        let (delivery, place) = (&self.delivery, eligible.place);
        let target = match (subject, asset) {
            (Subject::Id(_), Some(asset)) => {
                delivery.asset_file(place, asset.visibility, asset.key.clone(), None)
            }
            (Subject::Id(_), None) => return Err(Reason::Unknown),
            (Subject::Key(key), asset) => {
                let key = ObjectKey::parse(key).map_err(|_| Reason::InvalidKey)?;
                match asset {
                    Some(asset) => delivery.asset_file(place, asset.visibility, key, None),
                    None => delivery.file(place, key, None),
                }
            }
            (Subject::Url(url), _) => return place.own_url(url).map(|own| delivery.url(place, own)),
        };
        target.map_err(|_| Reason::InvalidKey)
    }

    /// Of each id, its link where that was handed out before.
    fn ready(&self, caller: &Caller, ids: &[String], public_only: bool) -> Vec<Option<Link>> {
        let now = self.clock.now();
        let ready = |text: &String| {
            let asset = self.assets.good(text.parse::<AssetId>().ok()?, now.millis())?;
            if !asset.is_servable() || asset.tenant != caller.tenant.id {
                return None;
            }
            if public_only && asset.visibility == Visibility::Private {
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
        let Ok(id) = id.parse() else { return };
        if let (Ok(asset), Ok(made)) = (assets.get(id), made) {
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
    fn name(&self) -> Name<'_> {
        match self {
            Self::Id(id) => Name::Id(id),
            Self::Key(key) => Name::Key(key),
            Self::Url(url) => Name::Url(url),
        }
    }

    /// Why it has no link where that would be too long.
    fn too_long(&self) -> Reason {
        match self {
            Self::Url(_) => Reason::InvalidUrl,
            Self::Id(_) | Self::Key(_) => Reason::InvalidKey,
        }
    }
}
