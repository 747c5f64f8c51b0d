//! Would CloudFront serve this request, and if not, why: the one verification code, of the command `inspect`
//! and of an edge server.
//!
//! 1. `credentials`: what the request brings, from its URL or else its cookies.
//! 2. `checks`: every check that can be made, each with its outcome; the first failure is the verdict.
//! 3. `causes`: what probably went wrong, tried out; costs several verifications, so an edge leaves it out.

mod causes;
mod checks;
mod credentials;

use std::fmt;
use std::net::IpAddr;

use serde::Serialize;
use thiserror::Error;

pub use self::causes::{Cause, likely_causes};
pub use self::checks::inspect;
use super::names::HashAlgorithm;
use super::public_key::PublicKey;
use super::source_ip::SourceIp;

/// A viewer's request, as far as CloudFront judges it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The absolute URL as the viewer sent it, with its query.
    pub url: &'a str,
    /// The value of its `Cookie` header. Looked at only where the URL has no signing parameter.
    pub cookies: Option<&'a str>,
    /// When it arrives: seconds since the Unix epoch.
    pub at: u64,
    /// The viewer's address. `None`: not known, so an IP condition is not checked.
    pub ip: Option<IpAddr>,
}

/// Finds the public key of a key pair id; `None` from it is: no such key.
pub type KeyLookup<'l, 'k> = &'l dyn Fn(&str) -> Option<&'k PublicKey>;

/// What CloudFront makes of a request.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Where the credentials came from. `None`: there are none.
    pub source: Option<Source>,
    /// The key pair id, as it stands.
    pub key_pair_id: Option<String>,
    /// The hash that the request names, or that its key implies. `None`: no known one.
    pub hash: Option<HashAlgorithm>,
    /// Canned or custom. `None`: neither could be made out.
    pub kind: Option<PolicyKind>,
    /// The policy as text: rebuilt from the URL (canned), or decoded (custom).
    pub policy: Option<String>,
    /// What the policy covers.
    pub resource: Option<String>,
    /// Start: seconds since the Unix epoch.
    pub not_before: Option<u64>,
    /// Expiry: seconds since the Unix epoch.
    pub expires: Option<u64>,
    /// Which viewers are admitted.
    pub source_ip: Option<SourceIp>,
    /// Each check in order. Checks that make no sense after a failure are left out.
    pub checks: Vec<Check>,
    /// `Ok` where CloudFront would serve the request.
    pub verdict: Result<(), Refusal>,
}

impl Inspection {
    /// Whether a check was made and failed.
    pub fn failed(&self, name: &str) -> bool {
        self.checks.iter().any(|check| check.name == name && check.outcome == Outcome::Fail)
    }
}

/// Where credentials came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Query parameters.
    Url,
    /// Cookies.
    Cookies,
}

/// The two kinds of policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PolicyKind {
    /// Rebuilt from URL and expiry.
    Canned,
    /// Carried by the request.
    Custom,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// `url`, `signed`, `parameters`, `key`, `hash`, `policy`, `signature`, `resource`, `expiry`, `start`, `ip`.
    pub name: &'static str,
    /// How it came out.
    pub outcome: Outcome,
    /// What was found, for people.
    pub detail: String,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Passed.
    Pass,
    /// Failed: CloudFront would refuse.
    Fail,
    /// Not enough is known: no key, or no viewer's address.
    NotChecked,
}

/// CloudFront's answers to requests that it doesn't serve, in its own words. All are a 403.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// Not signed, or without its key pair id.
    #[error("Missing Key-Pair-Id query parameter or cookie value.")]
    MissingKeyPairId,
    /// No such key.
    #[error("Unknown Key.")]
    UnknownKey,
    /// A policy, or an expiry, that can't be read.
    #[error("Malformed Policy.")]
    MalformedPolicy,
    /// Everything else.
    #[error("Access denied.")]
    AccessDenied,
}

/// A span of time for people, in its two largest units: `2 h 5 min`.
pub(super) struct Span(pub u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
        let mut rest = self.0;
        let mut written = 0;
        for (unit, seconds) in units {
            let count = rest / seconds;
            rest %= seconds;
            if count > 0 && written < 2 {
                let gap = if written > 0 { " " } else { "" };
                write!(f, "{gap}{count} {unit}")?;
                written += 1;
            } else if written > 0 {
                break;
            }
        }
        if written == 0 { f.write_str("0 s") } else { Ok(()) }
    }
}
