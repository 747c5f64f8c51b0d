//! Which server a request is for: RFC 9112, section 3.2, and RFC 9113, section 8.3.1.
//!
//! | version | without `Host` | with one | with two, or a wrong one |
//! |---|---|---|---|
//! | HTTP/1.1 | 400 | taken | 400 |
//! | HTTP/1.0 | taken: that version has none | taken | 400 |
//! | HTTP/2 with `:authority` | taken | taken, where it is the same | 400 |
//! | HTTP/2 without | 400 | taken | 400 |
//!
//! What is refused here could be taken for another site's by a proxy that reads the other one of two names.

use hyper::{Uri, Version};

use super::look::Look;
use super::problem::{Kind, Problem};

/// Checks that a request names one server.
///
/// # Errors
/// 400 that names the header.
pub(super) fn check(version: Version, uri: &Uri, look: Look<'_>) -> Result<(), Problem> {
    let authority = uri.authority().filter(|_| version >= Version::HTTP_2);
    let named = match (look.hosts, look.host) {
        (0, _) => version < Version::HTTP_11 || authority.is_some(),
        (1, Some(host)) => {
            let same = |named: &str| named.as_bytes().eq_ignore_ascii_case(host.as_bytes());
            is_host(host.as_bytes()) && authority.is_none_or(|named| same(named.as_str()))
        }
        _ => false,
    };
    if named { Ok(()) } else { Err(wrong()) }
}

#[cold]
fn wrong() -> Problem {
    let detail = "name the server once: one header Host (in HTTP/2 :authority, and no other Host) with a host name or \
                  address, and a port if need be";
    Problem::new(Kind::InvalidHeader, detail).with("header", "Host")
}

/// Whether a text is a host with or without a port: names, IPv4 and `[IPv6]` have no letters but these. Cheap rather
/// than exact: each request is looked at, and nothing is chosen by the name.
fn is_host(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&byte| HOST[usize::from(byte)])
}

/// The letters of hosts: unreserved ones, percent-encodings, sub-delimiters, brackets and colons (RFC 3986).
const HOST: [bool; 256] = {
    let mut table = [false; 256];
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%!$&'()*+,;=[]:";
    let mut index = 0;
    while index < letters.len() {
        table[letters[index] as usize] = true;
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use hyper::header::{HOST, HeaderMap, HeaderValue};

    use super::*;

    fn is_taken(version: Version, uri: &str, hosts: &[&str]) -> bool {
        let headers: HeaderMap =
            hosts.iter().map(|host| (HOST, HeaderValue::from_bytes(host.as_bytes()).unwrap())).collect();
        check(version, &uri.parse().unwrap(), Look::at(&headers)).is_ok()
    }

    #[test]
    fn http_1_1_names_one_server_and_http_1_0_none_or_one() {
        for (version, without) in [(Version::HTTP_11, false), (Version::HTTP_10, true)] {
            assert_eq!(is_taken(version, "/m/x", &[]), without);
            for good in ["example.com", "example.com:8080", "192.0.2.1", "[2001:db8::1]:80", "a_b.example"] {
                assert!(is_taken(version, "/m/x", &[good]), "{good}");
                assert!(!is_taken(version, "/m/x", &[good, good]), "{good} twice");
            }
            for bad in ["", "a b", "a/b", "user@example.com", "a?b", "a#b", "\u{e9}.example", "a\\b", "<a>"] {
                assert!(!is_taken(version, "/m/x", &[bad]), "{bad}");
            }
        }
    }

    #[test]
    fn http_2_names_one_server_by_either_way() {
        let taken = |uri, hosts: &[&str]| is_taken(Version::HTTP_2, uri, hosts);
        assert!(taken("http://example.com/m/x", &[]) && taken("/m/x", &["example.com"]));
        assert!(taken("http://example.com/m/x", &["EXAMPLE.com"]));
        assert!(!taken("/m/x", &[]) && !taken("http://example.com/m/x", &["example.org"]));
        assert!(!taken("http://example.com/m/x", &["example.com", "example.com"]));
    }

    #[test]
    fn the_absolute_form_of_http_1_1_needs_a_host_all_the_same() {
        assert!(!is_taken(Version::HTTP_11, "http://example.com/m/x", &[]));
        assert!(is_taken(Version::HTTP_11, "http://example.com/m/x", &["example.org"]));
    }
}
