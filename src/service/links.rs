//! From a resource to a signed link: window → key → cache → signing pool.
//!
//! What the cache has is answered at once. The rest is cut into jobs of about a millisecond for the
//! signing threads, a few of them at a time for one request, so that a document of thousands of
//! links leaves room for others. Each missing signature is made once, however many wait for it.

use std::sync::Arc;

use futures_util::TryStreamExt;
use futures_util::stream::FuturesUnordered;

use super::asset_links::{AssetFile, ReadyLink};
use super::file_links::{Draft, GrantDraft, SignedBy};
pub use super::file_links::{FileLinks, FileTarget, Link};
use super::fragments::{Fragment, FragmentDigest, Ready};
use super::key_ring::{KeyRing, RingKey};
use super::layout::Place;
pub use super::life::Life;
use super::life::lead;
use super::link_cache::{LinkCache, LinkDigest};
use super::ports::{Clock, Limit, LinkSource, Meter, StoreError};
use super::signature_budget::SignatureBudget;
use super::signing_pool::{Admitted, Lane, PoolError, QueueFull, SigningPool};
use crate::cloudfront::{Grant, Policy, PolicyError, PolicyTerms, Resource, SignError, Signature};
use crate::document::Links;
use crate::media::Timestamp;

/// Makes links. One for the whole process.
#[derive(Clone)]
pub struct LinkService {
    inner: Arc<Inner>,
}

struct Inner {
    ring: Arc<KeyRing>,
    cache: LinkCache,
    pool: SigningPool,
    budget: SignatureBudget,
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

impl LinkSettings {
    /// The same life for all files, and never a link without a signature.
    #[must_use]
    pub fn strict(life: Life, scope: GrantScope) -> Self {
        Self { private_life: life.clone(), life, scope, on_failure: OnFailure::Refuse }
    }
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

/// What becomes of one file among many.
pub type FileOutcome = Result<FileLinks, Unlinkable>;

/// A file whose link CloudFront would refuse, for its length.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unlinkable(String);

impl From<Unlinkable> for LinkError {
    fn from(Unlinkable(reason): Unlinkable) -> Self {
        Self::Grant(reason)
    }
}

impl LinkService {
    /// Joins the parts.
    #[must_use]
    pub fn new(
        ring: Arc<KeyRing>,
        cache: LinkCache,
        pool: SigningPool,
        budget: SignatureBudget,
        clock: Arc<dyn Clock>,
        meter: Arc<dyn Meter>,
        settings: LinkSettings,
    ) -> Self {
        Self { inner: Arc::new(Inner { ring, cache, pool, budget, clock, meter, settings }) }
    }

    /// The link of one file.
    ///
    /// # Errors
    /// Where it can't be signed.
    pub async fn link(&self, target: FileTarget) -> Result<Link, LinkError> {
        let made = self.files(vec![target]).await?.pop().ok_or(LinkError::NoKey)?;
        Ok(made?.link)
    }

    /// The links of many files, in their order; what isn't cached is signed in parallel.
    ///
    /// # Errors
    /// Where signing fails.
    pub async fn files(&self, targets: Vec<FileTarget>) -> Result<Vec<FileOutcome>, LinkError> {
        let now = self.now();
        let inner = &self.inner;
        let Some(key) = inner.ring.active(now) else {
            return targets.iter().map(|target| inner.failed(target, LinkError::NoKey, now)).collect();
        };
        let most = inner.pool.threads().get() * JOBS_A_THREAD;
        let mut made: Vec<Option<FileOutcome>> = targets.iter().map(|_| None).collect();
        let mut targets = targets.into_iter().enumerate();
        let mut under_way = FuturesUnordered::new();
        let mut admitted = None;
        loop {
            while under_way.len() < most
                && let Some(job) = self.next_job(&mut targets, &mut made, now, &key)?
            {
                if admitted.is_none() {
                    admitted = Some(inner.admit(job.lane)?);
                }
                under_way.push(self.sign(job, now, &key));
            }
            let Some(outcomes) = under_way.try_next().await? else { break };
            for (index, outcome) in outcomes {
                put(&mut made, index, outcome);
            }
        }
        made.into_iter().map(|outcome| outcome.ok_or(LinkError::NoKey)).collect()
    }

