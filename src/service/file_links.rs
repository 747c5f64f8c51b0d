//! From a file to its links, in two steps with nothing to wait for in either:
//! [`Draft::new`] writes the policies and takes the signatures that are there, [`Draft::finish`]
//! makes links of all of them. What is missing is made in between, on the signing threads.

use std::ops::Range;
use std::sync::Arc;

use super::key_ring::RingKey;
use super::layout::{OwnUrl, Place};
use super::life::Life;
use super::link_cache::{LinkCache, LinkDigest};
use super::links::{GrantScope, LinkError, LinkSettings};
use super::signing_pool::Lane;
use crate::cloudfront::{Grant, Policy, PolicyTerms, Resource, SignableUrl, Signature};
use crate::document::Links;
use crate::media::{Derivatives, ObjectKey};

/// A link and its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The URL.
    pub url: Arc<str>,
    /// When it ends, in seconds since the Unix epoch. `None` of a stable URL: never.
    pub expires: Option<u64>,
    /// How long an answer that holds it may be cached, in seconds.
    pub max_age: u64,
}

/// The links of a file.
#[derive(Debug, Clone)]
pub struct FileLinks {
    /// The original.
    pub link: Link,
    /// The derivatives: width in pixels, URL; ascending.
    pub derivatives: Vec<(u32, String)>,
    /// Until when an answer that holds them may be cached, in seconds since the Unix epoch.
    pub cache_until: u64,
    /// How they came about; `None` where no key pair of the ring has signed them.
    pub(super) signed: Option<SignedBy>,
}

/// What the links of a file depend on.
#[derive(Debug, Clone)]
pub(super) struct SignedBy {
    pub(super) key: Arc<RingKey>,
    pub(super) grants: usize,
    /// When they are what would be made anew: seconds since the Unix epoch.
    pub(super) fresh: Range<u64>,
}

impl FileLinks {
    /// The links, shared.
    #[must_use]
    pub fn shared(&self) -> Links {
        Links::with_derivatives(&self.link.url, &self.derivatives, self.link.expires)
    }
}

/// A file to be linked.
#[derive(Debug, Clone)]
pub struct FileTarget {
    lane: Lane,
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
        let mut urls = Vec::with_capacity(1 + widths.len());
        urls.push(parse(&place.url(&key))?);
        for width in &widths {
            let key = key.derivative(*width, format).map_err(|error| LinkError::Grant(error.to_string()))?;
            urls.push(parse(&place.url(&key))?);
        }
        Ok(Self { lane: place.lane(), key, urls, widths })
    }

    /// A URL that somebody has written, found to be a tenant's own.
    #[must_use]
    pub fn of_url(place: &Place, own: OwnUrl) -> Self {
        Self { lane: place.lane(), key: own.key, urls: vec![own.url], widths: Vec::new() }
    }

    /// Whose turn it takes.
    pub(super) fn lane(&self) -> Lane {
        self.lane
    }

    /// The file.
    pub(super) fn key(&self) -> &ObjectKey {
        &self.key
    }

    /// The links as they are without a signature.
    pub(super) fn unsigned(&self, now: u64) -> FileLinks {
        let mut urls = self.urls.iter().map(|url| url.as_str().to_owned());
        let url = urls.next().unwrap_or_default().into();
        let derivatives = self.widths.iter().copied().zip(urls).collect();
        let link = Link { url, expires: Some(now), max_age: 0 };
        FileLinks { link, derivatives, cache_until: now, signed: None }
    }
}

/// A file whose policies are written.
pub(super) struct Draft {
    pub(super) target: FileTarget,
    pub(super) grants: Vec<GrantDraft>,
}

/// A policy, and its signature once that is there.
pub(super) struct GrantDraft {
    pub(super) policy: Policy,
    pub(super) digest: LinkDigest,
    pub(super) signature: Option<Signature>,
}

