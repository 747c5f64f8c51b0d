//! Fair access to the connections of the pool.
//!
//! The driver's own queue has no time limit (it ignores `waitQueueTimeoutMS`) and knows no tenants. So each operation
//! acquires a permit first. There are as many permits as connections for requests.
//!
//! 1. Permits are granted round-robin by owner: each tenant, all strangers together, and the node itself.
//! 2. No owner can hold all permits, unless there is only one.
//! 3. Writes of an owner come before its reads, and reads before lists. A kind that was passed over [`MAX_PASSED_OVER`]
//!    times comes next.
//! 4. An operation that gets no permit within `wait_queue` fails.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use crate::media::TenantId;
use crate::service::ports::{StoreError, StoreMeter};

/// How often operations of one kind are passed over before they come next.
const MAX_PASSED_OVER: u32 = 4;

/// The party that an operation is done for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Owner {
    /// A tenant.
    Tenant(TenantId),
    /// A caller whose tenant isn't known yet.
    Stranger,
    /// This node.
    Node,
}

/// The kind of an operation. The most urgent comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Changes documents.
    Write,
    /// Reads documents by their ids.
    Read,
    /// Reads many documents.
    List,
}

/// The permits of a client.
pub struct ConnectionPermits {
    shared: Arc<Shared>,
    longest_wait: Duration,
    meter: Arc<dyn StoreMeter>,
}

struct Shared {
    /// The maximum number of permits of one owner.
    share: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    free: usize,
    /// Owners that hold or wait for permits.
    owners: HashMap<Owner, Queue>,
    /// Owners that wait for permits, in the order of their turns.
    ring: VecDeque<Owner>,
}

/// The operations of an owner.
#[derive(Default)]
struct Queue {
    held: usize,
    /// The waiting operations, by [`Work`].
    kinds: [Kind; 3],
}

#[derive(Default)]
struct Kind {
    waiting: VecDeque<Waiting>,
    passed_over: u32,
}

type Waiting = oneshot::Sender<Permit>;

/// Permission to use one connection. It is released on drop.
#[must_use]
pub struct Permit(Option<(Arc<Shared>, Owner)>);

/// No permit became free in time.
#[derive(Debug, thiserror::Error)]
#[error("no connection to MongoDB became free within {} s", .0.as_secs_f64())]
pub struct WaitedTooLong(Duration);

impl ConnectionPermits {
    /// Creates `count` permits, each with this limit for the wait.
    pub fn new(count: usize, longest_wait: Duration, meter: Arc<dyn StoreMeter>) -> Self {
        let state = State { free: count, ..State::default() };
        let shared = Shared { share: count.saturating_sub(1).max(1), state: Mutex::new(state) };
        Self { shared: Arc::new(shared), longest_wait, meter }
    }

    /// Waits for a permit.
    ///
    /// # Errors
    /// When none became free in time.
    pub async fn acquire(&self, owner: Owner, work: Work) -> Result<Permit, StoreError> {
        let asked = Instant::now();
        let (give, given) = oneshot::channel();
        self.shared.enqueue(owner, work, give);
        let permit = timeout(self.longest_wait, given).await;
        self.meter.waited(asked.elapsed(), permit.is_ok());
        match permit {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(closed)) => Err(StoreError::unavailable(closed)),
            Err(_) => Err(StoreError::unavailable(WaitedTooLong(self.longest_wait))),
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enqueue(self: &Arc<Self>, owner: Owner, work: Work, waiting: Waiting) {
        {
            let mut state = self.state();
            let queue = state.owners.entry(owner.clone()).or_default();
            let was_empty = queue.is_empty();
            queue.push(work, waiting);
            if was_empty {
                state.ring.push_back(owner);
            }
        }
        self.grant();
    }

    /// Grants the free permits to the waiters whose turn it is.
    fn grant(self: &Arc<Self>) {
        loop {
            let next = self.state().next(self.share);
            let Some((owner, waiting)) = next else { return };
            // The waiter was cancelled. Release the permit here, as its `drop` would recurse into this function.
            if let Err(mut unused) = waiting.send(Permit(Some((Arc::clone(self), owner.clone())))) {
                unused.0 = None;
                self.state().give_back(&owner);
            }
        }
    }
}

impl State {
    /// Takes a free permit for the next eligible waiter.
    fn next(&mut self, share: usize) -> Option<(Owner, Waiting)> {
        if self.free == 0 {
            return None;
        }
        for _ in 0..self.ring.len() {
            let owner = self.ring.pop_front()?;
            let Some(queue) = self.owners.get_mut(&owner) else { continue };
            if queue.held >= share {
                self.ring.push_back(owner);
                continue;
            }
            let next = queue.next();
            if !queue.is_empty() {
                self.ring.push_back(owner.clone());
            }
            match next {
                Some(waiting) => {
                    queue.held += 1;
                    self.free -= 1;
                    return Some((owner, waiting));
                }
                None => self.forget_idle(&owner),
            }
        }
        None
    }

    fn give_back(&mut self, owner: &Owner) {
        self.free += 1;
        if let Some(queue) = self.owners.get_mut(owner) {
            queue.held = queue.held.saturating_sub(1);
        }
        self.forget_idle(owner);
    }

