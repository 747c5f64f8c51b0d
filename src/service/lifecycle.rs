//! The lifecycle worker: nothing is left behind that nobody looks for.
//!
//! It looks at each asset that is due, whatever cut off the work of others before:
//!
//! | asset | what it does |
//! |---|---|
//! | PENDING, its ticket's grace over | looks at the object: READY or REJECTED, as finalize would make it; EXPIRED where there is none, and its parts go |
//! | EXPIRED, REJECTED | removes what has arrived late, and the tombstone at last |
//! | EXPIRED, REJECTED, their time over | removes the record |
//! | deleted, its objects not out of reach | takes them out of reach |
//! | deleted, its retention over | purges it: objects first, then the record |
//! | held by a move that never ended; moved or deleted while its ticket was good | removes what doesn't lie where the asset says, and tombstones |
//!
//! One node works at a time, by a lease. Two that meet do no harm: each change is made to the revision that
//! was read, objects are removed only under a hold of one's own, and each step can be done twice.

use std::convert::Infallible;
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{self, Either, select};
use futures_util::{StreamExt, stream};
use governor::{DefaultDirectRateLimiter, Quota as Rate, RateLimiter};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::assets::AssetError;
use super::inspection::Inspection;
use super::layout::{Layout, Place};
use super::ports::{
    AssetStore, Clock, Due, LeaseStore, LifecycleOutcome, Meter, ObjectStore, StoreError, TenantStore, Update,
};
use super::relocation::Relocation;
use crate::media::{Asset, Periods, Status, Timestamp};

/// The lease of the worker.
const LEASE: &str = "lifecycle";
/// How long a lease lasts, in seconds. After a crash of its holder, no node does this work until the lease expires.
const LEASE_SECONDS: u64 = 30;
/// How often a worker renews its lease. One renewal may fail.
const RENEWAL: Duration = Duration::from_secs(10);
/// How many due assets are read at a time.
const STEP: usize = 16;
/// How many assets are looked at at a time.
const AT_ONCE: usize = 4;
/// How long one asset may take. What isn't done by then is tried again at the next pass.
const PATIENCE: Duration = Duration::from_secs(60);

/// Looks at what is due.
pub struct Lifecycle {
    parts: LifecycleParts,
    inspection: Inspection,
    relocation: Relocation,
    holder: String,
    rate: DefaultDirectRateLimiter,
    ending: watch::Sender<bool>,
}

/// What the worker needs.
pub struct LifecycleParts {
    /// What is due.
    pub assets: Arc<dyn AssetStore>,
    /// Their objects.
    pub objects: Arc<dyn ObjectStore>,
    /// Their owners.
    pub tenants: Arc<dyn TenantStore>,
    /// Whose turn it is among all nodes.
    pub leases: Arc<dyn LeaseStore>,
    /// Where objects lie.
    pub layout: Arc<Layout>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Counts what is done.
    pub meter: Arc<dyn Meter>,
    /// When assets are due.
    pub periods: Periods,
}

/// What a pass did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pass {
    /// How many assets it looked at.
    pub looked_at: usize,
    /// How many of them stay due, because something failed.
    pub failed: usize,
}

impl Lifecycle {
    /// A worker that looks at so many assets a second, at most.
    #[must_use]
    pub fn new(parts: LifecycleParts, per_second: NonZeroU32) -> Self {
        Self {
            inspection: Inspection::new(
                Arc::clone(&parts.objects),
                Arc::clone(&parts.clock),
                parts.periods.clone(),
            ),
            relocation: Relocation::new(
                Arc::clone(&parts.assets),
                Arc::clone(&parts.objects),
                Arc::clone(&parts.clock),
                parts.periods.clone(),
            ),
            holder: ulid::Ulid::generate().to_string(),
            rate: RateLimiter::direct(Rate::per_second(per_second)),
            ending: watch::Sender::new(false),
            parts,
        }
    }

    /// Handles everything that is due, once. Returns `None` if another node has the lease, or the worker was told to end.
    ///
    /// # Errors
    /// Where what is due can't be found out. What fails of one asset is counted and logged.
    pub async fn pass(&self) -> Result<Option<Pass>, StoreError> {
        let (mut pass, mut after) = (Pass::default(), None);
        loop {
            let next = async {
                if self.lease().await? { self.next(after.as_ref()).await.map(Some) } else { Ok(None) }
            };
            let Some(dues) = self.unless_ending(next).await.transpose()?.flatten() else {
                return Ok((pass != Pass::default()).then_some(pass));
            };
            let Some(last) = dues.last() else { break };
            after = Some(last.clone());
            let attending = dues.into_iter().map(|due| async move { self.attend(&due).await });
            let attending = stream::iter(attending).buffer_unordered(AT_ONCE).filter_map(future::ready);
            let done: Vec<bool> = match select(attending.collect(), pin!(self.keep_lease())).await {
                Either::Left((done, _)) => done,
                Either::Right((never, _)) => match never {},
            };
            pass.looked_at += done.len();
            pass.failed += done.iter().filter(|done| !**done).count();
        }
        self.parts.meter.lifecycle_pass(self.now().seconds());
        Ok(Some(pass))
    }

