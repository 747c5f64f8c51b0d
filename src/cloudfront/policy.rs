//! Policies: what is signed.
//!
//! 1. Build: canned where nothing but an exact URL and an expiry is stated, custom in all other cases.
//! 2. Write: the exact bytes that CloudFront expects.
//! 3. Read: a custom policy that came with a link.

use std::fmt::Write as _;

use serde::Deserialize;
use thiserror::Error;

use super::resource::Resource;
use super::source_ip::SourceIp;

/// The last expiry that CloudFront takes, in seconds since the Unix epoch.
pub const MAX_EXPIRES: u64 = 9_223_372_036_854_775_807;

/// What a policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyTerms {
    /// What it covers.
    pub resource: Resource,
    /// When it ends: seconds since the Unix epoch, refused from this second on.
    pub expires: u64,
    /// When it begins: seconds since the Unix epoch. `None`: at once.
    pub not_before: Option<u64>,
    /// Whom it admits. `None`: everybody.
    pub source_ip: Option<SourceIp>,
}

/// A policy whose terms CloudFront accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy(PolicyTerms);

/// Terms that CloudFront would refuse.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PolicyError {
    /// Beyond [`MAX_EXPIRES`].
    #[error("the expiry is beyond {MAX_EXPIRES}, the last second that CloudFront takes")]
    ExpiresTooLate,
    /// An interval without a second in it.
    #[error("the start ({not_before}) must be before the end ({expires})")]
    StartNotBeforeEnd {
        /// Seconds since the Unix epoch.
        not_before: u64,
        /// Seconds since the Unix epoch.
        expires: u64,
    },
    /// A canned policy for more than one URL.
    #[error("a wildcard in the resource needs a custom policy")]
    WildcardInCanned,
}

