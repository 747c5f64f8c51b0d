//! What is known of tenants, kept for a while: so that a request doesn't need the store each time, and so that
//! it is answered where the store is down.
//!
//! 1. A tenant that was found is good for [`FRESH_MILLIS`]; then the store is asked again. So a tenant that was
//!    frozen, or an API key that was taken back, is seen no later than that. Where changes are heard of
//!    ([`CachedTenants::hear`]), it is seen at once, and where they should be and aren't, after
//!    [`UNHEARD_MILLIS`].
//! 2. Where the store is unavailable, it is good for [`STALE_MILLIS`], as it was known last: a frozen one stays
//!    frozen. The store isn't asked again for [`DOWN_MILLIS`] if there is such an answer, nor while it is known
//!    to be unresponsive. Requests that already wait then get that answer at once.
//! 3. What wasn't found is remembered for [`ABSENT_MILLIS`], and is no answer where the store is down.
//!
//! The store is asked once for all who need the same at the same time. API keys that no tenant is known to have could
//! be any number: their look-ups under way are bounded ([`CachedTenants::bounded`]), and what isn't let in is refused at
//! once. So known tenants go on whatever strangers send.
//!
//! API keys lead to the tenant's id, and that to the tenant: what is learned by one way holds for the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use moka::sync::Cache;
use quick_cache::sync::Cache as QuickCache;

use tokio::sync::Semaphore;

use super::epochs::{Epoch, Epochs};
use super::outage::Outage;
use super::ports::{ApiKey, Change, Clock, StoreError, TenantStore};
use super::tenant_lookups::{Begun, Landed, Lookups};
use crate::media::{ApiKeyDigest, Tenant, TenantId};

/// A store of tenants, and what it has said.
pub struct CachedTenants {
    store: Arc<dyn TenantStore>,
    clock: Arc<dyn Clock>,
    /// Read by each request, so each read has to be cheap.
    tenants: QuickCache<TenantId, Known<Arc<Tenant>>>,
    /// They move with what is put into `tenants`, or taken out.
    epochs: Epochs,
    api_keys: Cache<ApiKeyDigest, Known<TenantId>>,
    absent: Cache<Asked, u64>,
    /// What the store is being asked.
    lookups: Lookups<Asked>,
    /// Those of unknown API keys that there may be more of; `None` for any number.
    unknown: Option<Arc<Semaphore>>,
    /// How many changes were heard of.
    heard: AtomicU64,
    /// Tenants that were changed, and when that was heard of, in milliseconds.
    changed: Cache<TenantId, u64>,
    /// Until when the store is taken to be down, in milliseconds.
    down_until: AtomicU64,
    outage: Outage,
    /// For how long what is known is fresh, in milliseconds.
    fresh_millis: AtomicU64,
    /// What was asked for before isn't fresh, in milliseconds.
    doubted_at: AtomicU64,
}

/// Something, and when the store was asked for it, in milliseconds.
#[derive(Debug, Clone)]
struct Known<T> {
    value: T,
    asked_at: u64,
}

/// What was known of a tenant, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct TenantMark {
    epoch: Epoch,
    /// In milliseconds.
    asked_at: u64,
}

/// What the store may be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Asked {
    Id(TenantId),
    ApiKey(ApiKeyDigest),
}

/// How the store is asked for it.
#[derive(Clone, Copy)]
enum Question<'a> {
    Id(&'a TenantId),
    ApiKey(&'a ApiKey),
}

/// The same, for a look-up that outlives its first caller.
enum OwnedQuestion {
    Id(TenantId),
    ApiKey(ApiKey),
}

impl Question<'_> {
    fn to_owned(self) -> OwnedQuestion {
        match self {
            Self::Id(id) => OwnedQuestion::Id(id.clone()),
            Self::ApiKey(key) => OwnedQuestion::ApiKey(key.clone()),
        }
    }
}

/// The store isn't asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many unknown API keys are being looked up")]
pub struct TooManyLookUps;

/// Why it can't be said which tenant it is.
#[derive(Debug, thiserror::Error)]
pub enum LookUpError {
    /// The store isn't asked.
    #[error(transparent)]
    TooMany(#[from] TooManyLookUps),
    /// The store can't answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<LookUpError> for StoreError {
    fn from(error: LookUpError) -> Self {
        match error {
            LookUpError::TooMany(error) => Self::unavailable(error),
            LookUpError::Store(error) => error,
        }
    }
}

impl CachedTenants {
    /// Keeps what a store says.
    #[must_use]
    pub fn new(store: Arc<dyn TenantStore>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            tenants: QuickCache::new(MAX_ENTRIES as usize),
            epochs: Epochs::default(),
            api_keys: Cache::new(MAX_ENTRIES),
            absent: Cache::new(MAX_ENTRIES),
            lookups: Lookups::default(),
            unknown: None,
            heard: AtomicU64::new(0),
            changed: Cache::new(MAX_ENTRIES),
            down_until: AtomicU64::new(0),
            outage: Outage::default(),
            fresh_millis: AtomicU64::new(FRESH_MILLIS),
            doubted_at: AtomicU64::new(0),
        }
    }

