//! A store of assets that counts what it is asked, can be slow, and can be taken down.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use signet::media::{Asset, AssetId, TenantId, Timestamp, Usage};
use signet::service::ports::{
    AssetFilter, AssetStore, Due, InsertTerms, Inserted, ListPosition, StoreError, Update,
};
use tokio::sync::{Semaphore, oneshot};

/// Another store, with faults.
pub struct Faulty {
    inner: Arc<dyn AssetStore>,
    down: AtomicBool,
    asked: AtomicUsize,
    slow: AtomicBool,
    held: Mutex<Option<Held>>,
}

/// The next call is held once the store has answered it.
struct Held {
    there: oneshot::Sender<()>,
    release: Arc<Semaphore>,
}

impl Faulty {
    pub fn new(inner: Arc<dyn AssetStore>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            down: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
            slow: AtomicBool::new(false),
            held: Mutex::new(None),
        })
    }

    /// While it is down, each call fails.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// While it is slow, answers come some turns late.
    pub fn set_slow(&self) {
        self.slow.store(true, Ordering::SeqCst);
    }

    /// How many calls there have been since this was last asked.
    pub fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::SeqCst)
    }

    /// Holds the answer to the next call: what tells that it is there, and what releases it by a permit.
    pub fn hold_next(&self) -> (oneshot::Receiver<()>, Arc<Semaphore>) {
        let ((there, arrived), release) = (oneshot::channel(), Arc::new(Semaphore::new(0)));
        *self.held.lock().unwrap() = Some(Held { there, release: Arc::clone(&release) });
        (arrived, release)
    }

    async fn answer<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = match self.down.load(Ordering::SeqCst) {
            true => Err(StoreError::unavailable("it is down")),
            false => call.await,
        };
        let held = self.held.lock().unwrap().take();
        if let Some(Held { there, release }) = held {
            there.send(()).unwrap();
            drop(release.acquire().await.unwrap());
        }
        if self.slow.load(Ordering::SeqCst) {
            for _ in 0..rand::random_range(0..20) {
                tokio::task::yield_now().await;
            }
        }
        answer
    }
}

#[async_trait]
impl AssetStore for Faulty {
    async fn insert(&self, asset: &Asset, terms: &InsertTerms) -> Result<Inserted, StoreError> {
        self.answer(self.inner.insert(asset, terms)).await
    }

    async fn find(&self, tenant: &TenantId, id: AssetId) -> Result<Option<Asset>, StoreError> {
        self.answer(self.inner.find(tenant, id)).await
    }

    async fn find_many(&self, tenant: &TenantId, ids: &[AssetId]) -> Result<Vec<Asset>, StoreError> {
        self.answer(self.inner.find_many(tenant, ids)).await
    }

    async fn find_anywhere(&self, id: AssetId) -> Result<Option<Asset>, StoreError> {
        self.answer(self.inner.find_anywhere(id)).await
    }

    async fn existing(&self, ids: &[AssetId]) -> Result<Vec<AssetId>, StoreError> {
        self.answer(self.inner.existing(ids)).await
    }

    async fn list(
        &self,
        tenant: &TenantId,
        filter: &AssetFilter,
        after: Option<ListPosition>,
        limit: usize,
    ) -> Result<Vec<Asset>, StoreError> {
        self.answer(self.inner.list(tenant, filter, after, limit)).await
    }

    async fn update(&self, asset: &Asset) -> Result<Update, StoreError> {
        self.answer(self.inner.update(asset)).await
    }

    async fn remove(&self, asset: &Asset) -> Result<Update, StoreError> {
        self.answer(self.inner.remove(asset)).await
    }

    async fn usage(&self, tenant: &TenantId) -> Result<Usage, StoreError> {
        self.answer(self.inner.usage(tenant)).await
    }

    async fn due(&self, now: Timestamp, after: Option<&Due>, limit: usize) -> Result<Vec<Due>, StoreError> {
        self.answer(self.inner.due(now, after, limit)).await
    }

    async fn forget_due(&self, due: &Due) -> Result<(), StoreError> {
        self.answer(self.inner.forget_due(due)).await
    }
}