    /// The next files that have to be signed: as many as make a job. What is cached on the way to
    /// them is answered at once.
    fn next_job(
        &self,
        targets: &mut impl Iterator<Item = (usize, FileTarget)>,
        made: &mut [Option<FileOutcome>],
        now: u64,
        key: &Arc<RingKey>,
    ) -> Result<Option<Job>, LinkError> {
        let inner = &self.inner;
        let size = usize::try_from(JOB_MICROS / key.private.cost_micros().max(1)).unwrap_or(1);
        let size = size.clamp(1, SignatureBudget::MOST_AT_ONCE);
        let mut job: Option<Job> = None;
        while job.as_ref().is_none_or(|job| job.missing < size)
            && let Some((index, target)) = targets.next()
        {
            let lane = target.lane();
            let draft = match Draft::new(target, &inner.settings, now, key, &inner.cache) {
                Ok(draft) => draft,
                Err((target, error)) => {
                    put(made, index, inner.failed(&target, error, now)?);
                    continue;
                }
            };
            inner.meter.links(LinkSource::Cache, draft.grants.len() - draft.missing());
            inner.sign_ahead(&draft, now, key);
            if draft.missing() == 0 {
                put(made, index, inner.finish(&draft, now, key)?);
            } else {
                let job = job.get_or_insert_with(|| Job { lane, missing: 0, drafts: Vec::new() });
                job.missing += draft.missing();
                job.drafts.push((index, draft));
            }
        }
        Ok(job)
    }

    /// The link of an asset's file, where it was handed out before and is what would be made anew. `now` is in
    /// seconds since the Unix epoch.
    #[must_use]
    pub fn ready_link(&self, file: AssetFile<'_>, now: u64) -> Option<Link> {
        self.again(&self.handed_out(file)?, now)
    }

    /// The link of an asset's file that was handed out before.
    #[must_use]
    pub fn handed_out(&self, file: AssetFile<'_>) -> Option<ReadyLink> {
        self.inner.cache.assets().get(file)
    }

    /// Hands it out again, where it is what would be made anew. `now` is in seconds since the Unix epoch.
    #[must_use]
    pub fn again(&self, ready: &ReadyLink, now: u64) -> Option<Link> {
        let (link, grants) = ready.at(now, |key| self.inner.ring.is_active(key, now))?;
        self.inner.meter.links(LinkSource::Cache, grants);
        Some(link)
    }

    /// The same, of which only is wanted for how many seconds answers with it may be cached.
    #[must_use]
    pub fn again_for(&self, ready: &ReadyLink, now: u64) -> Option<u64> {
        let (max_age, grants) = ready.max_age_at(now, |key| self.inner.ring.is_active(key, now))?;
        self.inner.meter.links(LinkSource::Cache, grants);
        Some(max_age)
    }

    /// The links of a file, where each signature is there: nothing has to be waited for. Nothing is counted.
    #[must_use]
    pub fn file_at_once(&self, target: FileTarget) -> Option<FileLinks> {
        let (inner, now) = (&self.inner, self.now());
        let key = inner.ring.active(now)?;
        let draft = Draft::new(target, &inner.settings, now, &key, &inner.cache).ok()?;
        if draft.missing() > 0 {
            return None;
        }
        inner.sign_ahead(&draft, now, &key);
        draft.finish(&inner.settings, now, &key).ok()
    }

    /// Keeps the links of an asset's file that were made just now.
    pub fn keep(&self, file: AssetFile<'_>, made: &FileLinks) {
        self.inner.cache.assets().keep(file, made);
    }

    /// The links of a place that are ready. `None` while no key is active.
    #[must_use]
    pub fn ready(&self, place: &Place) -> Option<ReadyLinks<'_>> {
        let now = self.now();
        let key = self.inner.ring.active(now)?;
        let ready = self.inner.cache.fragments().at(place, &key, now);
        Some(ReadyLinks { ready, key })
    }

    /// A grant for everything that a pattern under a place's root covers.
    ///
    /// # Errors
    /// Where it can't be signed.
    pub async fn folder_grant(&self, place: &Place, resource: Resource) -> Result<Grant, LinkError> {
        let now = self.now();
        let inner = Arc::clone(&self.inner);
        let Some(key) = inner.ring.active(now) else {
            inner.meter.signing_failed();
            return Err(LinkError::NoKey);
        };
        let mut draft = GrantDraft::new(resource, &inner.settings.life, now, &key, &inner.cache)?;
        if draft.signature.is_none() {
            let _admitted = inner.admit(place.lane())?;
            inner.budget.take(place.lane(), 1).await;
            let (pool, key) = (&self.inner.pool, Arc::clone(&key));
            let job = move || inner.complete(&mut draft, &key).map(|()| draft);
            draft = pool.run(place.lane(), job).await??;
        } else {
            self.inner.meter.links(LinkSource::Cache, 1);
        }
        draft.finish(&key).ok_or(LinkError::NoKey)
    }

    /// Now, in seconds since the Unix epoch.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.inner.clock.now().seconds()
    }

