//! Writes of assets that change more than one document.
//!
//! 1. Writes of a tenant that arrive while others of the same tenant are in progress are queued, and then share one
//!    transaction ([`batch`]), which updates the tenant's usage once. Each write has the same result as it would alone.
//! 2. A batch that conflicts with another node's transaction is aborted and retried after a pause, for up to
//!    [`CONFLICT_TIMEOUT`].
//! 3. If one write of a batch fails, the batch is aborted and split in halves, until the failing write is alone and its
//!    caller gets the reason.
//! 4. Batches run in their own tasks. They aren't cancelled with their callers, and a stopping node waits for them
//!    ([`Mongo::shut_down`]).
//! 5. If a transaction is abandoned nevertheless, because the server hangs or a node is killed, this node or another one
//!    ends its session ([`sessions`]).
//! 6. A caller waits for as long as one operation may take. After that, or if the commit isn't answered, it is unknown
//!    whether the write was made. The error is then [`StoreError::Unavailable`], and the caller has to read again.

mod batch;
mod sessions;
mod transaction;
mod write;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Mongo;
use super::connection_permits::{Owner, Permit, Work};
use super::queues::{Answer, Place, Queues, fail_all, reply};
use crate::media::{TenantId, Usage};
use crate::service::ports::{Inserted, StoreError};
use batch::{Attempted, fitting};
use sessions::{HEARTBEAT, Sessions};

pub use batch::Attempt;
pub use write::{Insertion, Outcome, Removal, Replacement, Write};

/// The maximum number of writes in a batch.
const MAX_BATCH: usize = 64;
/// How long a batch is retried while it conflicts with other transactions.
const CONFLICT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long removing this node's record and closing the connections may take.
const DISCONNECT_TIMEOUT: Duration = Duration::from_millis(300);

/// The writes of this node. Their tasks run on the runtime on which the client was created.
pub struct Writes {
    runtime: Handle,
    tasks: TaskTracker,
    ending: CancellationToken,
    queues: Queues<Place, Queued>,
    sessions: Sessions,
}

/// A queued write, and the channel for its result.
struct Queued {
    write: Write,
    answer: Answer<Outcome>,
}

/// The batch conflicted with other transactions at every attempt.
#[derive(Debug, thiserror::Error)]
#[error("the write conflicted with others of its tenant for {} s", .0.as_secs())]
struct Conflicts(Duration);

/// The write took too long.
#[derive(Debug, thiserror::Error)]
#[error("a write wasn't made within {} s", .0.as_secs_f64())]
struct NotMade(Duration);

impl Writes {
    /// Creates an empty queue. Its tasks run on the current runtime.
    pub fn new() -> Self {
        Self {
            runtime: Handle::current(),
            tasks: TaskTracker::new(),
            ending: CancellationToken::new(),
            queues: Queues::default(),
            sessions: Sessions::default(),
        }
    }

    /// Takes the next batch of a tenant: one write for each asset.
    fn next(&self, place: &Place) -> Vec<Queued> {
        let mut ids = HashSet::new();
        self.queues.take(place, MAX_BATCH, |queued| ids.insert(queued.write.id()))
    }
}

impl Mongo {
    /// Queues a write of a tenant and waits for its result.
    pub(super) async fn write(
        &self,
        tenant: &TenantId,
        database: &Arc<str>,
        write: Write,
    ) -> Result<Outcome, StoreError> {
        let (answer, answered) = oneshot::channel();
        let place = (tenant.clone(), Arc::clone(database));
        let queued = Queued { write, answer };
        let writes = &self.0.writes;
        if writes.ending.is_cancelled() {
            return Err(StoreError::unavailable("the node is stopping"));
        }
        if writes.queues.push(&place, queued) {
            let writer = Writer { mongo: self.clone(), place, is_over: false };
            writes.tasks.spawn_on(writer.run(), &writes.runtime);
        }
        let patience = self.0.cluster.options().patience();
        match timeout(patience, answered).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(closed)) => Err(StoreError::unavailable(closed)),
            Err(_) => Err(StoreError::unavailable(NotMade(patience))),
        }
    }

    /// Starts the task that renews this node's record and ends the sessions of nodes that have died.
    pub(super) fn spawn_heartbeat(&self) {
        let (mongo, writes) = (Arc::downgrade(&self.0), &self.0.writes);
        let ending = writes.ending.clone();
        let keeping = async move {
            while ending.run_until_cancelled(sleep(HEARTBEAT)).await.is_some() {
                let Some(inner) = mongo.upgrade() else { return };
                let heartbeat = inner.writes.sessions.heartbeat(&inner.cluster);
                if let Some(Err(error)) = ending.run_until_cancelled(heartbeat).await {
                    tracing::debug!(%error, "the heartbeat of this node's record failed");
                }
            }
        };
        writes.runtime.spawn(keeping);
    }

    /// Refuses further writes, waits up to `within` for those in progress, and closes the connections, for which it takes
    /// up to [`DISCONNECT_TIMEOUT`]. Call it when nobody else uses the client any more, and before the runtime is dropped,
    /// which would abandon open transactions.
    ///
    /// # Errors
    /// If the time runs out. Other nodes then end the transactions that are left.
    pub async fn shut_down(&self, within: Duration) -> Result<(), StoreError> {
        let writes = &self.0.writes;
        writes.ending.cancel();
        writes.tasks.close();
        let made = timeout(within, writes.tasks.wait()).await;
        let leaving = async {
            let left = writes.sessions.remove_record(&self.0.cluster).await;
            self.0.cluster.client().clone().shutdown().await;
            left
        };
        let left = timeout(DISCONNECT_TIMEOUT, leaving).await;
        made.map_err(|_| StoreError::unavailable(NotMade(within)))?;
        left.unwrap_or_else(|_| Err(StoreError::unavailable(NotMade(DISCONNECT_TIMEOUT))))
    }
}