    /// Tells the worker to end. It starts no further assets, and finishes those that it has started.
    pub fn end(&self) {
        self.ending.send_replace(true);
    }

    /// Runs some work to its end. Returns `None` if the worker is told to end before that.
    pub async fn unless_ending<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut ending = self.ending.subscribe();
        tokio::select! {
            biased;
            _ = ending.wait_for(|ending| *ending) => None,
            done = work => Some(done),
        }
    }

    /// Lets another node work.
    ///
    /// # Errors
    /// Where the store can't answer; the lease runs out by itself.
    pub async fn give_back(&self) -> Result<(), StoreError> {
        self.parts.leases.give_back(LEASE, &self.holder).await
    }

    async fn lease(&self) -> Result<bool, StoreError> {
        let now = self.now();
        self.parts.leases.take(LEASE, &self.holder, now, now.plus_seconds(LEASE_SECONDS)).await
    }

    async fn next(&self, after: Option<&Due>) -> Result<Vec<Due>, StoreError> {
        self.parts.assets.due(self.now(), after, STEP).await
    }

    /// Renews the lease until the future is dropped.
    async fn keep_lease(&self) -> Infallible {
        loop {
            sleep(RENEWAL).await;
            if let Err(error) = self.lease().await {
                tracing::debug!(%error, "the lease of the lifecycle worker can't be renewed");
            }
        }
    }

    /// Handles one asset. Returns whether that succeeded, or `None` if the worker was told to end before.
    async fn attend(&self, due: &Due) -> Option<bool> {
        self.unless_ending(self.rate.until_ready()).await?;
        let outcome = match timeout(PATIENCE, self.settle(due)).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => {
                tracing::warn!(asset = %due.id, tenant = %due.tenant, %error, "the asset stays due");
                LifecycleOutcome::Failed
            }
            Err(_) => {
                tracing::warn!(asset = %due.id, tenant = %due.tenant, "the asset took too long and stays due");
                LifecycleOutcome::Failed
            }
        };
        self.parts.meter.lifecycle(outcome);
        Some(outcome != LifecycleOutcome::Failed)
    }

    async fn settle(&self, due: &Due) -> Result<LifecycleOutcome, StoreError> {
        let Some(asset) = self.parts.assets.find(&due.tenant, due.id).await? else {
            self.parts.assets.forget_due(due).await?;
            return Ok(LifecycleOutcome::Forgotten);
        };
        let now = self.now();
        if asset.due_at.is_none_or(|due_at| now < due_at) || asset.is_held(now) {
            return Ok(LifecycleOutcome::Nothing);
        }
        let tenant = self.parts.tenants.find(&due.tenant).await?;
        let tenant = tenant.ok_or_else(|| StoreError::corrupt("its tenant isn't there"))?;
        let place = self.parts.layout.place(&tenant);
        let periods = &self.parts.periods;
        let is_over = |end: Option<Timestamp>| end.is_some_and(|end| now >= end);
        if asset.purging || is_over(periods.purge_at(&asset)) {
            return self.purge(&place, asset, now).await;
        }
        match asset.status {
            _ if asset.is_deleting() => self.discard(&place, asset).await,
            _ if asset.hold.is_some() || asset.moved || asset.deleted_at.is_some() => {
                self.recover(&place, asset).await
            }
            Status::Pending => self.look(&place, asset, now).await,
            Status::Rejected | Status::Expired if is_over(periods.forget_at(&asset)) => {
                self.purge(&place, asset, now).await
            }
            Status::Rejected | Status::Expired => self.sweep(&place, asset, now).await,
            // Settings have changed since its time was set.
            Status::Ready => self.leave(asset, LifecycleOutcome::Nothing, now).await,
        }
    }

    /// Decides what becomes of a ticket that nobody finalized.
    async fn look(
        &self,
        place: &Place,
        asset: Asset,
        now: Timestamp,
    ) -> Result<LifecycleOutcome, StoreError> {
        let location = place.location(&asset.key);
        let Some(changed) = self.inspection.look(&location, asset.clone()).await? else {
            let expired = asset.expired(&self.parts.periods, now).map_err(StoreError::corrupt)?;
            let outcome = self.change(&expired, LifecycleOutcome::Expired).await?;
            if outcome == LifecycleOutcome::Expired {
                self.give_place_up(place, &expired).await?;
            }
            return Ok(outcome);
        };
        if changed.status == Status::Ready && asset.is_staged() {
            return self.publish(place, asset, &changed).await;
        }
        if changed.status == Status::Ready {
            return self.change(&changed, LifecycleOutcome::Adopted).await;
        }
        let outcome = self.change(&changed, LifecycleOutcome::Rejected).await?;
        if outcome == LifecycleOutcome::Rejected {
            self.give_place_up(place, &changed).await?;
        }
        Ok(outcome)
    }

    /// Removes what a ticket has brought, and keeps out what it may still bring.
    async fn give_place_up(&self, place: &Place, asset: &Asset) -> Result<(), StoreError> {
        self.relocation.files.abort_parts(place, asset).await?;
        self.relocation.files.vacate_file(place, &asset.key, self.relocation.vacancy(asset)).await
    }

    /// Moves a file that has been looked at to where it is served.
    async fn publish(
        &self,
        place: &Place,
        asset: Asset,
        ready: &Asset,
    ) -> Result<LifecycleOutcome, StoreError> {
        let Some(held) = self.relocation.claim(asset).await? else { return Ok(LifecycleOutcome::Nothing) };
        let (relocation, place, dimensions) = (self.relocation.clone(), place.clone(), ready.dimensions());
        self.spawn(
            async move { relocation.publish(&place, held, dimensions).await },
            LifecycleOutcome::Adopted,
        )
        .await
    }

    /// Takes the objects of a deleted asset out of reach, which a call has begun to do.
    async fn discard(&self, place: &Place, asset: Asset) -> Result<LifecycleOutcome, StoreError> {
        let Some(held) = self.relocation.claim(asset).await? else { return Ok(LifecycleOutcome::Nothing) };
        let (relocation, place) = (self.relocation.clone(), place.clone());
        self.spawn(async move { relocation.discard(&place, &held).await }, LifecycleOutcome::Recovered).await
    }

    /// Moves objects by a task that goes on when the worker's patience ends.
    async fn spawn(
        &self,
        moving: impl Future<Output = Result<Asset, AssetError>> + Send + 'static,
        outcome: LifecycleOutcome,
    ) -> Result<LifecycleOutcome, StoreError> {
        match tokio::spawn(moving).await.map_err(StoreError::unavailable)? {
            Ok(_) => Ok(outcome),
            Err(AssetError::Store(error)) => Err(error),
            // Others have changed it meanwhile.
            Err(_) => Ok(LifecycleOutcome::Nothing),
        }
    }

    /// Removes what has arrived after all.
    async fn sweep(
        &self,
        place: &Place,
        asset: Asset,
        now: Timestamp,
    ) -> Result<LifecycleOutcome, StoreError> {
        let late = self.relocation.files.is_there(place, &asset.key).await?;
        self.give_place_up(place, &asset).await?;
        let outcome = if late { LifecycleOutcome::Swept } else { LifecycleOutcome::Nothing };
        self.leave(asset, outcome, now).await
    }

    /// Ends a move that was cut off.
    async fn recover(&self, place: &Place, asset: Asset) -> Result<LifecycleOutcome, StoreError> {
        let Some(held) = self.relocation.claim(asset).await? else { return Ok(LifecycleOutcome::Nothing) };
        let (relocation, place) = (self.relocation.clone(), place.clone());
        self.spawn(async move { relocation.end_move(&place, &held).await }, LifecycleOutcome::Recovered).await
    }

    /// Removes an asset for good: from the first step on it can't be restored.
    async fn purge(
        &self,
        place: &Place,
        asset: Asset,
        now: Timestamp,
    ) -> Result<LifecycleOutcome, StoreError> {
        let purged = asset.purged(self.relocation.hold(), now);
        if self.parts.assets.update(&purged).await? == Update::Stale {
            return Ok(LifecycleOutcome::Nothing);
        }
        self.relocation.remove(place, &purged).await?;
        match self.parts.assets.remove(&purged).await? {
            Update::Done => Ok(LifecycleOutcome::Purged),
            Update::Stale => Ok(LifecycleOutcome::Nothing),
        }
    }

    async fn leave(
        &self,
        asset: Asset,
        outcome: LifecycleOutcome,
        now: Timestamp,
    ) -> Result<LifecycleOutcome, StoreError> {
        self.change(&asset.attended(&self.parts.periods, now), outcome).await
    }

    /// Whoever was faster decided: the asset is due again where there is more to do.
    async fn change(&self, asset: &Asset, outcome: LifecycleOutcome) -> Result<LifecycleOutcome, StoreError> {
        match self.parts.assets.update(asset).await? {
            Update::Done => Ok(outcome),
            Update::Stale => Ok(LifecycleOutcome::Nothing),
        }
    }

    fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }
}