impl GrantDraft {
    /// What a resource gets now, with its signature where the cache has it.
    pub(super) fn new(
        resource: Resource,
        life: &Life,
        now: u64,
        key: &RingKey,
        cache: &LinkCache,
    ) -> Result<Self, LinkError> {
        let expires = life.expires(resource.as_str(), now);
        let digest = cache.digest(resource.as_str(), expires, key);
        let terms = PolicyTerms { resource, expires, not_before: None, source_ip: None };
        Ok(Self { policy: Policy::custom(terms)?, digest, signature: cache.get(digest) })
    }

    /// The grant. `None` without its signature.
    pub(super) fn finish(&self, key: &RingKey) -> Option<Grant> {
        let signature = self.signature.clone()?;
        Some(Grant::from_parts(self.policy.clone(), key.id.clone(), key.hash, signature))
    }
}

impl Draft {
    pub(super) fn new(
        target: FileTarget,
        settings: &LinkSettings,
        now: u64,
        key: &RingKey,
        cache: &LinkCache,
    ) -> Result<Self, (FileTarget, LinkError)> {
        let life = settings.life_of(&target.key);
        let resources: Result<Vec<Resource>, LinkError> = if settings.covers_all(&target.key) {
            target.urls.first().map(starred).into_iter().collect()
        } else {
            Ok(target.urls.iter().map(Resource::exact).collect())
        };
        let grant = |resource| GrantDraft::new(resource, life, now, key, cache);
        match resources.and_then(|resources| resources.into_iter().map(grant).collect()) {
            Ok(grants) => Ok(Self { target, grants }),
            Err(error) => Err((target, error)),
        }
    }

    /// How many signatures aren't there yet.
    pub(super) fn missing(&self) -> usize {
        self.grants.iter().filter(|grant| grant.signature.is_none()).count()
    }

    /// The links. All signatures must be there.
    pub(super) fn finish(
        &self,
        settings: &LinkSettings,
        now: u64,
        key: &Arc<RingKey>,
    ) -> Result<FileLinks, LinkError> {
        let life = settings.life_of(&self.target.key);
        let mut links = Vec::with_capacity(self.target.urls.len());
        let mut grant = None;
        for (index, url) in self.target.urls.iter().enumerate() {
            if let Some(draft) = self.grants.get(index) {
                grant = draft.finish(key);
            }
            let grant = grant.as_ref().ok_or(LinkError::NoKey)?;
            links.push(grant.link(url).map_err(|error| LinkError::Grant(error.to_string()))?);
        }
        let expiries = || self.grants.iter().map(|grant| grant.policy.expires());
        let expires = expiries().min().unwrap_or(now);
        let fresh = expiries().map(|expires| life.fresh(expires, now));
        let fresh = fresh.fold(0..u64::MAX, |all, one| all.start.max(one.start)..all.end.min(one.end));
        let mut links = links.into_iter();
        let url = links.next().unwrap_or_default().into();
        let cache_until = life.cache_until(expires);
        let link = Link { url, expires: Some(expires), max_age: cache_until.saturating_sub(now) };
        let derivatives = self.target.widths.iter().copied().zip(links).collect();
        let signed = Some(SignedBy { key: Arc::clone(key), grants: self.grants.len(), fresh });
        Ok(FileLinks { link, derivatives, cache_until, signed })
    }
}

impl LinkSettings {
    /// How long links of a file live.
    pub(super) fn life_of(&self, key: &ObjectKey) -> &Life {
        if key.is_private() { &self.private_life } else { &self.life }
    }

    /// Whether one signature covers a file and its derivatives.
    fn covers_all(&self, key: &ObjectKey) -> bool {
        self.scope == GrantScope::Asset && key.has_extension()
    }
}

fn parse(url: &str) -> Result<SignableUrl, LinkError> {
    SignableUrl::parse(url).map_err(|error| LinkError::Grant(error.to_string()))
}

fn starred(url: &SignableUrl) -> Result<Resource, LinkError> {
    Resource::pattern(&format!("{}*", url.as_str())).map_err(|error| LinkError::Grant(error.to_string()))
}
