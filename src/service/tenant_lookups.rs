//! Look-ups of tenants under way: one for all who need the same at the same time.
//!
//! A look-up goes on for as long as one request waits for it, also where that isn't the one that began it, and is given up
//! with the last of them. There are never more of them than requests that wait.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use super::ports::StoreError;
use crate::media::Tenant;

/// What a store has said.
type Found = Result<Option<Arc<Tenant>>, Arc<StoreError>>;

/// The look-ups under way, by what is looked up.
pub(super) struct Lookups<K> {
    under_way: Arc<Mutex<UnderWay<K>>>,
}

struct UnderWay<K> {
    flights: HashMap<K, Flight>,
    /// Tells flights apart that have looked up the same.
    next: u64,
}

struct Flight {
    number: u64,
    answer: Shared<BoxFuture<'static, Found>>,
    passengers: usize,
    begun: Begun,
}

/// When a look-up was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Begun {
    /// In milliseconds.
    pub(super) at: u64,
    /// How often something had changed by then: an older look-up may have missed it.
    pub(super) changes: u64,
}

/// A look-up that a request waits for.
pub(super) struct Ticket<K: Eq + Hash> {
    under_way: Arc<Mutex<UnderWay<K>>>,
    key: K,
    number: u64,
    answer: Shared<BoxFuture<'static, Found>>,
    begun: Begun,
}

/// What a look-up came to.
pub(super) struct Landed {
    pub(super) found: Result<Option<Arc<Tenant>>, StoreError>,
    /// When the store was asked, in milliseconds.
    pub(super) asked_at: u64,
}

impl<K> Default for Lookups<K> {
    fn default() -> Self {
        Self { under_way: Arc::new(Mutex::new(UnderWay { flights: HashMap::new(), next: 0 })) }
    }
}

impl<K: Eq + Hash + Clone> Lookups<K> {
    /// Joins the look-up of a key that is under way, or begins one with `ask`, which may refuse to. One that was begun
    /// before the last change isn't joined.
    pub(super) fn join<F, E>(
        &self,
        key: K,
        now: Begun,
        ask: impl FnOnce() -> Result<F, E>,
    ) -> Result<Ticket<K>, E>
    where
        F: Future<Output = Result<Option<Tenant>, StoreError>> + Send + 'static,
    {
        let under_way = Arc::clone(&self.under_way);
        let mut all = lock(&self.under_way);
        if let Some(flight) = all.flights.get_mut(&key)
            && flight.begun.changes == now.changes
            && flight.answer.peek().is_none()
        {
            flight.passengers += 1;
            let (number, answer, begun) = (flight.number, flight.answer.clone(), flight.begun);
            return Ok(Ticket { under_way, key, number, answer, begun });
        }
        let asking = ask()?;
        let answer = async move { asking.await.map(|found| found.map(Arc::new)).map_err(Arc::new) };
        let answer = answer.boxed().shared();
        let number = all.next;
        all.next += 1;
        let flight = Flight { number, answer: answer.clone(), passengers: 1, begun: now };
        all.flights.insert(key.clone(), flight);
        Ok(Ticket { under_way, key, number, answer, begun: now })
    }
}

impl<K: Eq + Hash> Ticket<K> {
    /// Waits for what the store says.
    pub(super) async fn landed(&self) -> Landed {
        let found = self.answer.clone().await.map_err(StoreError::shared);
        Landed { found, asked_at: self.begun.at }
    }
}

impl<K: Eq + Hash> Drop for Ticket<K> {
    fn drop(&mut self) {
        let mut all = lock(&self.under_way);
        let Some(flight) = all.flights.get_mut(&self.key).filter(|flight| flight.number == self.number)
        else {
            return;
        };
        flight.passengers -= 1;
        if flight.passengers == 0 {
            all.flights.remove(&self.key);
        }
    }
}

fn lock<K>(under_way: &Mutex<UnderWay<K>>) -> MutexGuard<'_, UnderWay<K>> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}
