//! What is known of assets, kept for a while: so that a link doesn't need the store each time, and so that there is one
//! where the store is down.
//!
//! 1. What the store has said of an asset is good for a time that can be changed while the process runs: long where
//!    this process alone writes, or a change feed tells of others by [`CachedAssets::forget`]; else short.
//! 2. An id that nobody has is remembered for a few seconds.
//! 3. Where the store is unavailable, an asset is answered as it was known last, for a day or so, and the answer says
//!    that it is stale. If there is such an answer, the store isn't asked again for [`DOWN_MILLIS`], nor while it is
//!    known to be unresponsive ([`CachedAssets::set_unresponsive`]). Requests that already wait for the store get the
//!    stale answer as soon as that is known.
//! 4. A change that is made here is known here once it is answered; nothing older takes its place (`shelf`). A change
//!    that has begun goes on when its caller gives up waiting, so that what came of it is known.
//! 5. Of many who ask for one unknown asset, one asks the store (`flights`).

mod flights;
mod shelf;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tracing::Instrument;

use self::flights::Flights;
use self::shelf::{Entry, Shelf};
use super::epochs::Epoch;
use super::outage::Outage;
use super::ports::{
    AssetFilter, AssetSource, AssetStore, Clock, Due, InsertTerms, Inserted, ListPosition, Meter, StoreError,
    Update,
};
use crate::media::{Asset, AssetId, TenantId, Timestamp, Usage};

/// A store of assets, and what it has said. Cheap to clone.
#[derive(Clone)]
pub struct CachedAssets {
    inner: Arc<Inner>,
}

/// How much is kept, and for how long it is good.
#[derive(Debug, Clone)]
pub struct CacheTerms {
    /// The most memory, in bytes.
    pub max_bytes: u64,
    /// How long an asset is good; see [`CachedAssets::set_fresh`].
    pub fresh: Duration,
    /// How long an id that nobody has is remembered.
    pub absent: Duration,
    /// How long an asset is answered where the store is unavailable.
    pub stale: Duration,
}

/// Something, and whether it is what was known before the store became unavailable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known<T> {
    /// What it is.
    pub value: T,
    /// Whether it may have changed since, unseen.
    pub stale: bool,
}

/// What was known of an asset, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct AssetMark {
    epoch: Epoch,
    /// In milliseconds.
    asked_at: u64,
}

struct Inner {
    store: Arc<dyn AssetStore>,
    clock: Arc<dyn Clock>,
    meter: Arc<dyn Meter>,
    shelf: Shelf,
    flights: Flights,
    fresh_millis: AtomicU64,
    absent_millis: u64,
    stale_millis: u64,
    /// Until when the store is taken to be down, in milliseconds.
    down_until: AtomicU64,
    outage: Outage,
}

/// What is kept of an id.
enum Kept {
    /// Good: the asset, or that there is none.
    Good(Option<Arc<Asset>>),
    /// Only good where the store is unavailable.
    Old(Arc<Asset>),
    Nothing,
}

