//! Bounds as headers say them: draft-ietf-httpapi-ratelimit-headers-11.
//!
//! - `RateLimit-Policy: "tenant";q=1000;w=2, "tenant-concurrency";q=64;qu="concurrent-requests"`: what may be asked
//!   in all: `q` requests at once, which are whole again after `w` seconds.
//! - `RateLimit: "tenant";r=40;t=2`: what is left, and the seconds until the whole is back: a client that spreads `r`
//!   requests over `t` seconds is never refused. Where one is refused, `r=0` and `t` is `Retry-After`.

use std::num::NonZeroU32;

use hyper::header::{HeaderName, HeaderValue, RETRY_AFTER};

use crate::service::rates::{Left, Rate, TooOften};

/// The policy of networks of clients.
pub(super) const CLIENT: &str = "client";
/// The policies of tenants.
pub(super) const TENANT: &str = "tenant";

/// Headers of an answer.
pub(super) type Headers = Vec<(HeaderName, HeaderValue)>;

/// What bounds somebody.
pub(super) struct Policy {
    name: &'static str,
    rate: Option<Rate>,
    /// `None` where nothing does.
    all: Option<HeaderValue>,
}

impl Policy {
    /// A policy of a name: how often one may ask, and how much may be under way.
    pub(super) fn new(name: &'static str, rate: Option<Rate>, under_way: Option<NonZeroU32>) -> Self {
        let rates = rate.map(|rate| format!("\"{name}\";q={};w={}", rate.burst, rate.whole_in(0)));
        let places =
            under_way.map(|most| format!("\"{name}-concurrency\";q={most};qu=\"concurrent-requests\""));
        let items: Vec<String> = rates.into_iter().chain(places).collect();
        let all = (!items.is_empty()).then(|| value(&items.join(", "))).flatten();
        Self { name, rate, all }
    }

    /// What somebody is told who was let in.
    pub(super) fn told(&self, left: Option<Left>) -> Headers {
        self.headers(self.left(left), None)
    }

    /// What somebody is told who asks too often.
    pub(super) fn too_often(&self, too_often: TooOften) -> Headers {
        let seconds = too_often.wait.as_secs() + u64::from(too_often.wait.subsec_nanos() > 0);
        let seconds = seconds.max(1);
        self.headers(Some(format!("\"{}\";r=0;t={seconds}", self.name)), Some(seconds))
    }

    /// What somebody is told who has too much under way.
    pub(super) fn too_much(&self, left: Option<Left>) -> Headers {
        let none = format!("\"{}-concurrency\";r=0", self.name);
        let left = self.left(left).map_or_else(|| none.clone(), |left| format!("{left}, {none}"));
        self.headers(Some(left), Some(TOO_MUCH_SECONDS))
    }

    fn left(&self, left: Option<Left>) -> Option<String> {
        let (Left { requests }, rate) = left.zip(self.rate)?;
        Some(format!("\"{}\";r={requests};t={}", self.name, rate.whole_in(requests)))
    }

    fn headers(&self, left: Option<String>, retry_after: Option<u64>) -> Headers {
        let policy = self.all.clone().map(|all| (POLICY, all));
        let left = left.and_then(|left| value(&left)).map(|left| (LIMIT, left));
        let retry_after = retry_after.map(|seconds| (RETRY_AFTER, HeaderValue::from(seconds)));
        [policy, left, retry_after].into_iter().flatten().collect()
    }
}

fn value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(text).ok()
}

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// When a place may be free again: nobody knows.
const TOO_MUCH_SECONDS: u64 = 1;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn text(headers: Headers) -> Vec<String> {
        headers.into_iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
    }

    fn policy() -> Policy {
        let rate = Rate { per_second: NonZeroU32::new(500).unwrap(), burst: NonZeroU32::new(1_200).unwrap() };
        Policy::new(TENANT, Some(rate), NonZeroU32::new(64))
    }

    const ALL: &str =
        "ratelimit-policy: \"tenant\";q=1200;w=3, \"tenant-concurrency\";q=64;qu=\"concurrent-requests\"";

    #[test]
    fn what_is_left_comes_with_the_time_until_all_is_back() {
        let left = |requests| text(policy().told(Some(Left { requests })));
        assert_eq!(left(1_199), [ALL, "ratelimit: \"tenant\";r=1199;t=1"]);
        assert_eq!(left(0), [ALL, "ratelimit: \"tenant\";r=0;t=3"]);
    }

    #[test]
    fn who_is_refused_is_told_when_to_come_back() {
        let refused = |millis| text(policy().too_often(TooOften { wait: Duration::from_millis(millis) }));
        assert_eq!(refused(2), [ALL, "ratelimit: \"tenant\";r=0;t=1", "retry-after: 1"]);
        assert_eq!(refused(2_001), [ALL, "ratelimit: \"tenant\";r=0;t=3", "retry-after: 3"]);
        let too_much = text(policy().too_much(Some(Left { requests: 7 })));
        assert_eq!(too_much[1], "ratelimit: \"tenant\";r=7;t=3, \"tenant-concurrency\";r=0");
        assert_eq!(too_much[2], "retry-after: 1");
    }

    #[test]
    fn what_is_not_bounded_is_not_spoken_of() {
        assert!(text(Policy::new(TENANT, None, None).told(None)).is_empty());
        let places = Policy::new(TENANT, None, NonZeroU32::new(5));
        let policy = "ratelimit-policy: \"tenant-concurrency\";q=5;qu=\"concurrent-requests\"";
        assert_eq!(text(places.told(None)), [policy]);
        assert_eq!(text(places.too_much(None))[1], "ratelimit: \"tenant-concurrency\";r=0");
    }
}
