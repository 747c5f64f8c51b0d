//! Writes of assets that change more than one document.
//!
//! 1. The writes of a tenant that come while others of it are being made wait, and are made together, in one
//!    transaction: [`batch`]. So they don't wait one for the other, and the tenant's usage, which each of them changes,
//!    is changed once. What each of them comes to is the same as if they had been made one by one.
//! 2. A batch that meets another node's is undone and tried again after a pause, for [`MET`] at most.
//! 3. One whose writes can't all be made is split, until each that can't is alone and its caller is told why.
//! 4. Batches run in tasks of their own. A caller that goes away cuts nothing off, and a node that ends waits for them
//!    ([`Mongo::end`]).
//! 5. What is cut off nevertheless, by a server that doesn't answer or a node that is killed, is ended by this node or
//!    by another one: [`sessions`].
//! 6. A caller waits for as long as one operation may take. After that, or where the commit stays unanswered, nobody
//!    knows whether the write was made: that is [`StoreError::Unavailable`], and the caller reads again.

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
use super::queues::{Answer, Place, Queues, refuse, tell};
use crate::media::{TenantId, Usage};
use crate::service::ports::{Inserted, StoreError};
use batch::{Attempted, fitting};
use sessions::{BEAT, Sessions};

pub use batch::Attempt;
pub use write::{Insertion, Outcome, Removal, Replacement, Write};

/// The most writes of a batch.
const MOST_WRITES: usize = 64;
/// How long a batch is tried that meets other nodes' each time.
const MET: Duration = Duration::from_secs(5);
/// How long taking leave of the cluster may take.
const GOODBYE: Duration = Duration::from_millis(300);

/// The writes of a node. Their tasks run where the client does.
pub struct Writes {
    runtime: Handle,
    tasks: TaskTracker,
    ending: CancellationToken,
    queues: Queues<Place, Waiting>,
    sessions: Sessions,
}

/// A write, and who waits for it.
struct Waiting {
    write: Write,
    answer: Answer<Outcome>,
}

/// Other nodes' transactions were first, each time.
#[derive(Debug, thiserror::Error)]
#[error("other writes of the tenant were first for {} s", .0.as_secs())]
struct Met(Duration);

/// The write wasn't answered in the time that it had.
#[derive(Debug, thiserror::Error)]
#[error("a write wasn't made within {} s", .0.as_secs_f64())]
struct NotMade(Duration);

impl Writes {
    /// None yet. Their tasks run on this runtime.
    pub fn new() -> Self {
        Self {
            runtime: Handle::current(),
            tasks: TaskTracker::new(),
            ending: CancellationToken::new(),
            queues: Queues::default(),
            sessions: Sessions::default(),
        }
    }

    /// The next writes of a tenant, each of another asset.
    fn next(&self, place: &Place) -> Vec<Waiting> {
        let mut ids = HashSet::new();
        self.queues.take(place, MOST_WRITES, |waiting| ids.insert(waiting.write.id()))
    }
}

impl Mongo {
    /// Makes a write of a tenant.
    pub(super) async fn write(
        &self,
        tenant: &TenantId,
        database: &Arc<str>,
        write: Write,
    ) -> Result<Outcome, StoreError> {
        let (answer, answered) = oneshot::channel();
        let place = (tenant.clone(), Arc::clone(database));
        let waiting = Waiting { write, answer };
        let writes = &self.0.writes;
        if writes.ending.is_cancelled() {
            return Err(StoreError::unavailable("the node ends"));
        }
        if writes.queues.push(&place, waiting) {
            let making = Making { mongo: self.clone(), place, is_over: false };
            writes.tasks.spawn_on(making.run(), &writes.runtime);
        }
        let patience = self.0.cluster.options().patience();
        match timeout(patience, answered).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(closed)) => Err(StoreError::unavailable(closed)),
            Err(_) => Err(StoreError::unavailable(NotMade(patience))),
        }
    }

    /// Ends what nodes that are gone have left behind, for as long as this one serves.
    pub(super) fn keep_sessions(&self) {
        let (mongo, writes) = (Arc::downgrade(&self.0), &self.0.writes);
        let ending = writes.ending.clone();
        let keeping = async move {
            while ending.run_until_cancelled(sleep(BEAT)).await.is_some() {
                let Some(inner) = mongo.upgrade() else { return };
                let beating = inner.writes.sessions.beat(&inner.cluster);
                if let Some(Err(error)) = ending.run_until_cancelled(beating).await {
                    tracing::debug!(%error, "what other nodes have left behind can't be looked at");
                }
            }
        };
        writes.runtime.spawn(keeping);
    }

    /// Takes no writes any more, waits for those that are being made, and closes the connections. To be called before the
    /// runtime ends, which would cut transactions off, and once nobody else uses the client. Takes no longer than `within`
    /// for the writes, and [`GOODBYE`].
    ///
    /// # Errors
    /// Where time ran out. Other nodes end what is left.
    pub async fn end(&self, within: Duration) -> Result<(), StoreError> {
        let writes = &self.0.writes;
        writes.ending.cancel();
        writes.tasks.close();
        let made = timeout(within, writes.tasks.wait()).await;
        let leaving = async {
            let left = writes.sessions.leave(&self.0.cluster).await;
            self.0.cluster.client().clone().shutdown().await;
            left
        };
        let left = timeout(GOODBYE, leaving).await;
        made.map_err(|_| StoreError::unavailable(NotMade(within)))?;
        left.unwrap_or_else(|_| Err(StoreError::unavailable(NotMade(GOODBYE))))
    }
}

