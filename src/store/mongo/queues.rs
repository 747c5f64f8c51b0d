//! Queues of work that is done in batches, by key. Whoever pushes the first item of a queue starts the task that drains
//! it.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::media::TenantId;
use crate::service::ports::StoreError;

/// A tenant, and the database in which its assets lie.
pub type Place = (TenantId, Arc<str>);

/// The channel for the result of a queued item.
pub type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// A queue for each key that has a task.
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

    /// Pushes an item. Returns `true` if this creates the queue: the caller then has to start a task that drains it.
    pub fn push(&self, key: &K, item: T) -> bool {
        let mut queues = self.queues();
        if let Some(queue) = queues.get_mut(key) {
            queue.push_back(item);
            return false;
        }
        queues.insert(key.clone(), VecDeque::from([item]));
        true
    }

    /// Takes up to `most` items that `admits` accepts, in order. If it takes none, the queue is removed, and its task has
    /// to end.
    pub fn take(&self, key: &K, most: usize, mut admits: impl FnMut(&T) -> bool) -> Vec<T> {
        let mut queues = self.queues();
        let Some(queue) = queues.get_mut(key) else { return Vec::new() };
        let (mut taken, mut later) = (Vec::new(), VecDeque::new());
        while taken.len() < most
            && let Some(item) = queue.pop_front()
        {
            if admits(&item) { taken.push(item) } else { later.push_back(item) }
        }
        later.append(queue);
        *queue = later;
        if taken.is_empty() {
            queues.remove(key);
        }
        taken
    }

    /// Removes a queue with all its items.
    pub fn remove(&self, key: &K) {
        self.queues().remove(key);
    }
}

/// Sends an error to each channel.
pub fn fail_all<T>(answers: impl IntoIterator<Item = Answer<T>>, error: StoreError) {
    let error = Arc::new(error);
    for answer in answers {
        reply(answer, Err(StoreError::shared(Arc::clone(&error))));
    }
}

/// Sends a result. It is dropped if the receiver has gone.
pub fn reply<T>(answer: Answer<T>, result: Result<T, StoreError>) {
    drop(answer.send(result));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_removed_when_nothing_is_taken_from_it() {
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
