//! How many signatures a tenant may have made in a second.
//!
//! What counts is signatures, not requests: a document of thousands of cold links costs as much as
//! thousands of requests for one. Who has spent the budget waits for more; what is cached is free.

use std::num::NonZeroU32;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::signing_pool::Lane;

/// The budget of each tenant.
pub struct SignatureBudget {
    limiter: Option<DefaultKeyedRateLimiter<Lane>>,
}

impl SignatureBudget {
    /// The most signatures that may be asked for at once.
    pub const MOST_AT_ONCE: usize = 32;

    /// As many as the threads can make.
    #[must_use]
    pub fn unlimited() -> Self {
        Self { limiter: None }
    }

    /// So many a second for each tenant, and as many at once after a second of rest.
    #[must_use]
    pub fn per_second(signatures: NonZeroU32) -> Self {
        let burst = NonZeroU32::new(MOST_AT_ONCE).map_or(signatures, |least| least.max(signatures));
        let quota = Quota::per_second(signatures).allow_burst(burst);
        Self { limiter: Some(RateLimiter::keyed(quota)) }
    }

    /// Waits until a tenant may have so many signatures made: at most [`Self::MOST_AT_ONCE`]
    /// more than one file needs.
    pub async fn take(&self, tenant: Lane, signatures: usize) {
        let Some(limiter) = &self.limiter else { return };
        let mut rest = u32::try_from(signatures).unwrap_or(u32::MAX);
        while let Some(part) = NonZeroU32::new(rest.min(MOST_AT_ONCE)) {
            // A part is never more than the burst, so there is nothing that could be refused.
            let _ = limiter.until_key_n_ready(&tenant, part).await;
            rest -= part.get();
        }
    }
}

const MOST_AT_ONCE: u32 = SignatureBudget::MOST_AT_ONCE as u32;

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_tenant_that_has_spent_its_budget_waits_and_another_does_not() {
        let budget = SignatureBudget::per_second(NonZeroU32::new(100).unwrap());
        budget.take(Lane(1), 100).now_or_never().expect("a second's worth is there at once");
        assert!(budget.take(Lane(1), 50).now_or_never().is_none());
        budget.take(Lane(2), 100).now_or_never().expect("another tenant has its own");
        budget.take(Lane(1), 1).await;
    }

    #[tokio::test]
    async fn a_small_budget_makes_nothing_impossible() {
        let budget = SignatureBudget::per_second(NonZeroU32::MIN);
        budget.take(Lane(1), SignatureBudget::MOST_AT_ONCE).now_or_never().expect("the least burst");
        let unlimited = SignatureBudget::unlimited();
        unlimited.take(Lane(1), usize::MAX).now_or_never().expect("no limit");
    }
}