impl CachedAssets {
    /// Keeps what a store says.
    #[must_use]
    pub fn new(
        store: Arc<dyn AssetStore>,
        clock: Arc<dyn Clock>,
        meter: Arc<dyn Meter>,
        terms: &CacheTerms,
    ) -> Self {
        let inner = Inner {
            store,
            clock,
            meter,
            shelf: Shelf::new(terms.max_bytes),
            flights: Flights::default(),
            fresh_millis: AtomicU64::new(millis(terms.fresh)),
            absent_millis: millis(terms.absent),
            stale_millis: millis(terms.stale),
            down_until: AtomicU64::new(0),
            outage: Outage::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Sets how long an asset is good from now on, also those that are kept already.
    pub fn set_fresh(&self, fresh: Duration) {
        self.inner.fresh_millis.store(millis(fresh), Ordering::Relaxed);
    }

    /// Reports that the store answers nothing at all, or that it answers again.
    pub fn set_unresponsive(&self, unresponsive: bool) {
        if !unresponsive {
            self.inner.down_until.store(0, Ordering::Relaxed);
        }
        self.inner.outage.set(unresponsive);
    }

    /// Forgets an asset that somebody else has changed.
    pub fn forget(&self, id: AssetId) {
        self.inner.shelf.forget(id);
    }

    /// Forgets all assets: somebody else may have changed any of them.
    pub fn forget_all(&self) {
        self.inner.shelf.forget_all();
    }

    /// An asset of whatever tenant, where what is known of it is good: nothing to wait for. `now` is in milliseconds
    /// since the Unix epoch. [`CachedAssets::used`] counts those of use.
    #[must_use]
    pub fn good(&self, id: AssetId, now: u64) -> Option<Arc<Asset>> {
        match self.inner.kept_at(id, now) {
            Kept::Good(asset) => asset,
            Kept::Old(_) | Kept::Nothing => None,
        }
    }

    /// As [`CachedAssets::good`], with what says later whether it still is.
    pub(super) fn good_and_mark(&self, id: AssetId, now: u64) -> Option<(Arc<Asset>, AssetMark)> {
        let epoch = self.inner.shelf.epochs().of(&id);
        let entry = self.inner.shelf.get(id)?;
        let mark = AssetMark { epoch, asked_at: entry.asked_at };
        match self.inner.worth(entry, now) {
            Kept::Good(asset) => Some((asset?, mark)),
            Kept::Old(_) | Kept::Nothing => None,
        }
    }

    /// Whether an asset is still known as it was then, and that is good. `now` is in milliseconds.
    pub(super) fn still_good(&self, mark: AssetMark, now: u64) -> bool {
        let fresh = self.inner.fresh_millis.load(Ordering::Relaxed);
        self.inner.shelf.epochs().stands(mark.epoch) && now.abs_diff(mark.asked_at) < fresh
    }

    /// So many assets of [`CachedAssets::good`] were of use.
    pub fn used(&self, count: usize) {
        self.inner.meter.assets(AssetSource::Cache, count);
    }

    /// One asset of whatever tenant, as [`AssetStore::find_anywhere`].
    ///
    /// # Errors
    /// Where the store can't answer, and nothing is known.
    pub async fn look_up(&self, id: AssetId) -> Result<Known<Option<Arc<Asset>>>, StoreError> {
        let inner = &self.inner;
        let old = match inner.kept(id) {
            Kept::Good(asset) => {
                inner.meter.assets(AssetSource::Cache, 1);
                return Ok(Known { value: asset, stale: false });
            }
            Kept::Old(asset) => Some(asset),
            Kept::Nothing => None,
        };
        match (inner.unless_down(old.is_some(), inner.fly(id)).await, old) {
            (Ok(asset), _) => {
                inner.meter.assets(AssetSource::Store, 1);
                Ok(Known { value: asset, stale: false })
            }
            (Err(StoreError::Unavailable(_)), Some(old)) => {
                inner.meter.assets(AssetSource::Stale, 1);
                Ok(Known { value: Some(old), stale: true })
            }
            (Err(error), _) => Err(error),
        }
    }

    /// The assets of a tenant among these ids, in one query at most, as [`AssetStore::find_many`].
    ///
    /// # Errors
    /// Where the store can't answer, and of one of them nothing is known.
    pub async fn look_up_own(
        &self,
        tenant: &TenantId,
        ids: &[AssetId],
    ) -> Result<Known<HashMap<AssetId, Arc<Asset>>>, StoreError> {
        let inner = &self.inner;
        let (mut found, mut old, mut asked) = (HashMap::with_capacity(ids.len()), HashMap::new(), Vec::new());
        for id in ids {
            match inner.kept(*id) {
                Kept::Good(Some(asset)) if asset.tenant == *tenant => {
                    found.insert(*id, asset);
                }
                Kept::Good(_) => {}
                Kept::Old(asset) => {
                    old.insert(*id, asset);
                    asked.push(*id);
                }
                Kept::Nothing => asked.push(*id),
            }
        }
        inner.meter.assets(AssetSource::Cache, found.len());
        if asked.is_empty() {
            return Ok(Known { value: found, stale: false });
        }
        let all_old = old.len() == asked.len();
        match inner.unless_down(all_old, inner.ask_own(tenant, &asked)).await {
            Ok(assets) => {
                found.extend(assets.into_iter().map(|asset| (asset.id, asset)));
                Ok(Known { value: found, stale: false })
            }
            Err(StoreError::Unavailable(_)) if all_old => {
                inner.meter.assets(AssetSource::Stale, old.len());
                found.extend(old.into_iter().filter(|(_, asset)| asset.tenant == *tenant));
                Ok(Known { value: found, stale: true })
            }
            Err(error) => Err(error),
        }
    }

    /// Which of these ids are taken, in one query at most, as [`AssetStore::existing`].
    ///
    /// # Errors
    /// Where the store can't answer, and of one of them nothing is known.
    pub async fn look_up_taken(&self, ids: &[AssetId]) -> Result<Known<HashSet<AssetId>>, StoreError> {
        let inner = &self.inner;
        let (mut taken, mut old, mut asked) = (HashSet::new(), Vec::new(), Vec::new());
        for id in ids {
            match inner.kept(*id) {
                Kept::Good(asset) => taken.extend(asset.map(|asset| asset.id)),
                Kept::Old(_) => {
                    old.push(*id);
                    asked.push(*id);
                }
                Kept::Nothing => asked.push(*id),
            }
        }
        inner.meter.assets(AssetSource::Cache, ids.len() - asked.len());
        if asked.is_empty() {
            return Ok(Known { value: taken, stale: false });
        }
        let all_old = old.len() == asked.len();
        match inner.unless_down(all_old, inner.ask_taken(&asked)).await {
            Ok(ids) => {
                taken.extend(ids);
                Ok(Known { value: taken, stale: false })
            }
            Err(StoreError::Unavailable(_)) if all_old => {
                inner.meter.assets(AssetSource::Stale, old.len());
                taken.extend(old);
                Ok(Known { value: taken, stale: true })
            }
            Err(error) => Err(error),
        }
    }

    /// Makes a change, to its end whoever waits for it, and keeps what came of it.
    async fn change<T: Send + 'static>(
        &self,
        id: AssetId,
        call: impl Future<Output = Result<T, StoreError>> + Send + 'static,
        after: impl FnOnce(&T) -> After + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(&self.inner);
        let changing = async move {
            let asked_at = inner.now();
            let change = inner.shelf.begin(id);
            let outcome = call.await?;
            match after(&outcome) {
                After::Is(asset) => change.made(Entry::new(asset, asked_at)),
                After::Unchanged => change.unmade(),
                After::Unknown => inner.shelf.forget(id),
            }
            Ok(outcome)
        };
        tokio::spawn(changing.in_current_span()).await.map_err(StoreError::unavailable)?
    }
}

/// What an asset is after a change.
enum After {
    /// This, or not there.
    Is(Option<Arc<Asset>>),
    /// What it was.
    Unchanged,
    /// Something that somebody else has made of it.
    Unknown,
}

#[async_trait]
impl AssetStore for CachedAssets {
    async fn insert(&self, asset: &Asset, terms: &InsertTerms) -> Result<Inserted, StoreError> {
        let (store, new, terms) = (Arc::clone(&self.inner.store), Arc::new(asset.clone()), terms.clone());
        let call = {
            let new = Arc::clone(&new);
            async move { store.insert(&new, &terms).await }
        };
        let after = |inserted: &Inserted| match inserted {
            Inserted::New => After::Is(Some(new)),
            Inserted::Taken => After::Unknown,
            Inserted::Before { .. } | Inserted::OverQuota(_) => After::Unchanged,
        };
        self.change(asset.id, call, after).await
    }