    /// The same, with so many look-ups of unknown API keys under way at the same time.
    #[must_use]
    pub fn bounded(self, most: usize) -> Self {
        Self { unknown: Some(Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)))), ..self }
    }

    /// Takes note of tenants' API keys without asking the store: they are known from then on, and looked up when they are
    /// first used.
    pub fn expect<'t>(&self, tenants: impl IntoIterator<Item = &'t Tenant>) {
        for tenant in tenants {
            if let Some(digest) = tenant.api_key {
                self.api_keys.insert(digest, Known { value: tenant.id.clone(), asked_at: 0 });
            }
        }
    }

    /// Returns whether a tenant is known to have an API key, or the store has just said that none has it. It may have to be
    /// asked again all the same; but that happens seldom, however often the key comes.
    #[must_use]
    pub fn knows(&self, key: &ApiKey) -> bool {
        self.api_keys.contains_key(key.digest())
            || self.is_absent(&Asked::ApiKey(*key.digest()), self.clock.now().millis())
    }

    /// The tenant that has an API key, as [`TenantStore::find_by_api_key`].
    ///
    /// # Errors
    /// Where the store can't answer, or isn't asked as it has enough to do, and nothing is known.
    pub async fn find_key(&self, key: &ApiKey) -> Result<Option<Arc<Tenant>>, LookUpError> {
        self.look_up(Question::ApiKey(key)).await
    }

    /// Takes note of what was changed in the store, or that this isn't heard of any more.
    pub fn hear(&self, change: &Change) {
        match change {
            Change::Tenant(id) => {
                // Also for when the store is down: what is known is known to be wrong.
                self.changed.insert(id.clone(), self.clock.now().millis());
                self.tenants.remove(id);
                self.epochs.move_on(id);
                self.absent.invalidate_all();
                self.heard.fetch_add(1, Ordering::Relaxed);
            }
            Change::Lost => {
                self.fresh_millis.store(UNHEARD_MILLIS, Ordering::Relaxed);
                self.end_outage();
            }
            Change::Unresponsive => {
                self.fresh_millis.store(UNHEARD_MILLIS, Ordering::Relaxed);
                self.outage.set(true);
            }
            Change::Connected => {
                self.doubted_at.store(self.clock.now().millis(), Ordering::Relaxed);
                self.absent.invalidate_all();
                self.heard.fetch_add(1, Ordering::Relaxed);
                self.fresh_millis.store(FRESH_MILLIS, Ordering::Relaxed);
                self.end_outage();
            }
            Change::Resumed => {
                self.fresh_millis.store(FRESH_MILLIS, Ordering::Relaxed);
                self.end_outage();
            }
            Change::Asset(_) => {}
        }
    }

    fn end_outage(&self) {
        self.down_until.store(0, Ordering::Relaxed);
        self.outage.set(false);
    }

    /// A tenant, where what is known of it is good: nothing to wait for. `now` is in milliseconds since the Unix epoch.
    #[must_use]
    pub fn good(&self, id: &TenantId, now: u64) -> Option<Arc<Tenant>> {
        let known = self.tenants.get(id)?;
        self.is_fresh(known.asked_at, now).then_some(known.value)
    }

    /// As [`CachedTenants::good`], with what says later whether it still is.
    pub(super) fn good_and_mark(&self, id: &TenantId, now: u64) -> Option<(Arc<Tenant>, TenantMark)> {
        let epoch = self.epochs.of(id);
        let Known { value, asked_at } = self.tenants.get(id)?;
        self.is_fresh(asked_at, now).then_some((value, TenantMark { epoch, asked_at }))
    }

    /// Whether a tenant is still known as it was then, and that is good. `now` is in milliseconds.
    pub(super) fn still_good(&self, mark: TenantMark, now: u64) -> bool {
        self.epochs.stands(mark.epoch) && self.is_fresh(mark.asked_at, now)
    }

    /// A tenant, as [`TenantStore::find`], shared.
    ///
    /// # Errors
    /// Where the store can't answer, and nothing is known.
    pub async fn shared(&self, id: &TenantId) -> Result<Option<Arc<Tenant>>, StoreError> {
        Ok(self.look_up(Question::Id(id)).await?)
    }

    fn is_fresh(&self, asked_at: u64, now: u64) -> bool {
        let doubted_at = self.doubted_at.load(Ordering::Relaxed);
        now.abs_diff(asked_at) < self.fresh_millis.load(Ordering::Relaxed)
            && (doubted_at == 0 || asked_at > doubted_at)
    }

    fn is_absent(&self, asked: &Asked, now: u64) -> bool {
        self.absent.get(asked).is_some_and(|at| now.abs_diff(at) < ABSENT_MILLIS)
    }

    async fn look_up(&self, question: Question<'_>) -> Result<Option<Arc<Tenant>>, LookUpError> {
        let asked = match question {
            Question::Id(id) => Asked::Id(id.clone()),
            Question::ApiKey(key) => Asked::ApiKey(*key.digest()),
        };
        let now = self.clock.now().millis();
        let known = self.known(&asked);
        if let Some(known) = known.as_ref().filter(|known| self.is_fresh(known.asked_at, now)) {
            return Ok(Some(Arc::clone(&known.value)));
        }
        if known.is_none() && self.is_absent(&asked, now) {
            return Ok(None);
        }
        // What is answered if the store can't be asked.
        let stale =
            known.filter(|known| now.abs_diff(known.asked_at) < STALE_MILLIS).map(|known| known.value);
        if (self.outage.is_on() || now < self.down_until.load(Ordering::Relaxed)) && stale.is_some() {
            return Ok(stale);
        }
        let begun = Begun { at: now, changes: self.heard.load(Ordering::Relaxed) };
        let ticket = self.lookups.join(asked.clone(), begun, || self.ask(question))?;
        let landed = if stale.is_some() {
            self.outage.interrupt(ticket.landed()).await
        } else {
            Some(ticket.landed().await)
        };
        let Some(Landed { found, asked_at }) = landed else { return Ok(stale) };
        match found {
            Ok(tenant) => {
                self.down_until.store(0, Ordering::Relaxed);
                self.learn(asked, tenant.as_ref(), asked_at);
                Ok(tenant)
            }
            Err(error @ StoreError::Unavailable(_)) => {
                let until = self.clock.now().millis().saturating_add(DOWN_MILLIS);
                self.down_until.store(until, Ordering::Relaxed);
                stale.map(Some).ok_or(error.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Asks the store, unless it is asked for too many unknown API keys.
    fn ask(
        &self,
        question: Question<'_>,
    ) -> Result<impl Future<Output = Result<Option<Tenant>, StoreError>> + Send + use<>, TooManyLookUps> {
        let unknown = match question {
            Question::ApiKey(key) if !self.api_keys.contains_key(key.digest()) => self.unknown.as_ref(),
            _ => None,
        };
        let permit = unknown.map(|unknown| Arc::clone(unknown).try_acquire_owned()).transpose();
        let permit = permit.map_err(|_| TooManyLookUps)?;
        let (store, question) = (Arc::clone(&self.store), question.to_owned());
        Ok(async move {
            let _permit = permit;
            match question {
                OwnedQuestion::Id(id) => store.find(&id).await,
                OwnedQuestion::ApiKey(key) => store.find_by_api_key(&key).await,
            }
        })
    }

    /// What is known of it, however old. It is as old as the older of what leads to it: a key that was taken
    /// back doesn't live on by what is known of its tenant.
    fn known(&self, asked: &Asked) -> Option<Known<Arc<Tenant>>> {
        match asked {
            Asked::Id(id) => self.tenants.get(id),
            Asked::ApiKey(digest) => {
                let key = self.api_keys.get(digest)?;
                let tenant = self.tenants.get(&key.value)?;
                Some(Known { asked_at: key.asked_at.min(tenant.asked_at), ..tenant })
            }
        }
    }

    fn learn(&self, asked: Asked, tenant: Option<&Arc<Tenant>>, asked_at: u64) {
        let Some(tenant) = tenant else {
            match &asked {
                Asked::Id(id) => {
                    self.tenants.remove(id);
                    self.epochs.move_on(id);
                }
                Asked::ApiKey(digest) => self.api_keys.invalidate(digest),
            }
            self.absent.insert(asked, asked_at);
            return;
        };
        self.absent.invalidate(&asked);
        // Nor is an answer kept to what was asked before it was changed.
        if self.changed.get(&tenant.id).is_some_and(|heard_at| asked_at <= heard_at) {
            return;
        }
        // A slow answer doesn't take the place of a later one, nor of itself: several have waited for it.
        let newer = self.tenants.get(&tenant.id).is_some_and(|known| {
            known.asked_at > asked_at || known.asked_at == asked_at && Arc::ptr_eq(&known.value, tenant)
        });
        if !newer {
            self.tenants.insert(tenant.id.clone(), Known { value: Arc::clone(tenant), asked_at });
            self.epochs.move_on(&tenant.id);
        }
        if let Asked::ApiKey(digest) = asked {
            self.api_keys.insert(digest, Known { value: tenant.id.clone(), asked_at });
        }
    }
}

#[async_trait]
impl TenantStore for CachedTenants {
    async fn find(&self, id: &TenantId) -> Result<Option<Tenant>, StoreError> {
        Ok(self.look_up(Question::Id(id)).await?.map(Arc::unwrap_or_clone))
    }

    async fn find_by_api_key(&self, key: &ApiKey) -> Result<Option<Tenant>, StoreError> {
        Ok(self.look_up(Question::ApiKey(key)).await?.map(Arc::unwrap_or_clone))
    }
}

/// How many tenants, API keys and strangers are kept, each.
const MAX_ENTRIES: u64 = 10_000;
/// A minute.
const FRESH_MILLIS: u64 = 60_000;
/// A second.
const UNHEARD_MILLIS: u64 = 1_000;
/// A day.
const STALE_MILLIS: u64 = 24 * 3_600_000;
/// Five seconds.
const ABSENT_MILLIS: u64 = 5_000;
/// Two seconds.
const DOWN_MILLIS: u64 = 2_000;
