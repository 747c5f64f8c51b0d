//! How each file is delivered: the one place that chooses, for permalinks, assets, batches and documents alike.
//!
//! 1. The file of a PUBLIC asset: its stable URL, where these are set up. It has no signature and no end, so that
//!    whoever has it can read the file until it is moved under `private/`.
//! 2. What lies under `private/`: a request that the object store has presigned, where that is set up; never a stable
//!    URL.
//! 3. A URL of a PUBLIC asset's file that is a stable one already stays as it is.
//! 4. Everything else, and every other URL that somebody has written: a link of CloudFront's.
//!
//! Whose file a key or a URL names is found before (`eligibility`): an asset's file is delivered as the asset is, also
//! where it is named by its key.

use std::sync::Arc;

use super::asset_links::{AssetFile, ReadyLink};
use super::file_links::{FileLinks, FileTarget, Link};
use super::layout::{Layout, OwnUrl, Place};
use super::links::{FileOutcome, LinkError, LinkService, ReadyLinks};
use super::ports::ObjectLocation;
use super::presigner::Presigner;
use crate::media::{Derivatives, ObjectKey, Tenant, Visibility};

/// Delivers files: knows where they lie, and makes their links.
#[derive(Clone)]
pub struct Delivery {
    layout: Arc<Layout>,
    links: LinkService,
    public: PublicDelivery,
    private: PrivateDelivery,
}

/// How the files of PUBLIC assets are delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicDelivery {
    /// By links of CloudFront's.
    Signed,
    /// By stable URLs on this origin, such as `https://cdn.example.com`: no slash at its end.
    Stable(String),
}

/// How what lies under `private/` is delivered.
#[derive(Clone)]
pub enum PrivateDelivery {
    /// By links of CloudFront's.
    CloudFront,
    /// By presigned requests to the object store.
    Presigned(Presigner),
}

/// A file to be linked, and how.
#[derive(Debug, Clone)]
pub struct Target(Way);

#[derive(Debug, Clone)]
enum Way {
    Signed(FileTarget),
    /// The URL, and those of the derivatives by their width.
    Stable(String, Vec<(u32, String)>),
    /// The file, and its derivatives by their width.
    Presigned(ObjectLocation, Vec<(u32, ObjectLocation)>),
}

impl Delivery {
    /// Joins the parts.
    #[must_use]
    pub fn new(
        layout: Arc<Layout>,
        links: LinkService,
        public: PublicDelivery,
        private: PrivateDelivery,
    ) -> Self {
        Self { layout, links, public, private }
    }

    /// Everything by links of CloudFront's.
    #[must_use]
    pub fn signed(layout: Arc<Layout>, links: LinkService) -> Self {
        Self::new(layout, links, PublicDelivery::Signed, PrivateDelivery::CloudFront)
    }

