//! Windows: the span of time in which a resource's link stays the same.
//!
//! With `step = ttl / 2`, a resource's links expire at `phase + n · step`, where the phase comes from a hash of
//! the resource. Every node computes the same expiry with no coordination; a link handed out lives more than
//! half of the TTL and at most all of it; and files roll over spread out in time.

use siphasher::sip::SipHasher24;
use thiserror::Error;

use super::policy::MAX_EXPIRES;

/// The window of one TTL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    ttl: u64,
}

/// A TTL out of range.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a TTL is 2 to 604800 seconds (7 days), not {0}")]
pub struct WindowError(pub u64);

impl Window {
    /// The window of links that live at most `ttl` seconds, 2 to 604,800.
    ///
    /// # Errors
    /// [`WindowError`] for any other TTL.
    pub fn new(ttl: u64) -> Result<Self, WindowError> {
        if (2..=604_800).contains(&ttl) { Ok(Self { ttl }) } else { Err(WindowError(ttl)) }
    }

    /// The TTL in seconds.
    pub fn ttl(&self) -> u64 {
        self.ttl
    }

    /// Seconds for which an expiry stays the same: half of the TTL, rounded down.
    pub fn step(&self) -> u64 {
        self.ttl / 2
    }

    /// When a link of this resource that is handed out at `now` expires, in seconds since the Unix epoch.
    pub fn expires(&self, resource: &str, now: u64) -> u64 {
        let step = u128::from(self.step());
        let phase = u128::from(phase_hash(resource)) % step;
        // One step early, so that a `now` before the first phase needs no negative number.
        let since = u128::from(now) + step - phase;
        let expires = since / step * step + phase + step;
        u64::try_from(expires).unwrap_or(MAX_EXPIRES).min(MAX_EXPIRES)
    }

    /// For how many seconds an answer may be cached that holds a link with this expiry: so that whoever gets it
    /// from a cache still has a quarter of the TTL left. 0 is: not at all.
    pub fn max_age(&self, expires: u64, now: u64) -> u64 {
        max_age(expires, now, self.ttl)
    }
}

/// `expires − now − ttl / 4` in seconds, and never below 0.
pub fn max_age(expires: u64, now: u64, ttl: u64) -> u64 {
    expires.saturating_sub(now).saturating_sub(ttl / 4)
}

/// SipHash-2-4 with the all-zero key: specified to the bit, so it is the same on every machine and in every
/// build (the standard library's hasher promises neither). Nothing here is secret: the phase can be read off
/// any link, and an adversary who chose resources with one phase would only crowd their own files.
fn phase_hash(resource: &str) -> u64 {
    SipHasher24::new_with_key(&[0; 16]).hash(resource.as_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_phase_never_drifts() {
        // Reference: SipHash-2-4, key 00…00; both from an independent implementation.
        assert_eq!(phase_hash(""), 0x1e92_4b9d_7377_00d7);
        let window = Window::new(300).unwrap();
        let url = "https://media.vivreal.io/vivreal-demo/logo.png";
        assert_eq!((window.expires(url, 1_800_000_000), phase_hash(url)), KNOWN);
    }

    #[test]
    fn a_ttl_is_two_seconds_to_seven_days() {
        for ttl in [0, 1, 604_801, u64::MAX] {
            assert_eq!(Window::new(ttl), Err(WindowError(ttl)));
        }
        assert_eq!(Window::new(2).unwrap().step(), 1);
    }

    #[test]
    fn resources_roll_over_spread_out_in_time() {
        let window = Window::new(600).unwrap();
        let mut seconds = [0_u32; 300];
        for i in 0..3_000 {
            let expires = window.expires(&format!("https://media.example.com/{i}.png"), 1_800_000_000);
            seconds[usize::try_from(expires % 300).unwrap()] += 1;
        }
        assert!(seconds.iter().filter(|&&count| count > 0).count() > 290);
        assert!(seconds.iter().all(|&count| count < 35));
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        let window = Window::new(604_800).unwrap();
        assert!(window.expires("x", 0) > 302_400);
        assert_eq!(window.expires("x", u64::MAX), MAX_EXPIRES);
        assert_eq!(max_age(10, 20, 4), 0);
        assert_eq!(max_age(300, 100, 100), 175);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_link_lives_more_than_half_and_at_most_all_of_its_ttl(
            ttl in 2_u64..2_000, start in 0_u64..4_000_000_000, resource in ".{0,40}",
        ) {
            let window = Window::new(ttl).unwrap();
            let mut changes = Vec::new();
            let mut last = window.expires(&resource, start);
            for now in start..=start + 2 * ttl {
                let expires = window.expires(&resource, now);
                let life = expires - now;
                prop_assert!(2 * life > ttl && life <= ttl, "life {} of {}", life, ttl);
                prop_assert!(window.max_age(expires, now) + ttl / 4 == life);
                if expires != last {
                    prop_assert_eq!(expires, last + window.step());
                    changes.push(now);
                    last = expires;
                }
            }
            prop_assert!(changes.windows(2).all(|pair| pair[1] - pair[0] == window.step()));
        }
    }

    const KNOWN: (u64, u64) = (1_800_000_248, 0xfe2d_0940_c433_c598);
}