    /// Signs what is missing of a few files on a signing thread, when their tenant's turn has come.
    async fn sign(
        &self,
        Job { lane, missing, mut drafts }: Job,
        now: u64,
        key: &Arc<RingKey>,
    ) -> Result<Vec<(usize, FileOutcome)>, LinkError> {
        self.inner.budget.take(lane, missing).await;
        let (inner, key) = (Arc::clone(&self.inner), Arc::clone(key));
        let work = move || {
            let mut outcomes = Vec::with_capacity(drafts.len());
            for (index, draft) in &mut drafts {
                let signed = draft.grants.iter_mut().try_for_each(|grant| inner.complete(grant, &key));
                let outcome = match signed {
                    Ok(()) => inner.finish(draft, now, &key)?,
                    Err(error) => inner.failed(&draft.target, error, now)?,
                };
                outcomes.push((*index, outcome));
            }
            Ok(outcomes)
        };
        self.inner.pool.run(lane, work).await?
    }
}

fn put(made: &mut [Option<FileOutcome>], index: usize, outcome: FileOutcome) {
    if let Some(place) = made.get_mut(index) {
        *place = Some(outcome);
    }
}

/// What is signed at a stretch: about a millisecond's worth. All files of a call are of one tenant.
struct Job {
    lane: Lane,
    missing: usize,
    /// Files by their place in the answer.
    drafts: Vec<(usize, Draft)>,
}

impl Inner {
    /// Lets a request begin that needs signatures.
    fn admit(&self, lane: Lane) -> Result<Admitted, LinkError> {
        self.pool.admit(lane).map_err(|full| {
            self.meter.limit(Limit::SigningQueue);
            LinkError::Full(full)
        })
    }

    /// Makes a signature, where it isn't there yet. To be called on a signing thread alone: it may
    /// wait for another one that makes the same.
    fn complete(&self, draft: &mut GrantDraft, key: &Arc<RingKey>) -> Result<(), LinkError> {
        if draft.signature.is_none() {
            self.meter.links(LinkSource::Signed, 1);
            draft.signature = Some(self.make(draft.digest, key, &draft.policy)?);
        }
        Ok(())
    }

    fn make(&self, digest: LinkDigest, key: &RingKey, policy: &Policy) -> Result<Signature, LinkError> {
        let make = || {
            let outcome = key.private.sign(policy.to_json().as_bytes(), key.hash);
            match &outcome {
                Ok(_) => self.meter.signature(key),
                Err(error) => {
                    self.meter.signing_failed();
                    tracing::error!(%error, key_pair_id = %key.id, "signing failed");
                }
            }
            outcome
        };
        self.cache.get_or_make(digest, make).map_err(LinkError::Signing)
    }

    fn finish(&self, draft: &Draft, now: u64, key: &Arc<RingKey>) -> Result<FileOutcome, LinkError> {
        match draft.finish(&self.settings, now, key) {
            Ok(links) => Ok(Ok(links)),
            Err(error) => self.failed(&draft.target, error, now),
        }
    }

    /// What becomes of a file whose links can't be made.
    fn failed(&self, target: &FileTarget, error: LinkError, now: u64) -> Result<FileOutcome, LinkError> {
        if matches!(error, LinkError::NoKey) {
            self.meter.signing_failed();
        }
        if self.settings.on_failure == OnFailure::Unsigned {
            tracing::error!(%error, "a link goes out unsigned, as signing.on_failure says");
            return Ok(Ok(target.unsigned(now)));
        }
        match error {
            LinkError::Grant(reason) => Ok(Err(Unlinkable(reason))),
            error => Err(error),
        }
    }

    /// Shortly before a window ends, signs what is asked for again in it for the next one as well, off
    /// the request's path.
    fn sign_ahead(self: &Arc<Self>, draft: &Draft, now: u64, key: &Arc<RingKey>) {
        let Life::Window(window) = self.settings.life_of(draft.target.key()) else { return };
        for GrantDraft { policy, .. } in draft.grants.iter().filter(|grant| grant.signature.is_some()) {
            let step = window.step();
            let until_roll = policy.expires().saturating_sub(now).saturating_sub(step);
            if until_roll > lead(window) {
                continue;
            }
            let (resource, expires) = (policy.resource().clone(), policy.expires() + step);
            let digest = self.cache.digest(resource.as_str(), expires, key);
            if self.cache.holds(digest) {
                continue;
            }
            let terms = PolicyTerms { resource, expires, not_before: None, source_ip: None };
            let Ok(next) = Policy::custom(terms) else { continue };
            let (inner, key) = (Arc::clone(self), Arc::clone(key));
            // A failure is counted and logged where it is made; the request to come tries again.
            self.pool.run_idle(move || drop(inner.make(digest, &key, &next)));
        }
    }
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
    /// The signing threads are gone.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// Too many signatures are waited for.
    #[error(transparent)]
    Full(#[from] QueueFull),
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

/// What a job may take on a signing thread: others wait for it.
const JOB_MICROS: u64 = 1_000;
/// Jobs of one request that are under way for each signing thread, so that none waits for the request.
const JOBS_A_THREAD: usize = 4;
