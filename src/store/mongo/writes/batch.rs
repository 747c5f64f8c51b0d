//! Makes the writes of a batch within one transaction.
//!
//! Whatever the number of writes, the server is asked once for each kind of change:
//!
//! 1. the tenant's usage: first, so that a batch that meets another node's is undone before it has done much;
//! 2. calls, rows of `media_ids`, new assets; replaced assets and removed ones; what is due when;
//! 3. `mediaUsage` of the tenant's group: last, as others write to that document.

use std::time::Duration;

use mongodb::bson::{Bson, Document, doc};
use mongodb::error::Error;
use mongodb::{ClientSession, Database};

use super::super::calls::Call;
use super::super::error;
use super::super::ids::IdRecord;
use super::super::indexes::{ASSETS, CALLS, IDS};
use super::super::record::AssetRecord;
use super::super::usage::Delta;
use super::write::{Outcome, Write};
use crate::media::{TenantId, Usage};
use crate::service::ports::{Inserted, Update};

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

/// What an attempt came to.
pub enum Attempted {
    /// All writes are made, once they are committed.
    Made,
    /// One of the writes can't be made, for this reason. Which one, is known where there is only one.
    Refused(Outcome),
    /// There isn't room for all insertions. What the tenant had before.
    NoRoom(Usage),
    /// Another node has made the tenant's first usage meanwhile.
    Met,
}

impl Attempt<'_> {
    /// Makes the writes of a tenant, each of another asset.
    pub async fn make(&mut self, tenant: &TenantId, writes: &[&Write]) -> Result<Attempted, Error> {
        let total = Delta::sum(writes.iter().map(|write| write.delta()));
        // Writes may cancel each other out, and an insertion's quota still has to be checked.
        if writes.iter().any(|write| !write.delta().is_none()) {
            let Some(after) = total.add(self, tenant).await? else { return Ok(Attempted::Met) };
            let before = total.before(after);
            if fitting(before, writes).contains(&false) {
                return Ok(Attempted::NoRoom(before));
            }
        }
        if let Some(refused) = self.insert(writes).await? {
            return Ok(Attempted::Refused(refused));
        }
        if let Some(refused) = self.replace(writes).await? {
            return Ok(Attempted::Refused(refused));
        }
        if let Some(refused) = self.remove(writes).await? {
            return Ok(Attempted::Refused(refused));
        }
        total.add_to_group(self, tenant).await?;
        Ok(Attempted::Made)
    }

    async fn insert(&mut self, writes: &[&Write]) -> Result<Option<Outcome>, Error> {
        let insertions = || {
            writes.iter().filter_map(|write| match write {
                Write::Insert(insertion) => Some(insertion),
                Write::Replace(_) | Write::Remove(_) => None,
            })
        };
        let calls: Vec<Bson> =
            insertions().filter_map(|new| new.call.as_ref().map(Call::statement)).collect();
        if let Err(error) = self.run(&self.tenants.clone(), "update", CALLS, calls).await {
            // One of them would have been put in beside a call of its name that holds.
            return if error::is_duplicate(&error) { Ok(Some(Outcome::Called)) } else { Err(error) };
        }
        if insertions().next().is_none() {
            return Ok(None);
        }
        let ids = self.control.collection::<IdRecord>(IDS);
        let put = ids.insert_many(insertions().map(|new| &new.id)).session(&mut *self.session).await;
        let put = match put {
            Ok(_) => {
                let assets = self.tenants.collection::<AssetRecord>(ASSETS);
                assets.insert_many(insertions().map(|new| &new.record)).session(&mut *self.session).await
            }
            refused => refused,
        };
        match put {
            Ok(_) => Ok(None),
            Err(error) if error::is_duplicate(&error) => Ok(Some(Outcome::Inserted(Inserted::Taken))),
            Err(error) => Err(error),
        }
    }

    async fn replace(&mut self, writes: &[&Write]) -> Result<Option<Outcome>, Error> {
        let (mut assets, mut dues) = (Vec::new(), Vec::new());
        for write in writes {
            let Write::Replace(replacement) = write else { continue };
            assets.push(
                doc! { "q": &replacement.before, "u": &replacement.record, "hint": { "_id": 1 } }.into(),
            );
            if replacement.due_moves {
                dues.push(IdRecord::due_statement(&replacement.asset));
            }
        }
        let (expected, tenants, control) = (assets.len(), self.tenants.clone(), self.control.clone());
        if self.run(&tenants, "update", ASSETS, assets).await? < expected {
            return Ok(Some(Outcome::Updated(Update::Stale)));
        }
        self.run(&control, "update", IDS, dues).await?;
        Ok(None)
    }

    async fn remove(&mut self, writes: &[&Write]) -> Result<Option<Outcome>, Error> {
        let (mut assets, mut ids) = (Vec::new(), Vec::new());
        for write in writes {
            let Write::Remove(removal) = write else { continue };
            assets.push(doc! { "q": &removal.before, "limit": 1, "hint": { "_id": 1 } }.into());
            ids.push(IdRecord::removal_statement(&removal.asset));
        }
        let (expected, tenants, control) = (assets.len(), self.tenants.clone(), self.control.clone());
        if self.run(&tenants, "delete", ASSETS, assets).await? < expected {
            return Ok(Some(Outcome::Updated(Update::Stale)));
        }
        self.run(&control, "delete", IDS, ids).await?;
        Ok(None)
    }

    /// Runs the statements of an `update` or a `delete`: how many documents they have found. By hand, as the driver's
    /// methods take one statement and no `maxTimeMS`.
    async fn run(
        &mut self,
        database: &Database,
        command: &str,
        collection: &str,
        statements: Vec<Bson>,
    ) -> Result<usize, Error> {
        if statements.is_empty() {
            return Ok(0);
        }
        let list = if command == "delete" { "deletes" } else { "updates" };
        let max_time = i64::try_from(self.max_time.as_millis()).unwrap_or(i64::MAX);
        let command = doc! { command: collection, list: statements, "ordered": true, "maxTimeMS": max_time };
        let answer = database.run_command(command).session(&mut *self.session).await?;
        error::refused_statement(&answer)?;
        Ok(number(&answer, "n"))
    }
}

/// Which writes have room one after the other: those that aren't insertions always do.
pub fn fitting(before: Usage, writes: &[&Write]) -> Vec<bool> {
    let mut usage = before;
    let fits = |write: &&Write| {
        let fits = match write {
            Write::Insert(insertion) => insertion.quota.has_room(&usage, insertion.asset.size_bytes),
            Write::Replace(_) | Write::Remove(_) => true,
        };
        if fits {
            usage = write.delta().after(usage);
        }
        fits
    };
    writes.iter().map(fits).collect()
}

fn number(answer: &Document, member: &str) -> usize {
    let number = match answer.get(member) {
        Some(Bson::Int32(number)) => i64::from(*number),
        Some(Bson::Int64(number)) => *number,
        // Some servers count in doubles.
        #[expect(clippy::cast_possible_truncation, reason = "a count of statements is small and whole")]
        Some(Bson::Double(number)) => *number as i64,
        _ => 0,
    };
    usize::try_from(number).unwrap_or(0)
}