/// Writes the batches of a tenant until its queue is empty.
struct Writer {
    mongo: Mongo,
    place: Place,
    /// Whether the queue has been removed. There may be a new one by now, with a writer of its own.
    is_over: bool,
}

impl Writer {
    async fn run(mut self) {
        loop {
            // Writes that arrive while this waits for a connection join the batch.
            let permit = self.permit().await;
            let mut batch = self.mongo.0.writes.next(&self.place);
            if batch.is_empty() {
                self.is_over = true;
                return;
            }
            batch.retain(|queued| !queued.answer.is_closed());
            match permit {
                _ if batch.is_empty() => {}
                Ok(permit) => self.make(batch, permit).await,
                Err(error) => fail_batch(batch, error),
            }
        }
    }

    async fn permit(&self) -> Result<Permit, StoreError> {
        self.mongo.0.cluster.permit(Owner::Tenant(self.place.0.clone()), Work::Write).await
    }

    /// Writes a batch, in several transactions if need be, and tells the callers.
    async fn make(&self, batch: Vec<Queued>, permit: Permit) {
        let until = Instant::now() + CONFLICT_TIMEOUT;
        let (mut batches, mut permit, mut conflicts) = (vec![batch], Some(permit), 0);
        while let Some(mut batch) = batches.pop() {
            // The connection is free for others between two attempts.
            let attempted = match permit.take() {
                Some(permit) => self.attempt(&batch, permit).await,
                None => match self.permit().await {
                    Ok(permit) => self.attempt(&batch, permit).await,
                    Err(error) => Err(error),
                },
            };
            match attempted {
                Ok(Attempted::Made) => {
                    batch.into_iter().for_each(|queued| reply(queued.answer, Ok(queued.write.done())));
                }
                Ok(Attempted::Conflict) if Instant::now() < until => {
                    self.mongo.0.cluster.meter().transaction_retried();
                    conflicts += 1;
                    batches.push(batch);
                    sleep(transaction::pause(conflicts)).await;
                }
                Ok(Attempted::Conflict) => {
                    fail_batch(batch, StoreError::unavailable(Conflicts(CONFLICT_TIMEOUT)))
                }
                Ok(Attempted::NoRoom(before)) => batches.extend(split_by_quota(before, batch)),
                Ok(Attempted::Refused(outcome)) if batch.len() == 1 => {
                    if let Some(queued) = batch.pop() {
                        reply(queued.answer, Ok(outcome));
                    }
                }
                Err(error) if batch.len() == 1 || matches!(error, StoreError::Unavailable(_)) => {
                    batch.extend(batches.drain(..).flatten());
                    fail_batch(batch, error);
                }
                // One of the writes fails: bisect to find it.
                Ok(Attempted::Refused(_)) | Err(_) => {
                    let second = batch.split_off(batch.len() / 2);
                    batches.extend([second, batch]);
                }
            }
        }
    }

    /// Attempts a batch once, in one transaction.
    async fn attempt(&self, batch: &[Queued], permit: Permit) -> Result<Attempted, StoreError> {
        let (cluster, sessions) = (&self.mongo.0.cluster, &self.mongo.0.writes.sessions);
        // The transaction includes the control plane.
        cluster.ping().await?;
        let mut leased = sessions.acquire(cluster).await?;
        let (tenant, database) = &self.place;
        let writes: Vec<&Write> = batch.iter().map(|queued| &queued.write).collect();
        let attempt = transaction::attempt(cluster, &mut leased.session, database, tenant, &writes);
        let attempted = cluster.bounded(attempt).await;
        drop(permit);
        match &attempted {
            Ok(_) => sessions.release(leased),
            Err(error) => {
                if matches!(error, StoreError::Unavailable(_)) {
                    cluster.doubt();
                }
                let mongo = self.mongo.clone();
                let kill = async move { mongo.0.writes.sessions.kill(&mongo.0.cluster, leased).await };
                self.mongo.0.writes.tasks.spawn(kill);
            }
        }
        attempted
    }
}

impl Drop for Writer {
    /// Fails the queued writes if the task panics or the runtime is dropped.
    fn drop(&mut self) {
        if !self.is_over {
            self.mongo.0.writes.queues.remove(&self.place);
        }
    }
}

/// Sends an error to all callers of a batch.
fn fail_batch(batch: Vec<Queued>, error: StoreError) {
    fail_all(batch.into_iter().map(|queued| queued.answer), error);
}

/// Splits a batch that exceeds the quota. Refuses each insertion that doesn't fit even alone, which is exact, as it could
/// come first. Returns the rest as a stack: the last batch has the writes that fit one after the other; the other one is
/// tried after it.
fn split_by_quota(before: Usage, batch: Vec<Queued>) -> Vec<Vec<Queued>> {
    let (alone, refused): (Vec<_>, Vec<_>) =
        batch.into_iter().partition(|queued| !fitting(before, &[&queued.write]).contains(&false));
    for queued in refused {
        reply(queued.answer, Ok(Outcome::Inserted(Inserted::OverQuota(before))));
    }
    let together = fitting(before, &alone.iter().map(|queued| &queued.write).collect::<Vec<_>>());
    let (mut fit, mut later) = (Vec::new(), Vec::new());
    for (queued, fits) in alone.into_iter().zip(together) {
        if fits { fit.push(queued) } else { later.push(queued) }
    }
    [later, fit].into_iter().filter(|batch| !batch.is_empty()).collect()
}
