//! Changes that are made whole or not at all.
//!
//! 1. One lane of the tenant, one turn, one session; then attempts.
//! 2. An attempt that meets another transaction is undone and tried again, up to [`ATTEMPTS`] times, after a
//!    pause that grows and is left to chance.
//! 3. A commit whose answer was lost is asked for again: that is safe.
//! 4. All of it has the time of one operation. Where it runs out, or the commit stays unanswered, nobody knows
//!    whether the change was made: that is [`StoreError::Unavailable`], and the caller reads again.
//! 5. What was cut off in the middle is ended on the server once that can be reached: else it would hold the
//!    tenant's group, and refuse its changes, for a minute.

use std::time::Duration;

use async_trait::async_trait;
use mongodb::bson::doc;
use mongodb::error::{Error, TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT};
use mongodb::options::{ReadConcern, TransactionOptions};
use mongodb::{ClientSession, Database};
use rand::RngExt;
use tokio::time::{Instant, sleep};

use super::Mongo;
use super::client::Cluster;
use crate::media::TenantId;
use crate::service::ports::StoreError;

/// How often a transaction is tried.
const ATTEMPTS: u32 = 12;
/// How often a commit is asked for.
const COMMITS: u32 = 3;
/// The longest first pause, in milliseconds; each one after it may be twice as long.
const PAUSE_MILLIS: u64 = 4;
/// The longest pause, in milliseconds.
const LONGEST_PAUSE_MILLIS: u64 = 250;

/// How long the server keeps a transaction that nobody ends.
const HELD: Duration = Duration::from_secs(60);
/// Between two tries to end a session.
const LET_GO_REST: Duration = Duration::from_millis(250);

/// What an attempt came to.
pub enum End<T> {
    /// It holds.
    Commit(T),
    /// It is undone, and this is why.
    Undo(T),
    /// It met another one, and is to be tried again.
    Again,
}

/// A change, which may be attempted several times.
#[async_trait]
pub trait Change: Sync {
    /// What came of it.
    type Outcome: Send;

    /// Makes it, within a session's transaction.
    async fn attempt(&self, at: &mut Attempt<'_>) -> Result<End<Self::Outcome>, Error>;
}

/// Where an attempt is made.
pub struct Attempt<'a> {
    /// Its session.
    pub session: &'a mut ClientSession,
    /// The tenant's database.
    pub tenants: Database,
    /// The control plane's.
    pub control: Database,
    /// What each operation gives as `maxTimeMS`.
    pub max_time: Duration,
}

impl Mongo {
    /// Makes a change of a tenant's.
    pub async fn change<C: Change>(
        &self,
        tenant: &TenantId,
        database: &str,
        change: &C,
    ) -> Result<C::Outcome, StoreError> {
        let cluster = &self.0.cluster;
        let _lane = self.0.lanes.enter(tenant, cluster.options().patience()).await?;
        let _turn = cluster.turn().await?;
        // The control plane takes part.
        cluster.ping().await?;
        let mut session = cluster.bounded(cluster.session()).await?;
        let outcome = cluster.bounded(run(cluster, &mut session, database, change)).await;
        if let Err(error) = &outcome {
            if matches!(error, StoreError::Unavailable(_)) {
                cluster.doubt();
            }
            tokio::spawn(let_go(cluster.clone(), session));
        }
        outcome
    }
}

async fn run<C: Change>(
    cluster: &Cluster,
    session: &mut ClientSession,
    database: &str,
    change: &C,
) -> Result<C::Outcome, Error> {
    let options = TransactionOptions::builder()
        .read_concern(ReadConcern::snapshot())
        .max_commit_time(cluster.max_time())
        .build();
    let mut tries = 0;
    loop {
        session.start_transaction().with_options(options.clone()).await?;
        let mut at = Attempt {
            session: &mut *session,
            tenants: cluster.database(database),
            control: cluster.control_database(),
            max_time: cluster.max_time(),
        };
        let error = match change.attempt(&mut at).await {
            Ok(End::Commit(outcome)) => match commit(session).await {
                Ok(()) => return Ok(outcome),
                Err(error) => Some(error),
            },
            Ok(End::Undo(outcome)) => {
                abort(session).await;
                return Ok(outcome);
            }
            Ok(End::Again) => {
                abort(session).await;
                None
            }
            Err(error) => {
                abort(session).await;
                Some(error)
            }
        };
        tries += 1;
        let error = error.unwrap_or_else(|| Error::custom("another transaction was first, each time"));
        let met = error.get_custom::<&str>().is_some() || error.contains_label(TRANSIENT_TRANSACTION_ERROR);
        if tries >= ATTEMPTS || !met {
            return Err(error);
        }
        cluster.meter().transaction_retried();
        sleep(pause(tries)).await;
    }
}

async fn commit(session: &mut ClientSession) -> Result<(), Error> {
    let mut asked = 0;
    loop {
        let Err(error) = session.commit_transaction().await else { return Ok(()) };
        asked += 1;
        if asked >= COMMITS || !error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) {
            return Err(error);
        }
    }
}

/// Ends the session of a change that failed, once the server can be told: what a transaction holds that was cut
/// off stands in the way of all other changes of its tenant. Nobody else uses the session meanwhile.
async fn let_go(cluster: Cluster, session: ClientSession) {
    let until = Instant::now() + HELD;
    while Instant::now() < until {
        let ended = match cluster.turn().await {
            Ok(_turn) => {
                let end = doc! { "killSessions": [session.id().clone()] };
                cluster.bounded(async { cluster.control_database().run_command(end).await }).await.map(drop)
            }
            Err(error) => Err(error),
        };
        let Err(error) = ended else { return };
        tracing::debug!(%error, "a session can't be ended yet");
        sleep(LET_GO_REST).await;
    }
}

/// Lets go of what the transaction holds. Where that fails, [`let_go`] does.
async fn abort(session: &mut ClientSession) {
    if let Err(error) = session.abort_transaction().await {
        tracing::debug!(%error, "a transaction couldn't be undone at once");
    }
}

fn pause(tries: u32) -> Duration {
    let longest = PAUSE_MILLIS.saturating_mul(1 << tries.min(16)).min(LONGEST_PAUSE_MILLIS);
    Duration::from_millis(rand::rng().random_range(1..=longest))
}
