//! One transaction: begin, run a batch, commit or abort.

use std::time::Duration;

use mongodb::ClientSession;
use mongodb::error::{Error, UNKNOWN_TRANSACTION_COMMIT_RESULT};
use mongodb::options::{ReadConcern, TransactionOptions};
use rand::RngExt;

use super::super::client::Cluster;
use super::super::error::{is_conflict, is_transient};
use super::batch::{Attempt, Attempted};
use super::write::Write;
use crate::media::TenantId;

/// How often a commit is sent. Resending one whose answer was lost is safe.
const COMMITS: u32 = 3;
/// The longest first pause, in milliseconds; each one after it may be twice as long.
const PAUSE_MILLIS: u64 = 4;
/// The longest pause, in milliseconds.
const LONGEST_PAUSE_MILLIS: u64 = 250;

/// Runs a batch of a tenant's writes in a transaction, and commits it if all writes succeed.
pub async fn attempt(
    cluster: &Cluster,
    session: &mut ClientSession,
    database: &str,
    tenant: &TenantId,
    writes: &[&Write],
) -> Result<Attempted, Error> {
    let options = TransactionOptions::builder()
        .read_concern(ReadConcern::snapshot())
        .max_commit_time(cluster.max_time())
        .build();
    session.start_transaction().with_options(options).await?;
    let mut at = Attempt {
        session: &mut *session,
        tenants: cluster.database(database),
        control: cluster.control_database(),
        max_time: cluster.max_time(),
    };
    let attempted = match at.run(tenant, writes).await {
        Ok(Attempted::Made) => match commit(session).await {
            Ok(()) => return Ok(Attempted::Made),
            // The driver retries a commit whose answer was lost, so this error doesn't show that nothing was committed.
            // Retrying the batch could write it twice.
            Err(error) if !is_conflict(&error) => return Err(error),
            Err(error) => Err(error),
        },
        attempted => attempted,
    };
    if let Err(error) = session.abort_transaction().await {
        // The server may have aborted it already, or may be unreachable.
        tracing::debug!(%error, "a transaction couldn't be undone at once");
    }
    match attempted {
        Err(error) if is_transient(&error) => Ok(Attempted::Conflict),
        attempted => attempted,
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

/// Returns a random pause before the next attempt, so that two nodes don't conflict again.
pub fn pause(attempts: u32) -> Duration {
    let longest = PAUSE_MILLIS.saturating_mul(1 << attempts.min(16)).min(LONGEST_PAUSE_MILLIS);
    Duration::from_millis(rand::rng().random_range(1..=longest))
}
