//! The sessions of this node's transactions, and cleaning up after nodes that have died.
//!
//! MongoDB keeps an abandoned transaction open for a minute, and its documents locked. So a node that is killed inside a
//! transaction would block all changes of the tenant. Therefore each node records its sessions in `media_nodes`, and
//! increments a counter in the record every [`HEARTBEAT`]. If a counter hasn't changed for [`MISSED`] successful checks in
//! a row, another node kills those sessions. Clocks aren't compared.
//!
//! A node that was only suspended loses nothing: its transaction is aborted, and it retries the batch.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::TryStreamExt;
use mongodb::ClientSession;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::{Hint, ReturnDocument};
use serde::Deserialize;
use tokio::time::{Instant, sleep};
use ulid::Ulid;

use super::super::client::Cluster;
use super::super::connection_permits::{Owner, Work};
use super::super::indexes::NODES;
use crate::service::ports::StoreError;

/// How often a node increments its counter and checks those of the others.
pub const HEARTBEAT: Duration = Duration::from_secs(2);
/// After how many checks without a change a node counts as dead.
const MISSED: u32 = 3;
/// The maximum number of nodes.
const MAX_NODES: i64 = 10_000;
/// How long the server keeps an abandoned transaction.
const TRANSACTION_LIFETIME: Duration = Duration::from_secs(60);
/// The pause between two attempts to kill a session.
const KILL_PAUSE: Duration = Duration::from_millis(250);
/// How long an idle session is kept. The server forgets it after 30 minutes.
const MAX_IDLE: Duration = Duration::from_secs(15 * 60);

/// The sessions of this node.
pub struct Sessions {
    /// The id of this node's record.
    node: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    idle: Vec<(ClientSession, Instant)>,
    /// The ids of all sessions that may have a transaction.
    ids: Vec<Document>,
    /// Whether this node has a record.
    recorded: bool,
    /// Incremented when another node has killed the sessions of this one.
    generation: u64,
    seen: HashMap<String, Seen>,
}

/// The last state of another node's record.
struct Seen {
    counter: i64,
    unchanged: u32,
}

/// A session that is in use for a transaction.
pub struct Leased {
    pub session: ClientSession,
    generation: u64,
}

/// A document of `media_nodes`.
#[derive(Deserialize)]
struct NodeRecord {
    #[serde(rename = "_id")]
    id: String,
    counter: i64,
    #[serde(default)]
    sessions: Vec<Document>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { node: Ulid::generate().to_string(), state: Mutex::default() }
    }
}

impl Sessions {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a session, which is recorded before its first use. The caller needs a permit.
    pub async fn acquire(&self, cluster: &Cluster) -> Result<Leased, StoreError> {
        let generation = {
            let mut state = self.state();
            while let Some((session, used)) = state.idle.pop() {
                if used.elapsed() < MAX_IDLE {
                    return Ok(Leased { session, generation: state.generation });
                }
                state.forget(session.id());
            }
            state.generation
        };
        let session = cluster.bounded(cluster.session()).await?;
        self.state().ids.push(session.id().clone());
        if let Err(error) = self.write_record(cluster).await {
            self.state().forget(session.id());
            return Err(error);
        }
        Ok(Leased { session, generation })
    }

    /// Keeps a session that has no open transaction for the next one.
    pub fn release(&self, leased: Leased) {
        let mut state = self.state();
        if leased.generation == state.generation {
            state.idle.push((leased.session, Instant::now()));
        } else {
            state.forget(leased.session.id());
        }
    }

    /// Kills a session whose transaction may still be open. Retries until the server answers, or has ended the
    /// transaction by itself.
    pub async fn kill(&self, cluster: &Cluster, leased: Leased) {
        let id = leased.session.id().clone();
        let until = Instant::now() + TRANSACTION_LIFETIME;
        while let Err(error) = kill(cluster, std::slice::from_ref(&id)).await {
            tracing::debug!(%error, "a session can't be killed yet");
            if Instant::now() >= until {
                break;
            }
            sleep(KILL_PAUSE).await;
        }
        self.state().forget(&id);
    }

    /// Increments this node's counter, and kills the sessions of dead nodes. Call it every [`HEARTBEAT`].
    pub async fn heartbeat(&self, cluster: &Cluster) -> Result<(), StoreError> {
        let checked = self.check_nodes(cluster).await;
        if checked.is_err() {
            // While the server doesn't answer, no node can increment its counter.
            self.state().seen.clear();
        }
        checked
    }

