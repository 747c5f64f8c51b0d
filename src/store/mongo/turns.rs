//! A wait that ends: who needs a connection takes a turn, and is refused after a while.
//!
//! The driver's own queue for a connection knows no end (`waitQueueTimeoutMS` is read and does nothing), so the
//! bound is here. There are as many turns as connections for requests: who has one finds a connection free, or
//! one to be made.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use crate::service::ports::{StoreError, StoreMeter};

/// The turns of a client.
pub struct Turns {
    free: Arc<Semaphore>,
    longest_wait: Duration,
    meter: Arc<dyn StoreMeter>,
}

/// Lets its holder use one connection; ends when it is dropped.
#[must_use]
pub struct Turn {
    _permit: OwnedSemaphorePermit,
}

/// Nobody gave a connection back in time.
#[derive(Debug, thiserror::Error)]
#[error("no connection to MongoDB became free within {} s", .0.as_secs_f64())]
pub struct WaitedTooLong(Duration);

impl Turns {
    /// So many turns, for each of which is waited so long at most.
    pub fn new(count: usize, longest_wait: Duration, meter: Arc<dyn StoreMeter>) -> Self {
        Self { free: Arc::new(Semaphore::new(count)), longest_wait, meter }
    }

    /// Waits for a turn, in the order of asking.
    pub async fn take(&self) -> Result<Turn, StoreError> {
        let asked = Instant::now();
        let permit = timeout(self.longest_wait, Arc::clone(&self.free).acquire_owned()).await;
        self.meter.waited(asked.elapsed(), permit.is_ok());
        match permit {
            Ok(Ok(permit)) => Ok(Turn { _permit: permit }),
            Ok(Err(closed)) => Err(StoreError::unavailable(closed)),
            Err(_) => Err(StoreError::unavailable(WaitedTooLong(self.longest_wait))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::ports::NoMeter;

    #[tokio::test]
    async fn who_waits_too_long_is_refused_and_who_is_next_gets_the_turn() {
        let turns = Arc::new(Turns::new(1, Duration::from_millis(20), Arc::new(NoMeter)));
        let held = turns.take().await.unwrap();
        let error = turns.take().await.err().unwrap();
        assert!(matches!(error, StoreError::Unavailable(_)) && error.to_string().contains("within 0.02 s"));
        let next = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { turns.take().await.is_ok() }
        });
        drop(held);
        assert!(next.await.unwrap());
    }
}
