//! A wait that ends: who needs a connection takes a turn, and is refused after a while.
//!
//! The driver's own queue for a connection knows no end (`waitQueueTimeoutMS` is read and does nothing), so the
//! bound is here. There are as many turns as connections for requests: who has one finds a connection free, or
//! one to be made.
//!
//! Databases take turns, and each tenant has one: however many operations wait for one database, another's first waits
//! for no more than one of each. The control plane, where nobody's tenant is known yet, is one of them.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::service::ports::{StoreError, StoreMeter};
use crate::service::rota::{Place, Rota};
use crate::service::signing_pool::Lane;

/// The turns of a client.
pub struct Turns {
    rota: Rota,
    hasher: RandomState,
    longest_wait: Duration,
    meter: Arc<dyn StoreMeter>,
}

/// Lets its holder use one connection; ends when it is dropped.
#[must_use]
pub struct Turn {
    _place: Place,
}

/// Nobody gave a connection back in time.
#[derive(Debug, thiserror::Error)]
#[error("no connection to MongoDB became free within {} s", .0.as_secs_f64())]
pub struct WaitedTooLong(Duration);

impl Turns {
    /// So many turns, for each of which is waited so long at most.
    pub fn new(count: usize, longest_wait: Duration, meter: Arc<dyn StoreMeter>) -> Self {
        Self { rota: Rota::new(count), hasher: RandomState::new(), longest_wait, meter }
    }

    /// Waits for a turn on a database.
    pub async fn take(&self, database: &str) -> Result<Turn, StoreError> {
        let asked = Instant::now();
        let lane = Lane(self.hasher.hash_one(database));
        let place = timeout(self.longest_wait, self.rota.enter(lane)).await;
        self.meter.waited(asked.elapsed(), place.is_ok());
        match place {
            Ok(place) => Ok(Turn { _place: place }),
            Err(_) => Err(StoreError::unavailable(WaitedTooLong(self.longest_wait))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures_util::future::{join, join_all};

    use super::*;
    use crate::service::ports::NoMeter;

    #[tokio::test]
    async fn who_waits_too_long_is_refused_and_who_is_next_gets_the_turn() {
        let turns = Arc::new(Turns::new(1, Duration::from_millis(20), Arc::new(NoMeter)));
        let held = turns.take("a").await.unwrap();
        let error = turns.take("a").await.err().unwrap();
        assert!(matches!(error, StoreError::Unavailable(_)) && error.to_string().contains("within 0.02 s"));
        let next = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { turns.take("a").await.is_ok() }
        });
        drop(held);
        assert!(next.await.unwrap());
    }

    #[tokio::test]
    async fn a_database_that_many_want_keeps_another_waiting_for_one_of_them() {
        let turns = Turns::new(1, Duration::from_secs(20), Arc::new(NoMeter));
        let order = Mutex::new(Vec::new());
        let held = turns.take("a").await.unwrap();
        let visit = async |database| {
            let _turn = turns.take(database).await.unwrap();
            order.lock().unwrap().push(database);
        };
        let many = ["a"; 50].into_iter().chain(["b"]).map(visit);
        join(join_all(many), async { drop(held) }).await;
        let place = order.lock().unwrap().iter().position(|database| *database == "b");
        assert_eq!(place, Some(1));
    }
}
