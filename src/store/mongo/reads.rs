//! Reads of single assets. Those of a tenant that wait for a connection at the same time are one query.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::Mongo;
use super::connection_permits::{Owner, Permit, Work};
use super::queues::{Answer, Place, Queues, refuse, tell};
use crate::media::{Asset, AssetId, TenantId};
use crate::service::ports::StoreError;

/// The most assets of one query.
const MOST: usize = 100;

/// The reads of a node. Their tasks run where the client does.
pub struct Reads {
    runtime: Handle,
    queues: Queues<Reading>,
}

/// A read.
struct Reading {
    id: AssetId,
    answer: Answer<Option<Asset>>,
}

impl Reads {
    /// None yet. Their tasks run on this runtime.
    pub fn new() -> Self {
        Self { runtime: Handle::current(), queues: Queues::default() }
    }
}

impl Mongo {
    /// One asset.
    pub(super) async fn find_in(
        &self,
        database: &Arc<str>,
        tenant: &TenantId,
        id: AssetId,
    ) -> Result<Option<Asset>, StoreError> {
        let (answer, answered) = oneshot::channel();
        let place = (tenant.clone(), Arc::clone(database));
        let reads = &self.0.reads;
        if reads.queues.push(&place, Reading { id, answer }) {
            reads.runtime.spawn(Taker { mongo: self.clone(), place, is_over: false }.run());
        }
        answered.await.unwrap_or_else(|closed| Err(StoreError::unavailable(closed)))
    }
}

/// Makes the reads of a tenant until none waits.
struct Taker {
    mongo: Mongo,
    place: Place,
    /// Whether the queue has ended, and may be another one's by now.
    is_over: bool,
}

impl Taker {
    async fn run(mut self) {
        loop {
            let owner = Owner::Tenant(self.place.0.clone());
            // Those that come until there is a connection are of the query.
            let permit = self.mongo.0.cluster.permit(owner, Work::Read).await;
            let mut reads = self.mongo.0.reads.queues.take(&self.place, MOST, |_| true);
            if reads.is_empty() {
                self.is_over = true;
                return;
            }
            reads.retain(|read| !read.answer.is_closed());
            match permit {
                Ok(permit) => self.read(reads, permit).await,
                Err(error) => refuse(reads.into_iter().map(|read| read.answer), error),
            }
        }
    }

    async fn read(&self, reads: Vec<Reading>, permit: Permit) {
        let (tenant, database) = &self.place;
        let mut ids: Vec<AssetId> = reads.iter().map(|read| read.id).collect();
        ids.sort_unstable();
        ids.dedup();
        match self.mongo.find_with(permit, database, tenant, &ids).await {
            Ok(found) => reads.into_iter().for_each(|read| {
                let asset = found.iter().find(|asset| asset.id == read.id);
                tell(read.answer, Ok(asset.cloned()));
            }),
            // One of the records can't be read: that is the answer to those alone who ask for it.
            Err(StoreError::Corrupt(_)) if ids.len() > 1 => {
                for Reading { id, answer } in reads {
                    let found = self.mongo.find_many_in(database, tenant, &[id]).await;
                    tell(answer, found.map(|mut found| found.pop()));
                }
            }
            Err(error) => refuse(reads.into_iter().map(|read| read.answer), error),
        }
    }
}

impl Drop for Taker {
    fn drop(&mut self) {
        if !self.is_over {
            self.mongo.0.reads.queues.end(&self.place);
        }
    }
}
