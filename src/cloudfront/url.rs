//! URLs that can be signed: taken as they are, byte for byte, or refused with a reason.

use std::fmt;

use thiserror::Error;

use super::query;

/// An absolute http or https URL that CloudFront will see exactly as it stands here.
///
/// Nothing is ever escaped, decoded or put in another case. A `?` begins the query; a second one, or a `*`,
/// would be a wildcard and belongs in a [`Resource`](super::Resource) pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SignableUrl(Box<str>);

impl SignableUrl {
    /// Takes a URL, or says why a signature for it could never be right.
    ///
    /// # Errors
    /// [`UrlError`], one reason each.
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        check_characters(url)?;
        let rest =
            url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).ok_or(UrlError::Scheme)?;
        let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        check_authority(authority)?;
        if !rest.starts_with('/') {
            return Err(UrlError::NoPath);
        }
        if rest.contains('*') {
            return Err(UrlError::Wildcard('*'));
        }
        if rest.bytes().filter(|&b| b == b'?').count() > 1 {
            return Err(UrlError::Wildcard('?'));
        }
        if let Some(text) = query::parameters(url).find(|text| query::is_signing(text)) {
            return Err(UrlError::already_signed(text));
        }
        Ok(Self(url.into()))
    }

    /// The URL as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SignableUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a URL or a resource can't be signed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum UrlError {
    /// Neither http nor https.
    #[error("it must be absolute and begin with http:// or https://")]
    Scheme,
    /// No host, or one with characters that no host has.
    #[error("its host is missing or not a host name")]
    Host,
    /// `user@host`.
    #[error("it holds user info (an @ before the path), which viewers don't send")]
    UserInfo,
    /// `https://host`.
    #[error("it has no path; write at least a / after the host, as viewers send it")]
    NoPath,
    /// A character that must be percent-encoded by the URL's owner.
    #[error("it holds {0}; percent-encode it as the viewer will send it, then sign")]
    Character(&'static str),
    /// `#`.
    #[error("it holds a fragment (#), which viewers don't send; leave it out before signing")]
    Fragment,
    /// `*`, or a second `?`.
    #[error(
        "it holds a wildcard ({0}), which would sign more than this URL; give an explicit resource, or percent-encode it"
    )]
    Wildcard(char),
    /// Signed already.
    #[error("it already has the signing parameter {0}; sign the URL without it")]
    AlreadySigned(&'static str),
}

impl UrlError {
    pub(super) fn already_signed(text: &str) -> Self {
        let name = query::parameter(text).0;
        let known = query::SIGNING_PARAMETERS.into_iter().find(|known| *known == name);
        Self::AlreadySigned(known.unwrap_or("Signature"))
    }
}

/// Refuses what no URL may hold and no policy could carry unescaped.
pub(super) fn check_characters(text: &str) -> Result<(), UrlError> {
    for byte in text.bytes() {
        return Err(match byte {
            b'"' => UrlError::Character("a double quote"),
            b'\\' => UrlError::Character("a backslash"),
            b' ' => UrlError::Character("a space"),
            b'#' => UrlError::Fragment,
            0..=0x1f | 0x7f => UrlError::Character("a control character"),
            0x80.. => UrlError::Character("a character outside ASCII"),
            _ => continue,
        });
    }
    Ok(())
}

/// Takes `host`, `host:port`, `[v6]` and `[v6]:port`.
fn check_authority(authority: &str) -> Result<(), UrlError> {
    if authority.contains('@') {
        return Err(UrlError::UserInfo);
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(bracketed) => {
            let (address, rest) = bracketed.split_once(']').ok_or(UrlError::Host)?;
            address.parse::<std::net::Ipv6Addr>().map_err(|_| UrlError::Host)?;
            ("v6", rest.strip_prefix(':').or(rest.is_empty().then_some("0")))
        }
        None => authority.split_once(':').map_or((authority, Some("0")), |(host, port)| (host, Some(port))),
    };
    if host.contains('*') {
        return Err(UrlError::Wildcard('*'));
    }
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    let numeric = |port: &str| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
    if host.is_empty() || !host.bytes().all(legal) || !port.is_some_and(numeric) {
        return Err(UrlError::Host);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_legal_url_is_kept_byte_for_byte() {
        for url in [
            "https://media.vivreal.io/a.png",
            "http://127.0.0.1:8080/a?b=c",
            "https://h/",
            "https://h/?",
            "https://h/%C3%A9t%c3%a9/a+b,c;d=e'(f)!$&~@:x?y=/z&Expire=1&expires=2",
            "https://h/a//b/../c|{}^`<>[]",
            "https://[::1]:8443/a",
        ] {
            assert_eq!(SignableUrl::parse(url).unwrap().as_str(), url);
        }
    }

    #[test]
    fn each_illegal_url_is_refused_with_its_reason() {
        use UrlError::*;
        for (url, reason) in [
            ("", Scheme),
            ("/a.png", Scheme),
            ("//h/a", Scheme),
            ("ftp://h/a", Scheme),
            ("https:/h/a", Scheme),
            ("https:///a", Host),
            ("https://:80/a", Host),
            ("https://h:x/a", Host),
            ("https://h:99999/a", Host),
            ("https://h%20/a", Host),
            ("https://[::1/a", Host),
            ("https://[::1]x/a", Host),
            ("https://u:p@h/a", UserInfo),
            ("https://h", NoPath),
            ("https://h?a=b", NoPath),
            ("https://h/a b", Character("a space")),
            ("https://h/a\"b", Character("a double quote")),
            ("https://h/a\\b", Character("a backslash")),
            ("https://h/a\nb", Character("a control character")),
            ("https://h/a\u{7f}b", Character("a control character")),
            ("https://h/é", Character("a character outside ASCII")),
            ("https://h/a#b", Fragment),
            ("https://h/a*", Wildcard('*')),
            ("https://*.h/a", Wildcard('*')),
            ("https://h/a?b=*", Wildcard('*')),
            ("https://h/a?b=c?", Wildcard('?')),
            ("https://h/a?Expires=1", AlreadySigned("Expires")),
            ("https://h/a?b=1&Policy", AlreadySigned("Policy")),
            ("https://h/a?Key-Pair-Id=", AlreadySigned("Key-Pair-Id")),
            ("https://h/a?Hash-Algorithm=SHA1", AlreadySigned("Hash-Algorithm")),
            ("https://h/a?Signature=x&b", AlreadySigned("Signature")),
        ] {
            assert_eq!(SignableUrl::parse(url), Err(reason), "{url}");
        }
    }
}