    /// Whether whatever lies where PUBLIC assets do is served to anybody. Then an upload comes in elsewhere, and is
    /// moved there when it has been looked at.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.public, PublicDelivery::Stable(_))
    }

    /// Where a tenant's media lies.
    #[must_use]
    pub fn place(&self, tenant: &Tenant) -> Place {
        self.layout.place(tenant)
    }

    /// The object behind a URL's path.
    #[must_use]
    pub fn locate(&self, path: &str) -> Option<ObjectLocation> {
        self.layout.locate(path)
    }

    /// A file of an asset with this visibility, its original or a derivative, with the derivatives of it that are wanted.
    ///
    /// # Errors
    /// Where a URL can't be signed, for its length.
    pub fn asset_file(
        &self,
        place: &Place,
        visibility: Visibility,
        key: ObjectKey,
        derivatives: Option<&Derivatives>,
    ) -> Result<Target, LinkError> {
        match &self.public {
            PublicDelivery::Stable(base) if visibility == Visibility::Public && !key.is_private() => {
                let url = |(width, key): (u32, ObjectKey)| (width, place.url_on(base, &key));
                let smaller = derivative_keys(&key, derivatives)?.into_iter().map(url).collect();
                Ok(Target(Way::Stable(place.url_on(base, &key), smaller)))
            }
            _ => self.file(place, key, derivatives),
        }
    }

    /// A file by its key, with the derivatives that are wanted.
    ///
    /// # Errors
    /// Where a URL can't be signed, for its length.
    pub fn file(
        &self,
        place: &Place,
        key: ObjectKey,
        derivatives: Option<&Derivatives>,
    ) -> Result<Target, LinkError> {
        if !key.is_private() || matches!(self.private, PrivateDelivery::CloudFront) {
            return Ok(Target(Way::Signed(FileTarget::new(place, key, derivatives)?)));
        }
        let location = |(width, key): (u32, ObjectKey)| (width, place.location(&key));
        let smaller = derivative_keys(&key, derivatives)?.into_iter().map(location).collect();
        Ok(Target(Way::Presigned(place.location(&key), smaller)))
    }

    /// A URL that somebody has written, found to be a tenant's own and, where it is an asset's, that of a file which
    /// may be served.
    #[must_use]
    pub fn url(&self, place: &Place, own: OwnUrl) -> Target {
        if self.is_stable(own.url.as_str()) {
            Target(Way::Stable(own.url.as_str().to_owned(), Vec::new()))
        } else {
            Target(Way::Signed(FileTarget::of_url(place, own)))
        }
    }

    /// Whether a URL is a stable one, by its origin and by where it leads: there lie files of PUBLIC assets alone,
    /// and the distribution serves them to anybody.
    #[must_use]
    pub fn is_stable(&self, url: &str) -> bool {
        let PublicDelivery::Stable(base) = &self.public else { return false };
        let path = url.strip_prefix(base.as_str()).and_then(|rest| rest.split(['?', '#']).next());
        let found = path.and_then(|path| self.layout.find(path));
        found.is_some_and(|(place, key)| place.is_public_asset(&key))
    }

    /// The link of an asset's file, where it was handed out before and is still what would be made.
    #[must_use]
    pub fn ready_link(&self, file: AssetFile<'_>, now: u64) -> Option<Link> {
        self.links.ready_link(file, now)
    }

    /// The link of an asset's file that was handed out before.
    #[must_use]
    pub fn handed_out(&self, file: AssetFile<'_>) -> Option<ReadyLink> {
        self.links.handed_out(file)
    }

    /// Hands it out again, where it is still what would be made. `now` is in seconds since the Unix epoch.
    #[must_use]
    pub fn again(&self, ready: &ReadyLink, now: u64) -> Option<Link> {
        self.links.again(ready, now)
    }

    /// The same, of which only is wanted for how many seconds answers with it may be cached.
    #[must_use]
    pub fn again_for(&self, ready: &ReadyLink, now: u64) -> Option<u64> {
        self.links.again_for(ready, now)
    }

    /// The link of an asset's file, made if need be.
    ///
    /// # Errors
    /// Where it can't be made.
    pub async fn asset_link(&self, file: AssetFile<'_>) -> Result<Link, LinkError> {
        let now = self.now();
        if let Some(link) = self.ready_link(file, now) {
            return Ok(link);
        }
        let target = self.asset_target(file)?;
        let made = self.links(vec![target]).await?.pop().ok_or(LinkError::NoKey)??;
        self.keep(file, &made);
        Ok(made.link)
    }

    /// The same, to be handed out by [`Delivery::again`], where nothing has to be waited for: each signature is there,
    /// such as one that was made ahead of its window.
    #[must_use]
    pub fn asset_link_at_once(&self, file: AssetFile<'_>) -> Option<ReadyLink> {
        let made = match self.asset_target(file).ok()?.0 {
            Way::Signed(target) => self.links.file_at_once(target)?,
            Way::Stable(url, derivatives) => stable(url, derivatives, self.now()),
            Way::Presigned(..) => return None,
        };
        self.keep(file, &made);
        self.handed_out(file)
    }

    fn asset_target(&self, AssetFile { asset, tenant, width }: AssetFile<'_>) -> Result<Target, LinkError> {
        let derivative =
            width.and_then(|width| asset.key.derivative(width, asset.derivatives()?.format()).ok());
        let key = derivative.unwrap_or_else(|| asset.key.clone());
        self.asset_file(&self.place(tenant), asset.visibility, key, None)
    }

    /// Keeps the links of an asset's file that were made just now.
    pub fn keep(&self, file: AssetFile<'_>, made: &FileLinks) {
        self.links.keep(file, made);
    }

    /// The link of one file.
    ///
    /// # Errors
    /// Where it can't be made.
    pub async fn link(&self, target: Target) -> Result<Link, LinkError> {
        let made = self.links(vec![target]).await?.pop().ok_or(LinkError::NoKey)?;
        Ok(made?.link)
    }

    /// The links of many files, in their order; what isn't cached is signed in parallel.
    ///
    /// # Errors
    /// Where links can't be made at all.
    pub async fn links(&self, targets: Vec<Target>) -> Result<Vec<FileOutcome>, LinkError> {
        let now = self.now();
        let mut made = Vec::with_capacity(targets.len());
        let mut signed = Vec::new();
        for (index, Target(way)) in targets.into_iter().enumerate() {
            made.push(match (way, &self.private) {
                (Way::Signed(target), _) => {
                    signed.push((index, target));
                    None
                }
                (Way::Stable(url, derivatives), _) => Some(Ok(stable(url, derivatives, now))),
                (Way::Presigned(file, derivatives), PrivateDelivery::Presigned(presigner)) => {
                    if index % PRESIGNED_AT_ONCE == 0 {
                        tokio::task::yield_now().await;
                    }
                    Some(Ok(presigner.links(&file, &derivatives, now).await?))
                }
                // No target is made so.
                (Way::Presigned(..), PrivateDelivery::CloudFront) => return Err(LinkError::NoKey),
            });
        }
        if !signed.is_empty() {
            let (places, targets): (Vec<usize>, Vec<FileTarget>) = signed.into_iter().unzip();
            for (index, outcome) in places.into_iter().zip(self.links.files(targets).await?) {
                if let Some(place) = made.get_mut(index) {
                    *place = Some(outcome);
                }
            }
        }
        made.into_iter().map(|outcome| outcome.ok_or(LinkError::NoKey)).collect()
    }

    /// The links of a place that are ready. `None` while no key is active.
    #[must_use]
    pub fn ready(&self, place: &Place) -> Option<ReadyLinks<'_>> {
        self.links.ready(place)
    }

    /// Now, in seconds since the Unix epoch.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.links.now()
    }
}

/// Returns the keys of the derivatives of a file, by their width.
fn derivative_keys(
    key: &ObjectKey,
    derivatives: Option<&Derivatives>,
) -> Result<Vec<(u32, ObjectKey)>, LinkError> {
    let Some(set) = derivatives else { return Ok(Vec::new()) };
    let derivative = |width: &u32| match key.derivative(*width, set.format()) {
        Ok(key) => Ok((*width, key)),
        Err(error) => Err(LinkError::Grant(error.to_string())),
    };
    set.widths().iter().map(derivative).collect()
}

fn stable(url: String, derivatives: Vec<(u32, String)>, now: u64) -> FileLinks {
    let link = Link { url: url.into(), expires: None, max_age: STABLE_SECONDS };
    FileLinks { link, derivatives, cache_until: now.saturating_add(STABLE_SECONDS), signed: None }
}

/// How long an answer with a stable URL may be cached, in seconds. The URL has no end, but the asset may become
/// PRIVATE or be deleted: whoever asks again then gets the answer that holds by then.
const STABLE_SECONDS: u64 = 300;
/// How many files are presigned before others get their turn: about a millisecond's worth.
const PRESIGNED_AT_ONCE: usize = 16;
