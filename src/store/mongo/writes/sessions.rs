//! The sessions in which this node's transactions run, and those that other nodes have left behind.
//!
//! The server keeps a transaction that nobody ends for a minute, and with it whatever it has changed: so a node that is
//! killed inside one would keep its tenant's usage from being written by all others. Therefore each node writes down
//! which sessions it uses (`media_nodes`), and counts on in its record every [`BEAT`]. Where a record stands still for
//! [`MISSED`] looks, each of which the server has answered, another node ends those sessions. No clocks are compared.
//!
//! A node that only stood still loses nothing: what it was about to commit is undone, and tried again by itself.

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

/// How often a node counts on in its record, and looks at those of others.
pub const BEAT: Duration = Duration::from_secs(2);
/// After how many looks at a record that stands still its node is gone.
const MISSED: u32 = 3;
/// How many records of other nodes are looked at.
const MOST_NODES: i64 = 10_000;
/// How long the server keeps a transaction that nobody ends.
const KEPT: Duration = Duration::from_secs(60);
/// The pause between two tries to end a session.
const END_PAUSE: Duration = Duration::from_millis(250);
/// How long a session may lie unused. The server forgets it after 30 minutes.
const IDLE: Duration = Duration::from_secs(15 * 60);

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
    /// Counts the times that the sessions were found to have been ended by another node.
    generation: u64,
    seen: HashMap<String, Seen>,
}

/// A record of another node, as it was seen last.
struct Seen {
    beat: i64,
    looks: u32,
}

/// A session, lent to one transaction after the other.
pub struct Lent {
    pub session: ClientSession,
    generation: u64,
}

/// A document of `media_nodes`.
#[derive(Deserialize)]
struct NodeRecord {
    #[serde(rename = "_id")]
    id: String,
    beat: i64,
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

    /// A session, which is written down before it is used. Its holder has a permit.
    pub async fn lend(&self, cluster: &Cluster) -> Result<Lent, StoreError> {
        let generation = {
            let mut state = self.state();
            while let Some((session, used)) = state.idle.pop() {
                if used.elapsed() < IDLE {
                    return Ok(Lent { session, generation: state.generation });
                }
                state.forget(session.id());
            }
            state.generation
        };
        let session = cluster.bounded(cluster.session()).await?;
        self.state().ids.push(session.id().clone());
        if let Err(error) = self.write_down(cluster).await {
            self.state().forget(session.id());
            return Err(error);
        }
        Ok(Lent { session, generation })
    }

    /// Takes back a session that has no transaction.
    pub fn take_back(&self, lent: Lent) {
        let mut state = self.state();
        if lent.generation == state.generation {
            state.idle.push((lent.session, Instant::now()));
        } else {
            state.forget(lent.session.id());
        }
    }

    /// Ends a session whose transaction was cut off, once the server can be told: what it has changed stands in the way
    /// of others.
    pub async fn end(&self, cluster: &Cluster, lent: Lent) {
        let id = lent.session.id().clone();
        let until = Instant::now() + KEPT;
        while let Err(error) = kill(cluster, std::slice::from_ref(&id)).await {
            tracing::debug!(%error, "a session can't be ended yet");
            if Instant::now() >= until {
                break;
            }
            sleep(END_PAUSE).await;
        }
        self.state().forget(&id);
    }

    /// Counts on in this node's record, and ends what nodes that are gone have left behind. To be called every [`BEAT`].
    pub async fn beat(&self, cluster: &Cluster) -> Result<(), StoreError> {
        let looked = self.look(cluster).await;
        if looked.is_err() {
            // While the server doesn't answer, nobody can count on.
            self.state().seen.clear();
        }
        looked
    }

