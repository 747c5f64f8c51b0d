//! Work that goes on when nobody waits for it any more: parts that are put together to one file.
//!
//! The same work that is asked for again while it is under way is joined, not begun anew. So much is
//! under way at the same time and no more: who comes later waits, and has begun nothing until it is their
//! turn.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::sync::Semaphore;
use tracing::Instrument;

/// Work under way, by what it is for. Cheap to clone.
pub(super) struct Assembly<K, T>(Arc<Inner<K, T>>);

struct Inner<K, T> {
    running: Mutex<HashMap<K, Work<T>>>,
    slots: Arc<Semaphore>,
}

/// What the work gives; `None` where it broke down.
type Work<T> = Shared<BoxFuture<'static, Option<T>>>;

impl<K, T> Clone for Assembly<K, T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Eq + Hash + Clone + Send + 'static, T: Clone + Send + Sync + 'static> Assembly<K, T> {
    /// So many works at the same time.
    pub(super) fn new(slots: usize) -> Self {
        let slots = Arc::new(Semaphore::new(slots));
        Self(Arc::new(Inner { running: Mutex::default(), slots }))
    }

    /// What the work gives, begun here or by somebody before; `None` where it broke down.
    pub(super) async fn run(&self, key: K, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let running = self.running().get(&key).cloned();
        if let Some(work) = running {
            return work.await;
        }
        let slot = Arc::clone(&self.0.slots).acquire_owned().await.ok()?;
        let work = {
            let mut running = self.running();
            let begin = || {
                let listed = Listed { assembly: self.clone(), key: key.clone() };
                let work = async move {
                    let (_slot, _listed) = (slot, listed);
                    work.await
                };
                let task = tokio::spawn(work.in_current_span());
                async move { task.await.ok() }.boxed().shared()
            };
            running.entry(key.clone()).or_insert_with(begin).clone()
        };
        work.await
    }

    fn running(&self) -> MutexGuard<'_, HashMap<K, Work<T>>> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the work off the list, however it ends.
struct Listed<K: Eq + Hash + Clone + Send + 'static, T: Clone + Send + Sync + 'static> {
    assembly: Assembly<K, T>,
    key: K,
}

impl<K: Eq + Hash + Clone + Send + 'static, T: Clone + Send + Sync + 'static> Drop for Listed<K, T> {
    fn drop(&mut self) {
        self.assembly.running().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn work_is_done_once_and_goes_on_when_nobody_waits() {
        let assembly = Assembly::new(1);
        let (begun, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let work = || {
            let (begun, go) = (begun.clone(), go.clone());
            async move {
                let number = begun.fetch_add(1, Ordering::SeqCst);
                go.notified().await;
                number
            }
        };
        let impatient = assembly.run("a", work()).now_or_never();
        assert!(impatient.is_none());
        tokio::task::yield_now().await;
        assert_eq!(begun.load(Ordering::SeqCst), 1);
        let mut waiting = std::pin::pin!(assembly.run("b", work()));
        assert!(waiting.as_mut().now_or_never().is_none());
        tokio::task::yield_now().await;
        assert_eq!(begun.load(Ordering::SeqCst), 1, "there is one slot");
        let mut joined = std::pin::pin!(assembly.run("a", work()));
        assert!(joined.as_mut().now_or_never().is_none());
        go.notify_one();
        assert_eq!(joined.await, Some(0), "it gets what was begun before");
        go.notify_one();
        assert_eq!(waiting.await, Some(1));
        go.notify_one();
        assert_eq!(assembly.run("a", work()).await, Some(2), "what is done is forgotten");
        assert!(assembly.running().is_empty());
    }

    #[tokio::test]
    async fn work_that_breaks_down_is_no_obstacle() {
        let assembly: Assembly<u8, u8> = Assembly::new(1);
        assert_eq!(assembly.run(1, async { panic!("as a defect would") }).await, None);
        assert_eq!(assembly.run(1, async { 7 }).await, Some(7));
    }
}
