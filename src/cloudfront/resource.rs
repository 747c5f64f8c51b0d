//! Resources: the URL, or the pattern of URLs, that a policy covers, and CloudFront's rules of matching.
//!
//! A pattern has four sections: protocol, domain, path, query. In each, `*` is zero or more characters and `?`
//! exactly one, and neither crosses into the next section, but for three rules:
//! 1. a `*` at the end of a path without a query also covers any query;
//! 2. a `*` at the end of a domain without a path also covers any path and query;
//! 3. a lone `*` is any URL.
//!
//! The first `?` after the path has begun is no wildcard: it begins the query.

use std::fmt;

use super::query;
use super::url::{SignableUrl, UrlError, check_characters};

/// What a policy covers: one URL, or an explicitly given pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Resource {
    text: Box<str>,
    has_wildcard: bool,
}

impl Resource {
    /// Exactly this URL.
    pub fn exact(url: &SignableUrl) -> Self {
        Self { text: url.as_str().into(), has_wildcard: false }
    }

    /// An explicit pattern; without a wildcard in it, it is the URL.
    ///
    /// # Errors
    /// [`UrlError`] for what no URL could match, or no policy could carry.
    pub fn pattern(pattern: &str) -> Result<Self, UrlError> {
        check_characters(pattern)?;
        if pattern == "*" {
            return Ok(Self { text: pattern.into(), has_wildcard: true });
        }
        let sections = Sections::of_pattern(pattern).ok_or(UrlError::Scheme)?;
        if !glob(sections.protocol, "http") && !glob(sections.protocol, "https") {
            return Err(UrlError::Scheme);
        }
        if sections.domain.is_empty() {
            return Err(UrlError::Host);
        }
        if sections.domain.contains('@') {
            return Err(UrlError::UserInfo);
        }
        let wild = |section: &str| section.contains(['*', '?']);
        let has_wildcard = wild(sections.protocol)
            || wild(sections.domain)
            || wild(sections.path)
            || sections.query.is_some_and(wild);
        if !has_wildcard {
            return SignableUrl::parse(pattern).map(|url| Self::exact(&url));
        }
        if sections.path.is_empty() && !sections.domain.ends_with('*') {
            return Err(UrlError::NoPath);
        }
        if let Some(text) =
            sections.query.and_then(|query| query.split('&').find(|text| query::is_signing(text)))
        {
            return Err(UrlError::already_signed(text));
        }
        Ok(Self { text: pattern.into(), has_wildcard })
    }

    /// Whether it covers more than one URL, and so needs a custom policy.
    pub fn has_wildcard(&self) -> bool {
        self.has_wildcard
    }

    /// The URL or pattern as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the resource covers this URL (without signing parameters), by CloudFront's rules. The time it
    /// takes is bounded by the product of both lengths.
    pub fn matches(&self, url: &str) -> bool {
        self.mismatch(url).is_none()
    }

