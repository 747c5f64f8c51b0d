//! Proof that the cluster answers, before the control plane is asked: a `ping` with a limit of its own.
//!
//! 1. A proof is good for the time of a heartbeat; an operation that failed takes it away.
//! 2. Where there is none, one ping is sent, however many wait for it. All of them share what comes of it.
//! 3. For [`REST`] after a ping that failed, nobody sends another one: who comes then hears the same at once,
//!    unless the tenants' databases have answered since.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::service::ports::{Clock, StoreError};

/// How long a failure is taken for granted.
const REST: Duration = Duration::from_millis(500);

type Attempt = Arc<OnceCell<Result<(), Failure>>>;

/// Knows when the cluster answered last.
pub struct Guard {
    clock: Arc<dyn Clock>,
    good_for: Duration,
    limit: Duration,
    /// In milliseconds; 0 where there is no proof.
    proved_at: AtomicU64,
    attempt: Mutex<Attempt>,
    /// The last failure, and when it was, in milliseconds.
    failed: Mutex<Option<(u64, Failure)>>,
}

/// What came of a ping, for all who have waited for it.
#[derive(Debug, Clone, thiserror::Error)]
enum Failure {
    #[error("MongoDB didn't answer a ping within {} s", .0.as_secs_f64())]
    Late(Duration),
    #[error("MongoDB can't be reached: {0}")]
    Driver(Arc<mongodb::error::Error>),
}

impl Guard {
    /// A guard without proof. Each ping has until `limit`.
    pub fn new(clock: Arc<dyn Clock>, good_for: Duration, limit: Duration) -> Self {
        let (proved_at, attempt, failed) = (AtomicU64::new(0), Mutex::default(), Mutex::default());
        Self { clock, good_for, limit, proved_at, attempt, failed }
    }

    /// Lets pass where there is a proof, or a ping gives one.
    pub async fn pass<F>(&self, ping: impl FnOnce() -> F) -> Result<(), StoreError>
    where
        F: Future<Output = Result<(), mongodb::error::Error>>,
    {
        let proved_at = self.proved_at.load(Ordering::Relaxed);
        let age = Duration::from_millis(self.clock.now().millis().abs_diff(proved_at));
        if proved_at != 0 && age < self.good_for {
            return Ok(());
        }
        if let Some(failure) = self.recent_failure() {
            return Err(StoreError::unavailable(failure));
        }
        let attempt = Arc::clone(&self.attempt.lock().unwrap_or_else(PoisonError::into_inner));
        let outcome = attempt
            .get_or_init(|| async {
                let failure = match timeout(self.limit, ping()).await {
                    Ok(Ok(())) => {
                        self.prove();
                        return Ok(());
                    }
                    Ok(Err(error)) => Failure::Driver(Arc::new(error)),
                    Err(_) => Failure::Late(self.limit),
                };
                let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                *failed = Some((self.clock.now().millis(), failure.clone()));
                Err(failure)
            })
            .await
            .clone();
        // Who comes from now on makes another attempt.
        let mut next = self.attempt.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&next, &attempt) {
            *next = Attempt::default();
        }
        outcome.map_err(StoreError::unavailable)
    }

    fn recent_failure(&self) -> Option<Failure> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, failure) = failed.as_ref()?;
        let age = Duration::from_millis(self.clock.now().millis().abs_diff(*at));
        (age < REST).then(|| failure.clone())
    }

    /// The tenants' databases have answered: an earlier failure holds nobody up. No proof for the control plane.
    pub fn answered(&self) {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The control plane has answered.
    pub fn prove(&self) {
        self.proved_at.store(self.clock.now().millis(), Ordering::Relaxed);
    }

    /// Something went wrong: the next one pings first.
    pub fn doubt(&self) {
        self.proved_at.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize};

    use futures_util::future::join_all;
    use tokio::time::sleep;

    use super::*;
    use crate::service::ports::SystemClock;

    const LIMIT: Duration = Duration::from_millis(500);

    fn guard() -> Guard {
        Guard::new(Arc::new(SystemClock), Duration::from_secs(3_600), LIMIT)
    }

    #[tokio::test]
    async fn many_who_come_at_once_share_one_ping_and_its_proof() {
        let (guard, pings, again) = (guard(), AtomicUsize::new(0), AtomicBool::new(false));
        let ping = || async {
            pings.fetch_add(1, Ordering::Relaxed);
            sleep(LIMIT / 10).await;
            Ok(())
        };
        for expected in [1, 1, 2] {
            let passed = join_all((0..50).map(|_| guard.pass(ping))).await;
            assert!(passed.iter().all(Result::is_ok));
            assert_eq!(pings.load(Ordering::Relaxed), expected);
            if expected == 1 && again.swap(true, Ordering::Relaxed) {
                guard.doubt();
            }
        }
    }

    #[tokio::test]
    async fn a_ping_that_fails_fails_for_all_who_wait_and_is_tried_anew_by_the_next() {
        let (guard, pings) = (guard(), AtomicUsize::new(0));
        let ping = || async {
            pings.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_secs(60)).await;
            Ok(())
        };
        for attempt in 1..=2 {
            let refused = join_all((0..50).map(|_| guard.pass(ping))).await;
            for refusal in refused {
                let error = refusal.unwrap_err();
                assert!(error.to_string().contains("within 0.5 s"), "{error}");
            }
            assert_eq!(pings.load(Ordering::Relaxed), attempt);
            guard.pass(ping).await.unwrap_err();
            assert_eq!(pings.load(Ordering::Relaxed), attempt, "it is known for a moment");
            sleep(REST).await;
        }
    }

    #[tokio::test]
    async fn an_answer_to_anything_ends_the_rest_after_a_failure() {
        let (guard, pings) = (guard(), AtomicUsize::new(0));
        let refused = || async { Err(mongodb::error::Error::custom("nobody is there")) };
        guard.pass(refused).await.unwrap_err();
        guard.answered();
        let ping = || async {
            pings.fetch_add(1, Ordering::Relaxed);
            Ok(())
        };
        guard.pass(ping).await.unwrap();
        assert_eq!(pings.load(Ordering::Relaxed), 1, "it was no proof, and nobody rests");
    }
}