    fn forget_idle(&mut self, owner: &Owner) {
        if self.owners.get(owner).is_some_and(|queue| queue.held == 0 && queue.is_empty()) {
            self.owners.remove(owner);
        }
    }
}

impl Queue {
    fn push(&mut self, work: Work, waiting: Waiting) {
        self.kinds[work as usize].waiting.push_back(waiting);
    }

    fn is_empty(&self) -> bool {
        self.kinds.iter().all(|kind| kind.waiting.is_empty())
    }

    /// Returns the next operation that wasn't cancelled.
    fn next(&mut self) -> Option<Waiting> {
        for kind in &mut self.kinds {
            kind.waiting.retain(|waiting| !waiting.is_closed());
        }
        let waits = |number: &usize| !self.kinds[*number].waiting.is_empty();
        let is_due = |number: &usize| self.kinds[*number].passed_over >= MAX_PASSED_OVER;
        let mut waiting = (0..self.kinds.len()).filter(waits);
        let first = waiting.clone().find(is_due).or_else(|| waiting.next())?;
        for (number, kind) in self.kinds.iter_mut().enumerate() {
            let is_passed_over = number != first && !kind.waiting.is_empty();
            kind.passed_over = if is_passed_over { kind.passed_over + 1 } else { 0 };
        }
        self.kinds[first].waiting.pop_front()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some((shared, owner)) = self.0.take() {
            shared.state().give_back(&owner);
            shared.grant();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::{BoxFuture, join_all};

    use super::*;
    use crate::service::ports::NoMeter;

    fn permits(count: usize, longest_wait: Duration) -> ConnectionPermits {
        ConnectionPermits::new(count, longest_wait, Arc::new(NoMeter))
    }

    fn tenant(name: &str) -> Owner {
        Owner::Tenant(name.parse().unwrap())
    }

    /// Returns the order in which waiting operations get a single permit.
    async fn order(asked: &[(&'static str, Work)]) -> Vec<(&'static str, Work)> {
        let permits = permits(1, Duration::from_secs(60));
        let held = permits.acquire(Owner::Node, Work::Read).await.unwrap();
        let order = Mutex::new(Vec::new());
        let operations = asked.iter().map(|(name, work)| -> BoxFuture<'_, ()> {
            let (permits, order) = (&permits, &order);
            Box::pin(async move {
                let _permit = permits.acquire(tenant(name), *work).await.unwrap();
                order.lock().unwrap().push((*name, *work));
            })
        });
        let mut operations = Box::pin(join_all(operations));
        assert!((&mut operations).now_or_never().is_none());
        drop(held);
        operations.await;
        let state = permits.shared.state();
        assert_eq!((state.free, state.owners.len(), state.ring.len()), (1, 0, 0));
        drop(state);
        order.into_inner().unwrap()
    }

    #[tokio::test]
    async fn tenants_take_turns_however_many_operations_of_one_wait() {
        use Work::{List, Write};
        let asked =
            [("x", List), ("x", List), ("x", List), ("x", List), ("y", Write), ("y", Write), ("z", List)];
        let expected =
            [("x", List), ("y", Write), ("z", List), ("x", List), ("y", Write), ("x", List), ("x", List)];
        assert_eq!(order(&asked).await, expected);
    }

    #[tokio::test]
    async fn writes_of_a_tenant_go_first_and_reads_and_lists_still_get_through() {
        use Work::{List, Read, Write};
        let mut asked = vec![("x", List), ("x", Read)];
        asked.extend([("x", Write); 8]);
        let order: Vec<Work> = order(&asked).await.into_iter().map(|(_, work)| work).collect();
        assert_eq!(order, [Write, Write, Write, Write, Read, List, Write, Write, Write, Write]);
    }

    #[tokio::test]
    async fn one_owner_never_has_all_permits() {
        let permits = permits(3, Duration::from_millis(20));
        let held = [
            permits.acquire(tenant("x"), Work::List).await.unwrap(),
            permits.acquire(tenant("x"), Work::List).await.unwrap(),
        ];
        assert!(permits.acquire(tenant("x"), Work::Write).await.is_err());
        drop(permits.acquire(tenant("y"), Work::List).await.unwrap());
        drop(held);
        assert!(permits.acquire(tenant("x"), Work::Write).now_or_never().is_some());
    }

    #[tokio::test]
    async fn who_waits_too_long_is_refused_and_the_next_one_gets_the_permit() {
        let permits = permits(1, Duration::from_millis(20));
        let held = permits.acquire(tenant("x"), Work::Read).await.unwrap();
        let error = permits.acquire(tenant("y"), Work::Read).await.err().unwrap();
        assert!(matches!(error, StoreError::Unavailable(_)) && error.to_string().contains("within 0.02 s"));
        // A waiter that is cancelled after it was granted the permit releases it.
        let mut cancelled = Box::pin(permits.acquire(tenant("y"), Work::Read));
        assert!((&mut cancelled).now_or_never().is_none());
        drop(held);
        drop(cancelled);
        assert!(permits.acquire(tenant("x"), Work::Read).now_or_never().unwrap().is_ok());
        assert_eq!(permits.shared.state().free, 1);
    }
}
