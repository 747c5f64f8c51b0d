//! Many links in one call.

use super::asset_cache::Known;
use super::auth::Caller;
use super::delivery::{Delivery, Target};
use super::links::{Link, LinkError};
use super::lookup::Lookup;
use crate::document::Reason;
use crate::media::ObjectKey;

/// Makes links in batches.
pub struct BatchLinks {
    lookup: Lookup,
    delivery: Delivery,
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
    pub fn new(lookup: Lookup, delivery: Delivery) -> Self {
        Self { lookup, delivery }
    }

    /// The links: first those of ids, then keys, then URLs, each in the order asked.
    ///
    /// # Errors
    /// Where the store can't answer or nothing can be signed; a bad item is no error.
    pub async fn links(
        &self,
        caller: &Caller,
        request: BatchRequest,
    ) -> Result<Known<Vec<BatchItem>>, LinkError> {
        let place = self.delivery.place(&caller.tenant);
        let Known { value: assets, stale } =
            self.lookup.servable(&caller.tenant.id, request.ids.iter().map(String::as_str)).await?;
        let file = |key| self.delivery.file(&place, key, None).map_err(|_| Reason::InvalidKey);
        let of_id = |id: &str| match assets.get(id) {
            Some(Ok(asset)) => {
                let target = self.delivery.asset_file(&place, asset.visibility, asset.key.clone());
                target.map_err(|_| Reason::InvalidKey)
            }
            Some(Err(reason)) => Err(*reason),
            None => Err(Reason::Unknown),
        };
        let of_key = |key: &str| ObjectKey::parse(key).map_err(|_| Reason::InvalidKey).and_then(file);
        let of_url = |url: &str| place.own_url(url).map(|own| self.delivery.url(&place, own));

        let ids = request.ids.into_iter().map(|id| (of_id(&id), Subject::Id(id)));
        let keys = request.keys.into_iter().map(|key| (of_key(&key), Subject::Key(key)));
        let urls = request.urls.into_iter().map(|url| (of_url(&url), Subject::Url(url)));
        let wanted: Vec<_> = ids.chain(keys).chain(urls).collect();

        let targets = wanted.iter().filter_map(|(target, _)| target.as_ref().ok().cloned());
        let mut links = self.delivery.links(targets.collect()).await?.into_iter();
        let answer = |(target, subject): (Result<Target, Reason>, Subject)| {
            let too_long =
                if matches!(subject, Subject::Url(_)) { Reason::InvalidUrl } else { Reason::InvalidKey };
            let made = target.and_then(|_| links.next().ok_or(Reason::Unknown));
            let outcome = made.and_then(|made| made.map(|made| made.link).map_err(|_| too_long));
            BatchItem { subject, outcome }
        };
        Ok(Known { value: wanted.into_iter().map(answer).collect(), stale })
    }
}