    async fn look(&self, cluster: &Cluster) -> Result<(), StoreError> {
        if self.state().recorded {
            let _permit = cluster.permit(Owner::Node, Work::Write).await?;
            self.write_down(cluster).await?;
        }
        let others = doc! { "_id": { "$ne": &self.node } };
        let records: Vec<NodeRecord> = cluster
            .control(Owner::Node, Work::Read, |database| async move {
                let nodes = database.collection::<NodeRecord>(NODES);
                let find = nodes.find(others).limit(MOST_NODES).hint(Hint::Keys(doc! { "_id": 1 }));
                find.max_time(cluster.max_time()).await?.try_collect().await
            })
            .await?;
        let gone = self.state().gone(records);
        for gone in gone {
            kill(cluster, &gone.sessions).await?;
            tracing::info!(node = gone.id, "ended the transactions of a node that is gone");
            let record = doc! { "_id": gone.id, "beat": gone.beat };
            self.remove(cluster, record).await?;
        }
        Ok(())
    }

    /// Says that this node is gone and has left nothing behind. Sessions that may still have a transaction are left to
    /// other nodes.
    pub async fn leave(&self, cluster: &Cluster) -> Result<(), StoreError> {
        let is_clean = {
            let mut state = self.state();
            // The driver waits for the sessions that are held.
            let idle = std::mem::take(&mut state.idle);
            state.recorded && idle.len() == state.ids.len()
        };
        if is_clean { self.remove(cluster, doc! { "_id": &self.node }).await } else { Ok(()) }
    }

    /// Writes down which sessions this node uses. The caller has a permit.
    async fn write_down(&self, cluster: &Cluster) -> Result<(), StoreError> {
        let (ids, was_recorded) = {
            let state = self.state();
            (state.ids.iter().map(Bson::from).collect::<Vec<_>>(), state.recorded)
        };
        let nodes = cluster.control_database().collection::<Document>(NODES);
        let change = doc! { "$set": { "sessions": ids }, "$inc": { "beat": 1_i64 } };
        let update = nodes.find_one_and_update(doc! { "_id": &self.node }, change).upsert(true);
        let update = update.return_document(ReturnDocument::Before).projection(doc! { "_id": 1 });
        let update = update.hint(Hint::Keys(doc! { "_id": 1 })).max_time(cluster.max_time());
        let before = cluster.bounded(async { update.await }).await?;
        let mut state = self.state();
        state.recorded = true;
        if was_recorded && before.is_none() {
            // Another node took this one for gone.
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

    /// The records that have stood still for so long that their nodes are gone.
    fn gone(&mut self, records: Vec<NodeRecord>) -> Vec<NodeRecord> {
        let mut seen = HashMap::with_capacity(records.len());
        let mut gone = Vec::new();
        for record in records {
            let before = self.seen.remove(&record.id).filter(|before| before.beat == record.beat);
            let looks = before.map_or(0, |before| before.looks + 1);
            seen.insert(record.id.clone(), Seen { beat: record.beat, looks });
            if looks >= MISSED {
                gone.push(record);
            }
        }
        self.seen = seen;
        gone
    }
}

/// Ends sessions, with their transactions.
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
    fn a_node_is_gone_when_its_record_stands_still_for_some_looks() {
        let mut state = State::default();
        let mut look = |beats: &[(&str, i64)]| -> Vec<String> {
            let record = |(id, beat): &(&str, i64)| NodeRecord {
                id: (*id).to_owned(),
                beat: *beat,
                sessions: Vec::new(),
            };
            state.gone(beats.iter().map(record).collect()).into_iter().map(|gone| gone.id).collect()
        };
        for beat in 1..=3 {
            assert!(look(&[("lives", beat), ("dead", 7)]).is_empty());
        }
        assert_eq!(look(&[("lives", 4), ("dead", 7)]), ["dead"]);
        // One that counts on again, or has left, isn't.
        assert!(look(&[("lives", 4), ("dead", 8)]).is_empty());
        assert!(look(&[("dead", 8)]).is_empty());
        assert!(look(&[("lives", 4), ("dead", 8)]).is_empty());
    }
}
