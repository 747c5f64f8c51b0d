//! How often somebody may ask.
//!
//! Each may ask so many times at once, and gets so many back a second (governor's GCRA).
//!
//! 1. [`TenantRates`]: tenants, who have shown who they are. Each is counted by itself: there are as many as the
//!    store has.
//! 2. [`ClientRates`]: addresses of clients whom nobody knows. A stranger can have any number of them, so
//!    they are counted in a table of fixed size, [`Counters`].

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::state::{InMemoryState, NotKeyed, StateStore};
use governor::{Quota, RateLimiter};

use crate::media::TenantId;

/// How often one may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests that come back each second.
    pub per_second: NonZeroU32,
    /// Requests at once, after a rest.
    pub burst: NonZeroU32,
}

/// What may still be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Requests at once.
    pub requests: u32,
}

/// Somebody asks too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooOften {
    /// When the next request may come.
    pub wait: Duration,
}

impl Rate {
    /// In how many seconds a burst is whole again of which so much is left: 1 at least.
    #[must_use]
    pub fn whole_in(self, left: u32) -> u32 {
        self.burst.get().saturating_sub(left).div_ceil(self.per_second.get()).max(1)
    }
}

/// Who asked how often.
pub struct Rates<K, S: StateStore<Key = K>, C: Clock = DefaultClock> {
    limiter: RateLimiter<K, S, C, StateInformationMiddleware>,
}

/// How often each tenant asks.
pub type TenantRates<C = DefaultClock> = Rates<TenantId, DashMapStateStore<TenantId>, C>;

/// How often each network of clients asks.
pub type ClientRates<C = DefaultClock> = Rates<ClientNet, Counters, C>;

impl TenantRates {
    /// Nobody has asked yet.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self::with(rate, DashMapStateStore::default(), DefaultClock::default())
    }
}

impl ClientRates {
    /// Nobody has asked yet.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self::with(rate, Counters::default(), DefaultClock::default())
    }
}

impl<K: std::hash::Hash + Eq + Clone, S: StateStore<Key = K>, C: Clock> Rates<K, S, C> {
    fn with(rate: Rate, state: S, clock: C) -> Self {
        let quota = Quota::per_second(rate.per_second).allow_burst(rate.burst);
        Self { limiter: RateLimiter::new(quota, state, clock) }
    }

    /// Somebody asks.
    ///
    /// # Errors
    /// Where that is too often: it isn't counted then.
    pub fn take(&self, who: &K) -> Result<Left, TooOften> {
        match self.limiter.check_key(who) {
            Ok(state) => Ok(Left { requests: state.remaining_burst_capacity() }),
            Err(not_until) => Err(TooOften { wait: not_until.wait_time_from(self.limiter.clock().now()) }),
        }
    }
}

/// A network in which a client may have any address: an IPv4 address, or the 2^64 of a /64 of IPv6.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientNet(u64);

impl ClientNet {
    /// The network of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            // No /64 of clients begins with 32 zeros.
            IpAddr::V4(address) => Self(u64::from(address.to_bits())),
            IpAddr::V6(address) => Self((address.to_bits() >> 64) as u64),
        }
    }
}

impl fmt::Debug for ClientNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientNet({:016x})", self.0)
    }
}

/// What networks have asked, in 1 MiB whatever comes.
///
/// Each network has two counters, found by a hash under a secret key, and is refused where both are used up. Others
/// may have one of them too: where a thousand networks ask too often at the same time, one in 4,000 others is
/// refused with them.
pub struct Counters {
    counters: Box<[InMemoryState]>,
    hasher: RandomState,
}

impl Default for Counters {
    fn default() -> Self {
        let counters = (0..COUNTERS).map(|_| InMemoryState::default()).collect();
        Self { counters, hasher: RandomState::new() }
    }
}

impl StateStore for Counters {
    type Key = ClientNet;

    fn measure_and_replace<T, F, E>(&self, key: &ClientNet, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let hash = self.hasher.hash_one(key);
        let counter = |bits: u64| &self.counters[bits as usize % COUNTERS];
        let first = counter(hash).measure_and_replace(&NotKeyed::NonKey, &measure);
        let second = counter(hash >> 32).measure_and_replace(&NotKeyed::NonKey, &measure);
        first.or(second)
    }
}

/// A power of two: 8 bytes each.
const COUNTERS: usize = 1 << 17;

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn rate(per_second: u32, burst: u32) -> Rate {
        Rate { per_second: NonZeroU32::new(per_second).unwrap(), burst: NonZeroU32::new(burst).unwrap() }
    }

    fn net(text: &str) -> ClientNet {
        ClientNet::of(text.parse().unwrap())
    }

    #[test]
    fn a_burst_is_used_up_and_comes_back() {
        let clock = FakeRelativeClock::default();
        let rates = ClientRates::with(rate(2, 3), Counters::default(), clock.clone());
        let (client, other) = (net("192.0.2.1"), net("192.0.2.2"));
        let left = [(); 3].map(|()| rates.take(&client).unwrap().requests);
        assert_eq!(left, [2, 1, 0]);
        assert_eq!(rates.take(&client), Err(TooOften { wait: Duration::from_millis(500) }));
        assert_eq!(rates.take(&other), Ok(Left { requests: 2 }), "another address has its own");
        clock.advance(Duration::from_millis(400));
        assert_eq!(rates.take(&client), Err(TooOften { wait: Duration::from_millis(100) }));
        clock.advance(Duration::from_millis(100));
        assert_eq!(rates.take(&client), Ok(Left { requests: 0 }));
        clock.advance(Duration::from_secs(60));
        assert_eq!(rates.take(&client), Ok(Left { requests: 2 }), "no more than the burst comes back");
    }

    #[test]
    fn tenants_are_counted_each_by_itself() {
        let rates = TenantRates::with(rate(1, 1), DashMapStateStore::default(), FakeRelativeClock::default());
        let tenants: Vec<TenantId> =
            (0..5_000).map(|number| format!("t_{number}").parse().unwrap()).collect();
        assert!(tenants.iter().all(|tenant| rates.take(tenant).is_ok()));
        assert!(tenants.iter().all(|tenant| rates.take(tenant).is_err()));
    }

    #[test]
    fn a_64_of_ipv6_is_one_client() {
        assert_eq!(net("2001:db8:1:2::1"), net("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(net("2001:db8:1:2::1"), net("2001:db8:1:3::1"));
        assert_eq!(net("::ffff:192.0.2.1"), net("192.0.2.1"));
        assert_ne!(net("192.0.2.1"), net("192.0.2.2"));
    }

    #[test]
    fn a_stranger_with_many_addresses_keeps_others_out_no_more_than_was_said() {
        let rates = ClientRates::with(rate(1, 1), Counters::default(), FakeRelativeClock::default());
        for flooder in 0..1_000_u64 {
            let _ = rates.take(&ClientNet(1 << 40 | flooder));
        }
        // Each of these is asked for once, on a table of its own of which a thousand have used up their part.
        let refused = (0..2_000_u64).filter(|other| rates.take(&ClientNet(1 << 50 | other)).is_err()).count();
        // The others use up counters as well: at the end 4.5 % of the table, so one in 500 of the last.
        assert!(refused < 40, "{refused} of 2,000");
    }

    #[test]
    fn a_burst_is_whole_again_after_what_is_gone_of_it() {
        let rate = rate(100, 250);
        assert_eq!([250, 249, 150, 149, 0].map(|left| rate.whole_in(left)), [1, 1, 1, 2, 3]);
    }
}