/// A policy's text that CloudFront can't read.
#[derive(Debug, Error)]
pub enum PolicyParseError {
    /// Not JSON, or not of a policy's shape.
    #[error("it is not the JSON of a policy: {0}")]
    Json(#[from] serde_json::Error),
    /// Several statements, or none.
    #[error("it must hold exactly one statement, not {0}")]
    Statements(usize),
    /// A resource that covers nothing.
    #[error("its Resource can't be used: {0}")]
    Resource(#[from] super::url::UrlError),
    /// An address that is none.
    #[error("its AWS:SourceIp can't be used: {0}")]
    SourceIp(#[from] super::source_ip::SourceIpError),
    /// Terms that CloudFront would refuse.
    #[error(transparent)]
    Terms(#[from] PolicyError),
}

impl Policy {
    /// A canned policy: one exact URL until an expiry in seconds since the Unix epoch.
    ///
    /// # Errors
    /// [`PolicyError`] for a resource with a wildcard, or an expiry out of range.
    pub fn canned(resource: Resource, expires: u64) -> Result<Self, PolicyError> {
        if resource.has_wildcard() {
            return Err(PolicyError::WildcardInCanned);
        }
        Self::custom(PolicyTerms { resource, expires, not_before: None, source_ip: None })
    }

    /// The policy of these terms. It is carried by its links, unless it says no more than a canned one can
    /// (an exact URL, neither start nor IP): then it is canned, and its links are shorter.
    ///
    /// # Errors
    /// [`PolicyError`] for an expiry out of range, or a start that is not before it.
    pub fn custom(terms: PolicyTerms) -> Result<Self, PolicyError> {
        if terms.expires > MAX_EXPIRES {
            return Err(PolicyError::ExpiresTooLate);
        }
        match terms.not_before {
            Some(not_before) if not_before >= terms.expires => {
                Err(PolicyError::StartNotBeforeEnd { not_before, expires: terms.expires })
            }
            _ => Ok(Self(terms)),
        }
    }

    /// Reads the JSON of a custom policy. White space and the order of members are free; anything that Signet
    /// doesn't know, a member twice, or a missing `Resource` (which would expose every file) is refused.
    ///
    /// # Errors
    /// [`PolicyParseError`] says what is wrong with it.
    pub fn parse(json: &str) -> Result<Self, PolicyParseError> {
        let document: Document = serde_json::from_str(json)?;
        let count = document.statement.len();
        let mut statements = document.statement.into_iter();
        let (Some(Statement { resource, condition }), None) = (statements.next(), statements.next()) else {
            return Err(PolicyParseError::Statements(count));
        };
        let terms = PolicyTerms {
            resource: Resource::pattern(&resource)?,
            expires: condition.less_than.seconds,
            not_before: condition.greater_than.map(|time| time.seconds),
            source_ip: condition.ip_address.map(|ip| ip.range.parse()).transpose()?,
        };
        Ok(Self::custom(terms)?)
    }

    /// What it says.
    pub fn terms(&self) -> &PolicyTerms {
        &self.0
    }

    /// What it covers.
    pub fn resource(&self) -> &Resource {
        &self.0.resource
    }

    /// When it ends, in seconds since the Unix epoch.
    pub fn expires(&self) -> u64 {
        self.0.expires
    }

    /// Whether CloudFront can rebuild it from a URL and an expiry, so that a link needn't carry it.
    pub fn is_canned(&self) -> bool {
        !self.0.resource.has_wildcard() && self.0.not_before.is_none() && self.0.source_ip.is_none()
    }

    /// The exact bytes that are signed: no white space, nothing escaped, conditions in the order
    /// `DateLessThan`, `DateGreaterThan`, `IpAddress`.
    pub fn to_json(&self) -> String {
        let PolicyTerms { resource, expires, not_before, source_ip } = &self.0;
        let mut json = open_json(resource.as_str(), expires);
        // Writing to a String can't fail.
        if let Some(start) = not_before {
            let _ = write!(json, r#","DateGreaterThan":{{"AWS:EpochTime":{start}}}"#);
        }
        if let Some(ip) = source_ip {
            let _ = write!(json, r#","IpAddress":{{"AWS:SourceIp":"{ip}"}}"#);
        }
        json.push_str("}}]}");
        json
    }
}

/// The canned policy of a URL as a request states it, whatever it holds: one byte of difference, and the
/// signature is not this one's.
pub(super) fn canned_json(url: &str, expires: u64) -> String {
    let mut json = open_json(url, &expires);
    json.push_str("}}]}");
    json
}

fn open_json(resource: &str, expires: &u64) -> String {
    let mut json = String::with_capacity(resource.len() + 192);
    json.push_str(r#"{"Statement":[{"Resource":""#);
    json.push_str(resource);
    let _ = write!(json, r#"","Condition":{{"DateLessThan":{{"AWS:EpochTime":{expires}}}"#);
    json
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "Statement")]
    statement: Vec<Statement>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Statement {
    resource: String,
    condition: Condition,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Condition {
    #[serde(rename = "DateLessThan")]
    less_than: EpochTime,
    #[serde(rename = "DateGreaterThan", default, deserialize_with = "present")]
    greater_than: Option<EpochTime>,
    #[serde(rename = "IpAddress", default, deserialize_with = "present")]
    ip_address: Option<IpAddress>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EpochTime {
    #[serde(rename = "AWS:EpochTime")]
    seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IpAddress {
    #[serde(rename = "AWS:SourceIp")]
    range: String,
}

/// An optional member that, where it is given, is not `null`.
fn present<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(resource: &str, not_before: Option<u64>, ip: Option<&str>) -> PolicyTerms {
        let resource = Resource::pattern(resource).unwrap();
        PolicyTerms { resource, expires: 200, not_before, source_ip: ip.map(|ip| ip.parse().unwrap()) }
    }

    #[test]
    fn a_policy_is_canned_only_without_wildcard_start_and_ip() {
        for (resource, start, ip, canned) in [
            ("https://h/a", None, None, true),
            ("https://h/a?b=c&d", None, None, true),
            ("https://h/a*", None, None, false),
            ("https://h/a?b?", None, None, false),
            ("https://h/a", Some(100), None, false),
            ("https://h/a", None, Some("1.2.3.4"), false),
        ] {
            assert_eq!(Policy::custom(terms(resource, start, ip)).unwrap().is_canned(), canned);
        }
        let wild = Resource::pattern("https://h/*").unwrap();
        assert_eq!(Policy::canned(wild, 1), Err(PolicyError::WildcardInCanned));
    }

    #[test]
    fn the_json_has_no_space_no_escape_and_one_order() {
        let policy = Policy::custom(terms("https://h/<a>&'?b=*", Some(100), Some("1.2.3.4"))).unwrap();
        let json = concat!(
            r#"{"Statement":[{"Resource":"https://h/<a>&'?b=*","Condition":{"DateLessThan":{"AWS:EpochTime":200},"#,
            r#""DateGreaterThan":{"AWS:EpochTime":100},"IpAddress":{"AWS:SourceIp":"1.2.3.4/32"}}}]}"#
        );
        assert_eq!(policy.to_json(), json);
        assert_eq!(Policy::parse(json).unwrap(), policy);
    }

    #[test]
    fn times_that_cloudfront_refuses_are_refused() {
        let mut late = terms("https://h/a", None, None);
        late.expires = MAX_EXPIRES;
        assert!(Policy::custom(late.clone()).is_ok());
        late.expires += 1;
        assert_eq!(Policy::custom(late), Err(PolicyError::ExpiresTooLate));
        let same = Policy::custom(terms("https://h/a", Some(200), None));
        assert_eq!(same, Err(PolicyError::StartNotBeforeEnd { not_before: 200, expires: 200 }));
    }

    #[test]
    fn a_policy_is_read_in_any_order_and_with_white_space() {
        let json = r#"{ "Statement": [ { "Condition": { "IpAddress": {"AWS:SourceIp": "1.2.3.0/24"},
            "DateGreaterThan": {"AWS:EpochTime": 1}, "DateLessThan": {"AWS:EpochTime": 2} },
            "Resource": "http*://h/*" } ] }"#;
        let policy = Policy::parse(json).unwrap();
        assert_eq!((policy.expires(), policy.terms().not_before), (2, Some(1)));
        assert_eq!(policy.resource().as_str(), "http*://h/*");
    }

    #[test]
    fn a_policy_that_cloudfront_cannot_read_is_refused() {
        let good =
            r#"{"Statement":[{"Resource":"https://h/*","Condition":{"DateLessThan":{"AWS:EpochTime":2}}}]}"#;
        assert!(Policy::parse(good).is_ok());
        for (from, to) in [
            (r#""Resource":"https://h/*","#, ""),
            (r#""Resource":"https://h/*","#, r#""Resource":"https://h/*","Resource":"*","#),
            (r#"{"AWS:EpochTime":2}"#, r#"{"AWS:EpochTime":"2"}"#),
            (r#"{"AWS:EpochTime":2}"#, r#"{"AWS:EpochTime":-2}"#),
            (r#"{"AWS:EpochTime":2}"#, r#"{"AWS:EpochTime":2.0}"#),
            (r#"{"AWS:EpochTime":2}"#, r#"{"AWS:EpochTime":9223372036854775808}"#),
            (r#""DateLessThan":{"AWS:EpochTime":2}"#, ""),
            (r#"2}}}]}"#, r#"2},"DateGreaterThan":null}}]}"#),
            (r#"2}}}]}"#, r#"2},"DateGreaterThan":{"AWS:EpochTime":2}}}]}"#),
            (r#"2}}}]}"#, r#"2},"IpAddress":{"AWS:SourceIp":"::1"}}}]}"#),
            (r#"2}}}]}"#, r#"2},"Else":{}}}]}"#),
            (r#"[{"#, r#"[{},{"#),
            (r#"]}"#, r#"]} x"#),
            ("https://h/*", ""),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good);
            assert!(Policy::parse(&bad).is_err(), "{bad}");
        }
        assert!(Policy::parse(r#"{"Statement":[]}"#).is_err());
    }
}
