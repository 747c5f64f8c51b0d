//! The viewers that a custom policy admits: one IPv4 address, or a range of them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use thiserror::Error;

/// An IPv4 range. A bare address is the range `/32`, and is written so in a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SourceIp {
    address: Ipv4Addr,
    prefix: u8,
}

/// Why an address can't be in a policy.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SourceIpError {
    /// CloudFront's policies know no IPv6.
    #[error("CloudFront's policies don't support IPv6; give an IPv4 address or range")]
    Ipv6,
    /// Not an address.
    #[error("an IP is an IPv4 address or range, such as 203.0.113.7 or 203.0.113.0/24")]
    Malformed,
}

impl SourceIp {
    /// Whether a viewer at this address is admitted. An IPv4 address within IPv6 counts as what it is.
    pub fn contains(&self, viewer: IpAddr) -> bool {
        let IpAddr::V4(viewer) = viewer.to_canonical() else { return false };
        let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
        viewer.to_bits() & mask == self.address.to_bits() & mask
    }
}

impl FromStr for SourceIp {
    type Err = SourceIpError;

    /// Reads `a.b.c.d` or `a.b.c.d/n`.
    fn from_str(text: &str) -> Result<Self, SourceIpError> {
        let (address, prefix) = text.split_once('/').unwrap_or((text, "32"));
        if address.contains(':') {
            return Err(SourceIpError::Ipv6);
        }
        let address = address.parse().map_err(|_| SourceIpError::Malformed)?;
        // Strict: neither a sign nor a leading zero.
        let plain = prefix == "0" || (!prefix.starts_with(['0', '+']));
        match prefix.parse() {
            Ok(prefix @ 0..=32) if plain => Ok(Self { address, prefix }),
            _ => Err(SourceIpError::Malformed),
        }
    }
}

impl fmt::Display for SourceIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_admits_its_addresses_alone() {
        for (range, inside, outside) in [
            ("203.0.113.0/24", "203.0.113.255", "203.0.114.0"),
            ("203.0.113.7", "203.0.113.7", "203.0.113.8"),
            ("10.1.2.3/8", "10.255.0.1", "11.0.0.0"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("203.0.113.7/32", "::ffff:203.0.113.7", "2001:db8::7"),
        ] {
            let range: SourceIp = range.parse().unwrap();
            assert!(range.contains(inside.parse().unwrap()), "{range} {inside}");
            assert!(!range.contains(outside.parse().unwrap()), "{range} {outside}");
        }
    }

    #[test]
    fn ipv6_and_malformed_ranges_are_refused() {
        for text in ["2001:db8::1", "2001:db8::/32", "::ffff:1.2.3.4"] {
            assert_eq!(text.parse::<SourceIp>(), Err(SourceIpError::Ipv6));
        }
        for text in
            ["", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.4/", "1.2.3.4/33", "1.2.3.4/+8", "1.2.3.4/08", "h"]
        {
            assert_eq!(text.parse::<SourceIp>(), Err(SourceIpError::Malformed), "{text}");
        }
    }

    #[test]
    fn a_policy_writes_every_range_with_its_prefix() {
        assert_eq!("203.0.113.7".parse::<SourceIp>().unwrap().to_string(), "203.0.113.7/32");
        assert_eq!("203.0.113.0/24".parse::<SourceIp>().unwrap().to_string(), "203.0.113.0/24");
    }
}