    async fn check_nodes(&self, cluster: &Cluster) -> Result<(), StoreError> {
        if self.state().recorded {
            let _permit = cluster.permit(Owner::Node, Work::Write).await?;
            self.write_record(cluster).await?;
        }
        let others = doc! { "_id": { "$ne": &self.node } };
        let records: Vec<NodeRecord> = cluster
            .control(Owner::Node, Work::Read, |database| async move {
                let nodes = database.collection::<NodeRecord>(NODES);
                let find = nodes.find(others).limit(MAX_NODES).hint(Hint::Keys(doc! { "_id": 1 }));
                find.max_time(cluster.max_time()).await?.try_collect().await
            })
            .await?;
        let gone = self.state().dead(records);
        for gone in gone {
            kill(cluster, &gone.sessions).await?;
            tracing::info!(node = gone.id, "killed the sessions of a node that has died");
            let record = doc! { "_id": gone.id, "counter": gone.counter };
            self.remove(cluster, record).await?;
        }
        Ok(())
    }

    /// Removes this node's record, unless a session may still have an open transaction, which other nodes then kill.
    pub async fn remove_record(&self, cluster: &Cluster) -> Result<(), StoreError> {
        let is_clean = {
            let mut state = self.state();
            // The driver's shutdown waits until all sessions are dropped.
            let idle = std::mem::take(&mut state.idle);
            state.recorded && idle.len() == state.ids.len()
        };
        if is_clean { self.remove(cluster, doc! { "_id": &self.node }).await } else { Ok(()) }
    }

    /// Writes this node's record. The caller needs a permit.
    async fn write_record(&self, cluster: &Cluster) -> Result<(), StoreError> {
        let (ids, was_recorded) = {
            let state = self.state();
            (state.ids.iter().map(Bson::from).collect::<Vec<_>>(), state.recorded)
        };
        let nodes = cluster.control_database().collection::<Document>(NODES);
        let change = doc! { "$set": { "sessions": ids }, "$inc": { "counter": 1_i64 } };
        let update = nodes.find_one_and_update(doc! { "_id": &self.node }, change).upsert(true);
        let update = update.return_document(ReturnDocument::Before).projection(doc! { "_id": 1 });
        let update = update.hint(Hint::Keys(doc! { "_id": 1 })).max_time(cluster.max_time());
        let before = cluster.bounded(async { update.await }).await?;
        let mut state = self.state();
        state.recorded = true;
        if was_recorded && before.is_none() {
            // Another node took this one for dead.
            state.generation += 1;
            for (session, _) in std::mem::take(&mut state.idle) {
                state.forget(session.id());
            }
        }
        Ok(())
    }

    async fn remove(&self, cluster: &Cluster, record: Document) -> Result<(), StoreError> {
        let removed = cluster.control(Owner::Node, Work::Write, |database| async move {
            let nodes = database.collection::<Document>(NODES);
            let remove = nodes.find_one_and_delete(record).projection(doc! { "_id": 1 });
            remove.hint(Hint::Keys(doc! { "_id": 1 })).max_time(cluster.max_time()).await
        });
        removed.await.map(drop)
    }
}

impl State {
    fn forget(&mut self, id: &Document) {
        self.ids.retain(|other| other != id);
    }

    /// Returns the records whose nodes count as dead.
    fn dead(&mut self, records: Vec<NodeRecord>) -> Vec<NodeRecord> {
        let mut seen = HashMap::with_capacity(records.len());
        let mut gone = Vec::new();
        for record in records {
            let before = self.seen.remove(&record.id).filter(|before| before.counter == record.counter);
            let unchanged = before.map_or(0, |before| before.unchanged + 1);
            seen.insert(record.id.clone(), Seen { counter: record.counter, unchanged });
            if unchanged >= MISSED {
                gone.push(record);
            }
        }
        self.seen = seen;
        gone
    }
}

/// Kills sessions and aborts their transactions.
async fn kill(cluster: &Cluster, sessions: &[Document]) -> Result<(), StoreError> {
    if sessions.is_empty() {
        return Ok(());
    }
    let kill = doc! { "killSessions": sessions.iter().map(Bson::from).collect::<Vec<_>>() };
    let _permit = cluster.permit(Owner::Node, Work::Write).await?;
    cluster.bounded(async { cluster.control_database().run_command(kill).await }).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_dead_when_its_counter_does_not_change_for_some_checks() {
        let mut state = State::default();
        let mut look = |beats: &[(&str, i64)]| -> Vec<String> {
            let record = |(id, beat): &(&str, i64)| NodeRecord {
                id: (*id).to_owned(),
                counter: *beat,
                sessions: Vec::new(),
            };
            state.dead(beats.iter().map(record).collect()).into_iter().map(|gone| gone.id).collect()
        };
        for beat in 1..=3 {
            assert!(look(&[("lives", beat), ("dead", 7)]).is_empty());
        }
        assert_eq!(look(&[("lives", 4), ("dead", 7)]), ["dead"]);
        // A node that increments again, or has left, isn't dead.
        assert!(look(&[("lives", 4), ("dead", 8)]).is_empty());
        assert!(look(&[("dead", 8)]).is_empty());
        assert!(look(&[("lives", 4), ("dead", 8)]).is_empty());
    }
}
