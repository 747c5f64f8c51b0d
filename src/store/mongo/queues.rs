//! What waits to be done together, by a key. Who puts the first in has to see to it that somebody takes it, and what
//! comes meanwhile.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::media::TenantId;
use crate::service::ports::StoreError;

/// A tenant, and the database in which its assets lie.
pub type Place = (TenantId, Arc<str>);

/// Where the result of something that waits is told.
pub type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// A queue for each key of which something is being done.
pub struct Queues<K, T>(Mutex<HashMap<K, VecDeque<T>>>);

impl<K, T> Default for Queues<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash, T> Queues<K, T> {
    fn queues(&self) -> MutexGuard<'_, HashMap<K, VecDeque<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts something in. `true` where it is the first, and nobody takes what waits there yet.
    pub fn push(&self, key: &K, item: T) -> bool {
        let mut queues = self.queues();
        if let Some(queue) = queues.get_mut(key) {
            queue.push_back(item);
            return false;
        }
        queues.insert(key.clone(), VecDeque::from([item]));
        true
    }

    /// Takes up to so many, in their order; those that `may_go` refuses stay. Where that is nothing, the queue has ended,
    /// and the next one to be put in is a first.
    pub fn take(&self, key: &K, most: usize, mut may_go: impl FnMut(&T) -> bool) -> Vec<T> {
        let mut queues = self.queues();
        let Some(queue) = queues.get_mut(key) else { return Vec::new() };
        let (mut taken, mut later) = (Vec::new(), VecDeque::new());
        while taken.len() < most
            && let Some(item) = queue.pop_front()
        {
            if may_go(&item) { taken.push(item) } else { later.push_back(item) }
        }
        later.append(queue);
        *queue = later;
        if taken.is_empty() {
            queues.remove(key);
        }
        taken
    }

    /// Ends a queue with all that waits in it.
    pub fn end(&self, key: &K) {
        self.queues().remove(key);
    }
}

/// Tells all of these why they have no result.
pub fn refuse<T>(answers: impl IntoIterator<Item = Answer<T>>, error: StoreError) {
    let error = Arc::new(error);
    for answer in answers {
        tell(answer, Err(StoreError::shared(Arc::clone(&error))));
    }
}

/// Tells a result to whoever waits for it, if anybody still does.
pub fn tell<T>(answer: Answer<T>, result: Result<T, StoreError>) {
    drop(answer.send(result));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_ends_when_nothing_is_taken_from_it() {
        let queues = Queues::default();
        let place = "anna";
        assert!(queues.push(&place, 1) && !queues.push(&place, 2) && !queues.push(&place, 3));
        let is_odd = |number: &i32| number % 2 == 1;
        assert_eq!(queues.take(&place, 1, is_odd), [1]);
        assert_eq!(queues.take(&place, 9, is_odd), [3]);
        assert!(!queues.push(&place, 4));
        assert_eq!(queues.take(&place, 9, |_| true), [2, 4]);
        assert!(queues.take(&place, 9, |_| true).is_empty());
        assert!(queues.push(&place, 5));
    }
}
