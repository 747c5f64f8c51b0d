//! The commands of a batch, within one transaction.
//!
//! There is one command for each kind of change, however many writes the batch has:
//!
//! 1. the tenant's usage comes first, so that a conflict with another node shows early;
//! 2. then idempotent calls, rows of `media_ids` and new assets; replaced and removed assets; due times;
//! 3. `mediaUsage` of the tenant's group comes last, since other services write to that document, too.

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

/// An attempt to write a batch.
pub struct Attempt<'a> {
    /// The session of its transaction.
    pub session: &'a mut ClientSession,
    /// The tenant's database.
    pub tenants: Database,
    /// The control plane's database.
    pub control: Database,
    /// The `maxTimeMS` of each command.
    pub max_time: Duration,
}

/// The result of an attempt.
pub enum Attempted {
    /// All writes succeeded, and wait for the commit.
    Made,
    /// One of the writes failed, with this outcome. In a batch of several, it isn't known which one.
    Refused(Outcome),
    /// The insertions exceed the quota. Carries the tenant's usage before the batch.
    NoRoom(Usage),
    /// The attempt conflicted with another transaction.
    Conflict,
}

impl Attempt<'_> {
    /// Runs the commands for the writes of a tenant, of which no two are for one asset.
    pub async fn run(&mut self, tenant: &TenantId, writes: &[&Write]) -> Result<Attempted, Error> {
        let total = Delta::sum(writes.iter().map(|write| write.delta()));
        // The writes may cancel each other out; the quota has to be checked all the same.
        if writes.iter().any(|write| !write.delta().is_none()) {
            let Some(after) = total.add(self, tenant).await? else { return Ok(Attempted::Conflict) };
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
        if let Err(error) = self.command(&self.tenants.clone(), "update", CALLS, calls).await {
            // One of the keys has been used by a call that hasn't expired.
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
        if self.command(&tenants, "update", ASSETS, assets).await? < expected {
            return Ok(Some(Outcome::Updated(Update::Stale)));
        }
        self.command(&control, "update", IDS, dues).await?;
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
        if self.command(&tenants, "delete", ASSETS, assets).await? < expected {
            return Ok(Some(Outcome::Updated(Update::Stale)));
        }
        self.command(&control, "delete", IDS, ids).await?;
        Ok(None)
    }

    /// Runs the statements of an `update` or a `delete`, and returns how many documents they matched. The driver's own
    /// methods take only one statement, and no `maxTimeMS`.
    async fn command(
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
        error::check_statements(&answer)?;
        Ok(number(&answer, "n"))
    }
}

/// Returns for each write whether it fits the quota if the writes are made in this order. Only insertions may not fit.
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
