//! From a resource to a signed link: window → key → cache → signing pool.

use std::ops::Range;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::fragments::{Fragment, FragmentDigest, Ready};
use super::key_ring::{KeyRing, RingKey};
use super::layout::Place;
pub use super::life::Life;
use super::life::lead;
use super::link_cache::{LinkCache, LinkDigest};
use super::ports::{Clock, LinkSource, Meter, StoreError};
use super::signing_pool::SigningPool;
use crate::cloudfront::{
    Grant, Policy, PolicyError, PolicyTerms, Resource, SignError, SignableUrl, Signature, Window,
};
use crate::document::Links;
use crate::media::{Derivatives, ObjectKey, Timestamp};

/// How many signatures are under way at a time for one request, so that a large document leaves
/// room for small requests in the signing queue.
const CONCURRENT_SIGNATURES: usize = 16;

/// Makes links. One for the whole process.
#[derive(Clone)]
pub struct LinkService {
    inner: Arc<Inner>,
}

struct Inner {
    ring: Arc<KeyRing>,
    cache: LinkCache,
    pool: SigningPool,
    clock: Arc<dyn Clock>,
    meter: Arc<dyn Meter>,
    settings: LinkSettings,
}

/// How links are made.
#[derive(Debug, Clone)]
pub struct LinkSettings {
    /// How long links live.
    pub life: Life,
    /// How long links of files under `private/` live.
    pub private_life: Life,
    /// What one signature covers.
    pub scope: GrantScope,
    /// What happens where a signature can't be made.
    pub on_failure: OnFailure,
}

/// What one signature covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantScope {
    /// One URL, by a canned policy.
    Url,
    /// A file and its derivatives, by a custom policy for `{link}*`.
    Asset,
}

/// What happens where a signature can't be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// The request fails.
    Refuse,
    /// The link goes out unsigned, counted and logged: for migration only.
    Unsigned,
}

/// A link and its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The signed URL.
    pub url: String,
    /// When it ends, in seconds since the Unix epoch.
    pub expires: u64,
    /// How long an answer that holds it may be cached, in seconds.
    pub max_age: u64,
}

/// The links of a file.
#[derive(Debug, Clone)]
pub struct FileLinks {
    /// The original.
    pub link: Link,
    /// The derivatives: width in pixels, signed URL; ascending.
    pub derivatives: Vec<(u32, String)>,
    /// Until when an answer that holds them may be cached, in seconds since the Unix epoch.
    pub cache_until: u64,
    /// How they came about; `None` where they are unsigned.
    signed: Option<SignedBy>,
}

/// What the links of a file depend on.
#[derive(Debug, Clone)]
struct SignedBy {
    key: Arc<RingKey>,
    grants: usize,
    fresh: Range<u64>,
}

impl FileLinks {
    /// The links, shared.
    #[must_use]
    pub fn shared(&self) -> Links {
        Links::with_derivatives(&self.link.url, &self.derivatives, self.link.expires)
    }
}

/// Links that are ready, and their key.
pub struct ReadyLinks<'c> {
    ready: Ready<'c>,
    key: Arc<RingKey>,
}

impl<'c> ReadyLinks<'c> {
    /// Where to find them.
    #[must_use]
    pub fn fragments(&self) -> &Ready<'c> {
        &self.ready
    }

    /// Keeps links that were made just now, unless they are unsigned, or another key has become
    /// active meanwhile.
    pub fn keep(&self, digest: FragmentDigest, made: &FileLinks, links: &Links) {
        let by_this_key = |by: &&SignedBy| Arc::ptr_eq(&by.key, &self.key);
        let Some(SignedBy { grants, fresh, .. }) = made.signed.as_ref().filter(by_this_key) else { return };
        let fragment = Fragment {
            links: links.clone(),
            grants: *grants,
            fresh: fresh.clone(),
            cache_until: made.cache_until,
        };
        self.ready.keep(digest, fragment);
    }
}

/// A file to be linked.
#[derive(Debug, Clone)]
pub struct FileTarget {
    key: ObjectKey,
    urls: Vec<SignableUrl>,
    widths: Vec<u32>,
}