/// Makes the writes of a tenant until none waits.
struct Making {
    mongo: Mongo,
    place: Place,
    /// Whether the queue is gone, and may be another one's by now.
    is_over: bool,
}

impl Making {
    async fn run(mut self) {
        loop {
            // Those that come until there is a connection are of the batch.
            let permit = self.permit().await;
            let mut batch = self.mongo.0.writes.next(&self.place);
            if batch.is_empty() {
                self.is_over = true;
                return;
            }
            batch.retain(|waiting| !waiting.answer.is_closed());
            match permit {
                _ if batch.is_empty() => {}
                Ok(permit) => self.make(batch, permit).await,
                Err(error) => refuse_all(batch, error),
            }
        }
    }

    async fn permit(&self) -> Result<Permit, StoreError> {
        self.mongo.0.cluster.permit(Owner::Tenant(self.place.0.clone()), Work::Write).await
    }

    /// Makes writes, each of another asset, and tells their callers.
    async fn make(&self, batch: Vec<Waiting>, permit: Permit) {
        let until = Instant::now() + MET;
        let (mut batches, mut permit, mut met) = (vec![batch], Some(permit), 0);
        while let Some(mut batch) = batches.pop() {
            // Nobody keeps a connection between two attempts.
            let attempted = match permit.take() {
                Some(permit) => self.attempt(&batch, permit).await,
                None => match self.permit().await {
                    Ok(permit) => self.attempt(&batch, permit).await,
                    Err(error) => Err(error),
                },
            };
            match attempted {
                Ok(Attempted::Made) => {
                    batch.into_iter().for_each(|waiting| tell(waiting.answer, Ok(waiting.write.done())));
                }
                Ok(Attempted::Met) if Instant::now() < until => {
                    self.mongo.0.cluster.meter().transaction_retried();
                    met += 1;
                    batches.push(batch);
                    sleep(transaction::pause(met)).await;
                }
                Ok(Attempted::Met) => refuse_all(batch, StoreError::unavailable(Met(MET))),
                Ok(Attempted::NoRoom(before)) => batches.extend(divide(before, batch)),
                Ok(Attempted::Refused(outcome)) if batch.len() == 1 => {
                    if let Some(waiting) = batch.pop() {
                        tell(waiting.answer, Ok(outcome));
                    }
                }
                Err(error) if batch.len() == 1 || matches!(error, StoreError::Unavailable(_)) => {
                    batch.extend(batches.drain(..).flatten());
                    refuse_all(batch, error);
                }
                // One of them can't be made: it is looked for by halves.
                Ok(Attempted::Refused(_)) | Err(_) => {
                    let second = batch.split_off(batch.len() / 2);
                    batches.extend([second, batch]);
                }
            }
        }
    }

    /// Attempts a batch once, in one transaction.
    async fn attempt(&self, batch: &[Waiting], permit: Permit) -> Result<Attempted, StoreError> {
        let (cluster, sessions) = (&self.mongo.0.cluster, &self.mongo.0.writes.sessions);
        // The control plane takes part.
        cluster.ping().await?;
        let mut lent = sessions.lend(cluster).await?;
        let (tenant, database) = &self.place;
        let writes: Vec<&Write> = batch.iter().map(|waiting| &waiting.write).collect();
        let attempt = transaction::attempt(cluster, &mut lent.session, database, tenant, &writes);
        let attempted = cluster.bounded(attempt).await;
        drop(permit);
        match &attempted {
            Ok(_) => sessions.take_back(lent),
            Err(error) => {
                if matches!(error, StoreError::Unavailable(_)) {
                    cluster.doubt();
                }
                let mongo = self.mongo.clone();
                let end = async move { mongo.0.writes.sessions.end(&mongo.0.cluster, lent).await };
                self.mongo.0.writes.tasks.spawn(end);
            }
        }
        attempted
    }
}

impl Drop for Making {
    /// Also after a panic, and at the runtime's end: those who wait are told that nobody makes their writes.
    fn drop(&mut self) {
        if !self.is_over {
            self.mongo.0.writes.queues.end(&self.place);
        }
    }
}

fn refuse_all(batch: Vec<Waiting>, error: StoreError) {
    refuse(batch.into_iter().map(|waiting| waiting.answer), error);
}

/// Divides writes for which there isn't room together. An insertion for which there wouldn't be room even alone is
/// refused: nothing of the batch has to be made before it. Those that have room one after the other are the last batch
/// of the result, which is made first; the others are tried once they are made.
fn divide(before: Usage, batch: Vec<Waiting>) -> Vec<Vec<Waiting>> {
    let (alone, refused): (Vec<_>, Vec<_>) =
        batch.into_iter().partition(|waiting| !fitting(before, &[&waiting.write]).contains(&false));
    for waiting in refused {
        tell(waiting.answer, Ok(Outcome::Inserted(Inserted::OverQuota(before))));
    }
    let together = fitting(before, &alone.iter().map(|waiting| &waiting.write).collect::<Vec<_>>());
    let (mut fit, mut later) = (Vec::new(), Vec::new());
    for (waiting, fits) in alone.into_iter().zip(together) {
        if fits { fit.push(waiting) } else { later.push(waiting) }
    }
    [later, fit].into_iter().filter(|batch| !batch.is_empty()).collect()
}
