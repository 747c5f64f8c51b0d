//! Where a request comes from, seen through proxies.
//!
//! Each proxy appends to `X-Forwarded-For` whom it was asked by. Whatever stands left of what one's own proxies
//! wrote is what a stranger wrote. So with n trusted hops the client's address is the n-th entry from the right,
//! over all lines of the header. Where there is no such entry, or it is no address, the request didn't come by
//! these proxies: then its address is the other end of its connection, which nobody can choose.

use std::net::{IpAddr, SocketAddr};

use hyper::header::{HeaderMap, HeaderName};

/// The address of whoever asks. IPv4 in the clothes of IPv6 (`::ffff:192.0.2.1`) is IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// Of a request that came by a connection from `peer`, through so many trusted proxies. Reads no more of the
    /// header than it needs.
    #[must_use]
    pub fn of(peer: SocketAddr, headers: &HeaderMap, trusted_hops: usize) -> Self {
        let forwarded = || {
            let nth = trusted_hops.checked_sub(1)?;
            let lines = headers.get_all(X_FORWARDED_FOR).iter().rev();
            let mut entries = lines.flat_map(|line| line.as_bytes().rsplit(|&byte| byte == b','));
            address(entries.nth(nth)?)
        };
        Self(forwarded().unwrap_or(peer.ip()).to_canonical())
    }

    /// The address.
    #[must_use]
    pub fn ip(self) -> IpAddr {
        self.0
    }
}

/// `192.0.2.1`, `192.0.2.1:443`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:443`.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let entry = std::str::from_utf8(entry.trim_ascii()).ok()?;
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match bare {
        Some(bare) => bare.parse().ok().filter(IpAddr::is_ipv6),
        None => entry.parse().ok().or_else(|| entry.parse::<SocketAddr>().ok().map(|socket| socket.ip())),
    }
}

/// Whom each proxy was asked by.
pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    const PEER: &str = "10.0.0.7";

    fn client(lines: &[&str], hops: usize) -> String {
        let value = |line: &&str| (X_FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        let headers = lines.iter().map(value).collect();
        let peer = SocketAddr::new(PEER.parse().unwrap(), 40_000);
        ClientAddress::of(peer, &headers, hops).ip().to_string()
    }

    #[test]
    fn without_trusted_hops_the_header_is_a_strangers_word() {
        assert_eq!(client(&["192.0.2.1"], 0), PEER);
        assert_eq!(client(&[], 0), PEER);
    }

    #[test]
    fn the_nth_entry_from_the_right_is_the_client_over_all_lines() {
        for (lines, hops, expected) in [
            (&["192.0.2.1"][..], 1, "192.0.2.1"),
            (&["6.6.6.6, 192.0.2.1"], 1, "192.0.2.1"),
            (&["6.6.6.6", "192.0.2.1"], 1, "192.0.2.1"),
            (&["6.6.6.6, 192.0.2.1", "10.0.0.8"], 2, "192.0.2.1"),
            (&["6.6.6.6", "192.0.2.1 ,\t10.0.0.8"], 2, "192.0.2.1"),
            (&["6.6.6.6", "192.0.2.1", "10.0.0.8,10.0.0.9"], 3, "192.0.2.1"),
        ] {
            assert_eq!(client(lines, hops), expected, "{lines:?} {hops}");
        }
    }

    #[test]
    fn addresses_have_the_forms_that_proxies_write() {
        for (entry, expected) in [
            ("192.0.2.1:443", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
        ] {
            assert_eq!(client(&[entry], 1), expected);
        }
    }

    #[test]
    fn what_is_missing_or_no_address_gives_the_other_end_of_the_connection() {
        for (lines, hops) in [
            (&["192.0.2.1"][..], 2),
            (&["192.0.2.1"], usize::MAX),
            (&[], 1),
            (&[""], 1),
            (&["192.0.2.1,"], 1),
            (&["192.0.2.1, unknown"], 1),
            (&["192.0.2.1, [10.0.0.1]"], 1),
            (&["192.0.2.1, 10.0.0.1, 300.1.1.1"], 1),
            (&["\u{e9}"], 1),
            (&["for=192.0.2.1"], 1),
            (&["[2001:db8::1"], 1),
        ] {
            assert_eq!(client(lines, hops), PEER, "{lines:?} {hops}");
        }
    }

    #[test]
    fn a_long_list_is_read_from_its_end_alone() {
        let long = format!("{}192.0.2.1", "x,".repeat(15_000));
        assert_eq!(client(&[&long], 1), "192.0.2.1");
    }
}