    async fn find(&self, tenant: &TenantId, id: AssetId) -> Result<Option<Asset>, StoreError> {
        self.inner.store.find(tenant, id).await
    }

    async fn find_many(&self, tenant: &TenantId, ids: &[AssetId]) -> Result<Vec<Asset>, StoreError> {
        let found = self.look_up_own(tenant, ids).await?.value;
        Ok(found.into_values().map(Arc::unwrap_or_clone).collect())
    }

    async fn find_anywhere(&self, id: AssetId) -> Result<Option<Asset>, StoreError> {
        Ok(self.look_up(id).await?.value.map(Arc::unwrap_or_clone))
    }

    async fn existing(&self, ids: &[AssetId]) -> Result<Vec<AssetId>, StoreError> {
        Ok(self.look_up_taken(ids).await?.value.into_iter().collect())
    }

    async fn list(
        &self,
        tenant: &TenantId,
        filter: &AssetFilter,
        after: Option<ListPosition>,
        limit: usize,
    ) -> Result<Vec<Asset>, StoreError> {
        self.inner.store.list(tenant, filter, after, limit).await
    }

    async fn update(&self, asset: &Asset) -> Result<Update, StoreError> {
        let (store, new) = (Arc::clone(&self.inner.store), Arc::new(asset.clone()));
        let call = {
            let new = Arc::clone(&new);
            async move { store.update(&new).await }
        };
        let after = |update: &Update| match update {
            Update::Done => After::Is(Some(new)),
            Update::Stale => After::Unknown,
        };
        self.change(asset.id, call, after).await
    }

    async fn remove(&self, asset: &Asset) -> Result<Update, StoreError> {
        let (store, old) = (Arc::clone(&self.inner.store), asset.clone());
        let after = |update: &Update| match update {
            Update::Done => After::Is(None),
            Update::Stale => After::Unknown,
        };
        self.change(asset.id, async move { store.remove(&old).await }, after).await
    }