impl FileTarget {
    /// A file of a tenant, with the derivatives that are wanted.
    ///
    /// # Errors
    /// Where the URL can't be signed, for its length.
    pub fn new(place: &Place, key: ObjectKey, derivatives: Option<&Derivatives>) -> Result<Self, LinkError> {
        let widths = derivatives.map(|set| set.widths().to_vec()).unwrap_or_default();
        let format = derivatives.map(Derivatives::format).unwrap_or_default();
        let smaller = widths.iter().map(|width| key.derivative(*width, format));
        let keys = std::iter::once(Ok(key.clone())).chain(smaller);
        let urls =
            keys.map(|key| parse(&place.url(&key.map_err(|error| LinkError::Grant(error.to_string()))?)));
        let urls = urls.collect::<Result<_, _>>()?;
        Ok(Self { key, urls, widths })
    }

    /// A URL that somebody has written, found to be a tenant's own.
    #[must_use]
    pub fn of_url(url: SignableUrl, key: ObjectKey) -> Self {
        Self { key, urls: vec![url], widths: Vec::new() }
    }
}

impl LinkService {
    /// Joins the parts.
    #[must_use]
    pub fn new(
        ring: Arc<KeyRing>,
        cache: LinkCache,
        pool: SigningPool,
        clock: Arc<dyn Clock>,
        meter: Arc<dyn Meter>,
        settings: LinkSettings,
    ) -> Self {
        Self { inner: Arc::new(Inner { ring, cache, pool, clock, meter, settings }) }
    }

    /// The link of one file.
    ///
    /// # Errors
    /// Where it can't be signed.
    pub async fn link(&self, target: FileTarget) -> Result<Link, LinkError> {
        Ok(self.file(&target).await?.link)
    }

    /// The links of many files, in their order; what isn't cached is signed in parallel.
    ///
    /// # Errors
    /// Where one of them can't be signed.
    pub async fn files(&self, targets: &[FileTarget]) -> Result<Vec<FileLinks>, LinkError> {
        let pending: Vec<_> = targets.iter().map(|target| self.file(target)).collect();
        stream::iter(pending).buffered(CONCURRENT_SIGNATURES).try_collect().await
    }

