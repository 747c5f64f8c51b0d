//! Reads by id. Reads that wait for a connection at the same time share one query: those of a tenant's assets
//! ([`Assets`]), and those of `media_ids` ([`Rows`]), which permalinks need.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Mongo;
use super::connection_permits::{Owner, Permit, Work};
use super::ids::IdRecord;
use super::queues::{Answer, Place, Queues, fail_all, reply};
use crate::media::{Asset, AssetId, TenantId};
use crate::service::ports::StoreError;

/// The maximum number of ids in a query.
const MAX_BATCH: usize = 100;

/// The reads of this node. Their tasks run on the runtime on which the client was created.
pub struct Reads {
    runtime: Handle,
    assets: Queues<Place, Reading<Asset>>,
    rows: Queues<(), Reading<IdRecord>>,
}

/// A queued read.
struct Reading<T> {
    id: AssetId,
    answer: Answer<Option<T>>,
}

/// The read took too long.
#[derive(Debug, thiserror::Error)]
#[error("a read wasn't answered within {} s", .0.as_secs_f64())]
struct NotRead(Duration);

/// A collection that is read by id.
#[async_trait]
trait Kind: Send + 'static {
    /// Reads with the same key can share a query.
    type Key: Clone + Eq + Hash + Send + Sync + 'static;
    type Found: Clone + Send + 'static;

    fn queues(reads: &Reads) -> &Queues<Self::Key, Reading<Self::Found>>;
    fn owner(key: &Self::Key) -> Owner;
    fn id(found: &Self::Found) -> AssetId;
    async fn find(
        mongo: &Mongo,
        permit: Permit,
        key: &Self::Key,
        ids: &[AssetId],
    ) -> Result<Vec<Self::Found>, StoreError>;
}

/// Assets of a tenant.
struct Assets;

/// Rows of `media_ids`, for any caller.
struct Rows;

#[async_trait]
impl Kind for Assets {
    type Key = Place;
    type Found = Asset;

    fn queues(reads: &Reads) -> &Queues<Place, Reading<Asset>> {
        &reads.assets
    }

    fn owner((tenant, _): &Place) -> Owner {
        Owner::Tenant(tenant.clone())
    }

    fn id(found: &Asset) -> AssetId {
        found.id
    }

    async fn find(
        mongo: &Mongo,
        permit: Permit,
        (tenant, database): &Place,
        ids: &[AssetId],
    ) -> Result<Vec<Asset>, StoreError> {
        mongo.find_with(permit, database, tenant, ids).await
    }
}

#[async_trait]
impl Kind for Rows {
    type Key = ();
    type Found = IdRecord;

    fn queues(reads: &Reads) -> &Queues<(), Reading<IdRecord>> {
        &reads.rows
    }

    fn owner((): &()) -> Owner {
        Owner::Stranger
    }

    fn id(found: &IdRecord) -> AssetId {
        found.id
    }

    async fn find(
        mongo: &Mongo,
        permit: Permit,
        (): &(),
        ids: &[AssetId],
    ) -> Result<Vec<IdRecord>, StoreError> {
        mongo.rows_with(permit, ids).await
    }
}

impl Reads {
    /// Creates empty queues. Their tasks run on the current runtime.
    pub fn new() -> Self {
        Self { runtime: Handle::current(), assets: Queues::default(), rows: Queues::default() }
    }
}

impl Mongo {
    /// Reads one asset of a tenant.
    pub(super) async fn find_in(
        &self,
        database: &Arc<str>,
        tenant: &TenantId,
        id: AssetId,
    ) -> Result<Option<Asset>, StoreError> {
        self.read_one::<Assets>((tenant.clone(), Arc::clone(database)), id).await
    }

    /// Reads the row of an id: its tenant and its database.
    pub(super) async fn place_of(&self, id: AssetId) -> Result<Option<IdRecord>, StoreError> {
        self.read_one::<Rows>((), id).await
    }

    async fn read_one<K: Kind>(&self, key: K::Key, id: AssetId) -> Result<Option<K::Found>, StoreError> {
        let (answer, answered) = oneshot::channel();
        let reads = &self.0.reads;
        if K::queues(reads).push(&key, Reading { id, answer }) {
            let reader: Reader<K> = Reader { mongo: self.clone(), key, is_over: false };
            reads.runtime.spawn(reader.run());
        }
        let options = self.0.cluster.options();
        let longest = options.wait_queue.saturating_add(options.patience());
        match timeout(longest, answered).await {
            Ok(Ok(found)) => found,
            Ok(Err(closed)) => Err(StoreError::unavailable(closed)),
            Err(_) => Err(StoreError::unavailable(NotRead(longest))),
        }
    }
}

/// Runs the queries of a key until its queue is empty.
struct Reader<K: Kind> {
    mongo: Mongo,
    key: K::Key,
    /// Whether the queue has been removed. There may be a new one by now, with a reader of its own.
    is_over: bool,
}

impl<K: Kind> Reader<K> {
    async fn run(mut self) {
        loop {
            // Reads that arrive while this waits for a connection join the query.
            let permit = self.permit().await;
            let mut reads = K::queues(&self.mongo.0.reads).take(&self.key, MAX_BATCH, |_| true);
            if reads.is_empty() {
                self.is_over = true;
                return;
            }
            reads.retain(|read| !read.answer.is_closed());
            match permit {
                Ok(permit) => self.read(reads, permit).await,
                Err(error) => fail_all(reads.into_iter().map(|read| read.answer), error),
            }
        }
    }

    async fn permit(&self) -> Result<Permit, StoreError> {
        self.mongo.0.cluster.permit(K::owner(&self.key), Work::Read).await
    }

    async fn read(&self, reads: Vec<Reading<K::Found>>, permit: Permit) {
        let mut ids: Vec<AssetId> = reads.iter().map(|read| read.id).collect();
        ids.sort_unstable();
        ids.dedup();
        match K::find(&self.mongo, permit, &self.key, &ids).await {
            Ok(found) => reads.into_iter().for_each(|read| {
                let one = found.iter().find(|one| K::id(one) == read.id);
                reply(read.answer, Ok(one.cloned()));
            }),
            // One of the documents is malformed. Only the reads of that one may fail.
            Err(StoreError::Corrupt(_)) if ids.len() > 1 => {
                for Reading { id, answer } in reads {
                    let found = match self.permit().await {
                        Ok(permit) => K::find(&self.mongo, permit, &self.key, &[id]).await,
                        Err(error) => Err(error),
                    };
                    reply(answer, found.map(|mut found| found.pop()));
                }
            }
            Err(error) => fail_all(reads.into_iter().map(|read| read.answer), error),
        }
    }
}

impl<K: Kind> Drop for Reader<K> {
    fn drop(&mut self) {
        if !self.is_over {
            K::queues(&self.mongo.0.reads).remove(&self.key);
        }
    }
}