    /// The first section in which the URL is not covered: `protocol`, `domain`, `path` or `query`.
    pub fn mismatch(&self, url: &str) -> Option<&'static str> {
        if !self.has_wildcard && *self.text == *url {
            return None;
        }
        let Some(url) = Sections::of_url(url) else { return Some("protocol") };
        if &*self.text == "*" {
            return None;
        }
        let Some(pattern) = Sections::of_pattern(&self.text) else { return Some("protocol") };
        // Without wildcards the `?` of a pattern is not one either: sections are compared, not matched.
        let covers: fn(&str, &str) -> bool = if self.has_wildcard { glob } else { |a, b| a == b };
        if !covers(pattern.protocol, url.protocol) {
            return Some("protocol");
        }
        if !covers(pattern.domain, url.domain) {
            return Some("domain");
        }
        if self.has_wildcard && pattern.path.is_empty() && pattern.domain.ends_with('*') {
            return None;
        }
        if !covers(pattern.path, url.path) {
            return Some("path");
        }
        let query_is_covered = match (pattern.query, url.query) {
            (Some(pattern), Some(query)) => covers(pattern, query),
            (None, Some(_)) => self.has_wildcard && pattern.path.ends_with('*'),
            (pattern, None) => pattern.is_none(),
        };
        (!query_is_covered).then_some("query")
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The four sections of a URL or pattern. A path begins with its `/`; a query stands without its `?`.
struct Sections<'a> {
    protocol: &'a str,
    domain: &'a str,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Sections<'a> {
    /// A pattern's domain may hold `?`, so only a `/` ends it.
    fn of_pattern(pattern: &'a str) -> Option<Self> {
        Self::split(pattern, &['/'])
    }

    fn of_url(url: &'a str) -> Option<Self> {
        let sections = Self::split(url, &['/', '?'])?;
        (matches!(sections.protocol, "http" | "https") && !sections.domain.is_empty()).then_some(sections)
    }

    fn split(text: &'a str, domain_ends: &[char]) -> Option<Self> {
        let (protocol, rest) = text.split_once("://")?;
        let (domain, rest) = rest.split_at(rest.find(domain_ends).unwrap_or(rest.len()));
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        Some(Self { protocol, domain, path, query })
    }
}

/// Whether the whole text is covered by the pattern. Only the last `*` is ever tried again, so the work is at
/// most the product of both lengths.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut retry = None;
    while let Some(&byte) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(&wanted) if wanted == b'?' || wanted == byte => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((after_star, from)) => {
                    retry = Some((after_star, from + 1));
                    p = after_star;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn covers(pattern: &str, url: &str) -> bool {
        Resource::pattern(pattern).unwrap().matches(url)
    }

    #[test]
    fn wildcards_stay_within_their_section() {
        for (pattern, url) in [
            ("*", "https://h/a?b"),
            ("http*://h/a", "http://h/a"),
            ("http*://h/a", "https://h/a"),
            ("*://h/a", "https://h/a"),
            ("https://*.h.io/a", "https://x.y.h.io/a"),
            ("https://m?.h.io/a", "https://m1.h.io/a"),
            ("https://h*", "https://h.io/a/b?c=d"),
            ("https://h/*", "https://h/"),
            ("https://h/*", "https://h/a/b.png?w=1&x=/?"),
            ("https://h/a*", "https://h/a"),
            ("https://h/*/c.png", "https://h/a/b/c.png"),
            ("https://h/a?w=1", "https://h/a?w=1"),
            ("https://h/a?w=*", "https://h/a?w=1&x=2"),
            ("https://h/a?w=?", "https://h/a?w=1"),
            ("https://h/*?w=*", "https://h/a/b?w="),
            ("https://h/a*b*c", "https://h/aXbXbXc"),
        ] {
            assert!(covers(pattern, url), "{pattern} should cover {url}");
        }
        for (pattern, url) in [
            ("*", "ftp://h/a"),
            ("*", "h/a"),
            ("http*://h/a", "httpx://h/a"),
            ("https://*.h.io/a", "https://evil.io/x.h.io/a"),
            ("https://*.h.io/a", "https://evil.io?x.h.io/a"),
            ("https://h*/a", "https://h.io/b/a"),
            ("https://h/*.png", "https://h/a?x.png"),
            ("https://h/*.png", "https://h/a.png?w=1"),
            ("https://h/*/c.png", "https://h/c.png"),
            ("https://h/a*", "https://h/A"),
            ("https://h/a*", "http://h/a"),
            ("https://h/a", "https://h/a?w=1"),
            ("https://h/a", "https://h/ab"),
            ("https://h/a?w=1", "https://h/aXw=1"),
            ("https://h/a?w=1", "https://h/a"),
            ("https://h/a?w=?", "https://h/a?w="),
            ("https://h/a?w=?", "https://h/a?w=12"),
            ("https://h/a?w=*", "https://h/a"),
        ] {
            assert!(!covers(pattern, url), "{pattern} should not cover {url}");
        }
    }

    #[test]
    fn a_mismatch_names_its_section() {
        let resource = Resource::pattern("https://h/a*?w=?").unwrap();
        for (url, section) in [
            ("http://h/a?w=1", Some("protocol")),
            ("https://i/a?w=1", Some("domain")),
            ("https://h/b?w=1", Some("path")),
            ("https://h/a", Some("query")),
            ("https://h/abc?w=1", None),
        ] {
            assert_eq!(resource.mismatch(url), section);
        }
    }

    #[test]
    fn a_question_mark_that_begins_the_query_is_no_wildcard() {
        for (pattern, wild) in [
            ("https://h/a?b", false),
            ("https://h/a?b?", true),
            ("https://h/a", false),
            ("https://h/a*", true),
            ("https://h?/a", true),
        ] {
            assert_eq!(Resource::pattern(pattern).unwrap().has_wildcard(), wild, "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_could_cover_nothing_is_refused() {
        for pattern in [
            "",
            "**",
            "media/*",
            "ftp*://h/a",
            "https://",
            "https:///*",
            "https://u@h/*",
            "https://h",
            "https://?",
            "https://h/*#",
            "https://h/ *",
            "https://h/*\"",
            "https://h/*?Expires=1",
        ] {
            assert!(Resource::pattern(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = format!("https://h/{}b", "a*".repeat(200));
        assert!(!covers(&pattern, &format!("https://h/{}", "a".repeat(5_000))));
    }

    proptest! {
        #[test]
        fn glob_agrees_with_the_obvious_recursion(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
            fn slow(p: &[u8], t: &[u8]) -> bool {
                match (p.split_first(), t.split_first()) {
                    (None, None) => true,
                    (Some((b'*', p2)), _) => slow(p2, t) || t.split_first().is_some_and(|(_, t2)| slow(p, t2)),
                    (Some((p1, p2)), Some((t1, t2))) => (*p1 == b'?' || p1 == t1) && slow(p2, t2),
                    _ => false,
                }
            }
            prop_assert_eq!(glob(&pattern, &text), slow(pattern.as_bytes(), text.as_bytes()));
        }

        #[test]
        fn no_input_panics(pattern in ".{0,40}", url in ".{0,40}") {
            if let Ok(resource) = Resource::pattern(&pattern) {
                resource.matches(&url);
            }
            let _ = SignableUrl::parse(&url);
            query::strip_signing_parameters(&url);
        }
    }
}