    async fn usage(&self, tenant: &TenantId) -> Result<Usage, StoreError> {
        self.inner.store.usage(tenant).await
    }

    async fn due(&self, now: Timestamp, after: Option<&Due>, limit: usize) -> Result<Vec<Due>, StoreError> {
        self.inner.store.due(now, after, limit).await
    }

    async fn forget_due(&self, due: &Due) -> Result<(), StoreError> {
        self.inner.store.forget_due(due).await
    }
}

impl Inner {
    fn now(&self) -> u64 {
        self.clock.now().millis()
    }

    fn is_down(&self) -> bool {
        self.outage.is_on() || self.now() < self.down_until.load(Ordering::Relaxed)
    }

    fn kept(&self, id: AssetId) -> Kept {
        self.kept_at(id, self.now())
    }

    fn kept_at(&self, id: AssetId, now: u64) -> Kept {
        self.shelf.get(id).map_or(Kept::Nothing, |entry| self.worth(entry, now))
    }

    fn worth(&self, Entry { asset, asked_at, doubtful }: Entry, now: u64) -> Kept {
        let age = now.abs_diff(asked_at);
        let good_for = match asset {
            _ if doubtful => 0,
            Some(_) => self.fresh_millis.load(Ordering::Relaxed),
            None => self.absent_millis,
        };
        match asset {
            asset if age < good_for => Kept::Good(asset),
            Some(asset) if age < self.stale_millis => Kept::Old(asset),
            _ => Kept::Nothing,
        }
    }

    /// Asks the store for an asset, or waits for who does already.
    async fn fly(self: &Arc<Self>, id: AssetId) -> Result<Option<Arc<Asset>>, StoreError> {
        let inner = Arc::clone(self);
        let mark = self.shelf.mark(id);
        let ask = async move {
            // Somebody may have asked just before.
            if let Kept::Good(asset) = inner.kept(id) {
                return Ok(asset);
            }
            let asked_at = inner.now();
            let asset = inner.heard(inner.store.find_anywhere(id).await)?.map(Arc::new);
            inner.shelf.read(id, mark, Entry::new(asset.clone(), asked_at));
            Ok(asset)
        };
        self.flights.join(id, mark, ask).await
    }

    /// Asks for a tenant's assets.
    async fn ask_own(&self, tenant: &TenantId, ids: &[AssetId]) -> Result<Vec<Arc<Asset>>, StoreError> {
        let asked_at = self.now();
        let marks: HashMap<AssetId, u64> = ids.iter().map(|id| (*id, self.shelf.mark(*id))).collect();
        let assets = self.heard(self.store.find_many(tenant, ids).await)?;
        self.meter.assets(AssetSource::Store, ids.len());
        let assets: Vec<Arc<Asset>> = assets.into_iter().map(Arc::new).collect();
        for asset in &assets {
            if let Some(mark) = marks.get(&asset.id) {
                self.shelf.read(asset.id, *mark, Entry::new(Some(Arc::clone(asset)), asked_at));
            }
        }
        Ok(assets)
    }

    async fn ask_taken(&self, ids: &[AssetId]) -> Result<HashSet<AssetId>, StoreError> {
        let asked_at = self.now();
        let marks: Vec<(AssetId, u64)> = ids.iter().map(|id| (*id, self.shelf.mark(*id))).collect();
        let taken: HashSet<AssetId> = self.heard(self.store.existing(ids).await)?.into_iter().collect();
        self.meter.assets(AssetSource::Store, ids.len());
        for (id, mark) in marks.into_iter().filter(|(id, _)| !taken.contains(id)) {
            self.shelf.read(id, mark, Entry::new(None, asked_at));
        }
        Ok(taken)
    }

    /// Asks the store. If what is known will do, it isn't asked while it is down, and isn't waited for once it is.
    async fn unless_down<T>(
        &self,
        known_will_do: bool,
        asking: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        if !known_will_do {
            return asking.await;
        }
        let answer = if self.is_down() { None } else { self.outage.interrupt(asking).await };
        answer.unwrap_or_else(|| Err(StoreError::unavailable("the store is taken to be down")))
    }

    /// Takes note of whether the store answers.
    fn heard<T>(&self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        match &answer {
            Ok(_) => self.down_until.store(0, Ordering::Relaxed),
            Err(StoreError::Unavailable(_)) => {
                self.down_until.store(self.now().saturating_add(DOWN_MILLIS), Ordering::Relaxed);
            }
            Err(StoreError::Refused(_) | StoreError::Corrupt(_)) => {}
        }
        answer
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Two seconds.
const DOWN_MILLIS: u64 = 2_000;