    /// The links of a place that are ready. `None` while no key is active.
    #[must_use]
    pub fn ready(&self, place: &Place) -> Option<ReadyLinks<'_>> {
        let now = self.now();
        let key = self.inner.ring.active(now)?;
        let ready = self.inner.cache.fragments().at(place, &key, now);
        Some(ReadyLinks { ready, key })
    }

    /// A grant for everything that a pattern covers.
    ///
    /// # Errors
    /// Where it can't be signed.
    pub async fn folder_grant(&self, resource: Resource) -> Result<Grant, LinkError> {
        let now = self.now();
        let key = self.active_key(now)?;
        self.grant(resource, &self.inner.settings.life, now, &key).await
    }

    /// Now, in seconds since the Unix epoch.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.inner.clock.now().seconds()
    }

    async fn file(&self, target: &FileTarget) -> Result<FileLinks, LinkError> {
        match self.signed_file(target).await {
            Err(error) if self.inner.settings.on_failure == OnFailure::Unsigned => {
                tracing::error!(%error, "a link goes out unsigned, as signing.on_failure says");
                Ok(self.unsigned_file(target))
            }
            outcome => outcome,
        }
    }

    async fn signed_file(&self, target: &FileTarget) -> Result<FileLinks, LinkError> {
        let now = self.now();
        let key = self.active_key(now)?;
        let settings = &self.inner.settings;
        let life = if target.key.is_private() { &settings.private_life } else { &settings.life };
        let whole = settings.scope == GrantScope::Asset && target.key.has_extension();
        let mut grants = Vec::with_capacity(if whole { 1 } else { target.urls.len() });
        let mut links = Vec::with_capacity(target.urls.len());
        for (index, url) in target.urls.iter().enumerate() {
            if !whole || index == 0 {
                let resource = if whole { starred(url)? } else { Resource::exact(url) };
                grants.push(self.grant(resource, life, now, &key).await?);
            }
            let grant = grants.last().ok_or(LinkError::NoKey)?;
            links.push(grant.link(url).map_err(|error| LinkError::Grant(error.to_string()))?);
        }
        let expires = grants.iter().map(Grant::expires).min().unwrap_or(now);
        let fresh = grants.iter().map(|grant| life.fresh(grant.expires(), now));
        let fresh = fresh.fold(0..u64::MAX, |all, one| all.start.max(one.start)..all.end.min(one.end));
        let mut links = links.into_iter();
        let url = links.next().unwrap_or_default();
        let cache_until = life.cache_until(expires);
        let max_age = cache_until.saturating_sub(now);
        let derivatives = target.widths.iter().copied().zip(links).collect();
        let signed = Some(SignedBy { key, grants: grants.len(), fresh });
        Ok(FileLinks { link: Link { url, expires, max_age }, derivatives, cache_until, signed })
    }

    fn unsigned_file(&self, target: &FileTarget) -> FileLinks {
        let now = self.now();
        let mut urls = target.urls.iter().map(|url| url.as_str().to_owned());
        let url = urls.next().unwrap_or_default();
        let derivatives = target.widths.iter().copied().zip(urls).collect();
        let link = Link { url, expires: now, max_age: 0 };
        FileLinks { link, derivatives, cache_until: now, signed: None }
    }

    fn active_key(&self, now: u64) -> Result<Arc<RingKey>, LinkError> {
        self.inner.ring.active(now).ok_or_else(|| {
            self.inner.meter.signing_failed();
            LinkError::NoKey
        })
    }

    async fn grant(
        &self,
        resource: Resource,
        life: &Life,
        now: u64,
        key: &Arc<RingKey>,
    ) -> Result<Grant, LinkError> {
        let expires = life.expires(resource.as_str(), now);
        let digest = self.inner.cache.digest(resource.as_str(), expires, key);
        let policy = until(resource, expires)?;
        let signature = match self.inner.cache.get(digest).await {
            Some(signature) => {
                self.inner.meter.links(LinkSource::Cache, 1);
                signature
            }
            None => {
                self.inner.meter.links(LinkSource::Signed, 1);
                self.inner.make(digest, key, &policy).await?
            }
        };
        if let Life::Window(window) = life {
            self.sign_ahead(&policy, window, now, key);
        }
        Ok(Grant::from_parts(policy, key.id.clone(), key.hash, signature))
    }

    /// Shortly before a window ends, signs what is asked for in it for the next one as well, off
    /// the request's path.
    fn sign_ahead(&self, policy: &Policy, window: &Window, now: u64, key: &Arc<RingKey>) {
        let step = window.step();
        let until_roll = policy.expires().saturating_sub(now).saturating_sub(step);
        if until_roll > lead(window) {
            return;
        }
        let expires = policy.expires() + step;
        let digest = self.inner.cache.digest(policy.resource().as_str(), expires, key);
        if self.inner.cache.holds(digest) {
            return;
        }
        let Ok(next) = until(policy.resource().clone(), expires) else { return };
        let (inner, key) = (Arc::clone(&self.inner), Arc::clone(key));
        tokio::spawn(async move {
            // A failure is counted and logged where it is made; the request to come tries again.
            let _ = inner.make(digest, &key, &next).await;
        });
    }
}

impl Inner {
    async fn make(
        &self,
        digest: LinkDigest,
        key: &Arc<RingKey>,
        policy: &Policy,
    ) -> Result<Signature, LinkError> {
        let make = async {
            let outcome = self.pool.sign(Arc::clone(key), policy.to_json()).await;
            match &outcome {
                Ok(_) => self.meter.signature(),
                Err(error) => {
                    self.meter.signing_failed();
                    tracing::error!(%error, key_pair_id = %key.id, "signing failed");
                }
            }
            outcome
        };
        self.cache.get_or_make(digest, make).await.map_err(LinkError::Signing)
    }
}

fn until(resource: Resource, expires: u64) -> Result<Policy, PolicyError> {
    Policy::custom(PolicyTerms { resource, expires, not_before: None, source_ip: None })
}

fn parse(url: &str) -> Result<SignableUrl, LinkError> {
    SignableUrl::parse(url).map_err(|error| LinkError::Grant(error.to_string()))
}

fn starred(url: &SignableUrl) -> Result<Resource, LinkError> {
    Resource::pattern(&format!("{}*", url.as_str())).map_err(|error| LinkError::Grant(error.to_string()))
}

/// An expiry as RFC 3339 in UTC.
#[must_use]
pub fn expiry_text(expires: u64) -> String {
    Timestamp::from_seconds(expires).to_rfc3339()
}

/// Why a link can't be made.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// No key of the ring is active.
    #[error("no key pair of the key ring is active now")]
    NoKey,
    /// The key can't sign.
    #[error("signing failed: {0}")]
    Signing(#[source] Arc<SignError>),
    /// The policy can't be written.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The grant can't be applied.
    #[error("the link can't be made: {0}")]
    Grant(String),
    /// What the link is for can't be looked up.
    #[error(transparent)]
    Store(#[from] StoreError),
}
