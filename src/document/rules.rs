//! What a scan looks for: the caller's choices, as data.

use super::profile::Profile;

/// Everything that [`scan`](super::scan) needs to know about a document.
#[derive(Debug, Clone)]
pub struct Rules {
    /// What counts as a descriptor, and what it gets.
    pub profile: Profile,
    /// The origins on which media lies.
    pub hosts: Vec<MediaHost>,
    /// What becomes of references.
    pub references: References,
    /// How much one document may ask for.
    pub limits: Limits,
}

/// What becomes of a string that is exactly an asset id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum References {
    /// The link takes its place.
    #[default]
    Inline,
    /// `{"id","url","expiresAt"}` takes its place; such an object is renewed whole.
    Object,
    /// It stays, and is no site. An `{"id","url","expiresAt"}` object stays too.
    Leave,
}

/// How much one document may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Arrays and objects inside each other. 128 unless set.
    pub depth: usize,
    /// Links wanted; a descriptor wants one and one more for each derivative. 20,000 unless set.
    pub links: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 128, links: 20_000 }
    }
}

/// An origin on which media lies: `https` and an exact host without a port, or, in development,
/// a whole origin such as `http://127.0.0.1:8081`. Compared byte for byte: write hosts in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaHost {
    /// The origin and `/`: what a URL on it begins with.
    prefix: String,
    /// Where the authority begins in `prefix`.
    authority: usize,
}

impl MediaHost {
    /// `https` on an exact host, such as `media.vivreal.io`.
    pub fn host(host: &str) -> Self {
        Self::origin(&format!("https://{host}"))
    }

    /// A whole origin: scheme, host and port, such as `http://127.0.0.1:8081`.
    /// What follows the authority is dropped; without a scheme it is `https`.
    pub fn origin(origin: &str) -> Self {
        let (scheme, rest) = origin.split_once("://").unwrap_or(("https", origin));
        let authority = rest.split('/').next().unwrap_or_default();
        Self { prefix: format!("{scheme}://{authority}/"), authority: scheme.len() + 3 }
    }

    /// The host, or host and port: each occurrence of it in a string stands for media.
    pub fn authority(&self) -> &str {
        &self.prefix[self.authority..self.prefix.len() - 1]
    }

    /// Whether a URL begins with this origin and a path.
    pub fn holds(&self, url: &str) -> bool {
        url.starts_with(&self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_https_without_a_port_and_an_origin_is_whole() {
        let host = MediaHost::host("media.vivreal.io");
        assert_eq!(host.authority(), "media.vivreal.io");
        assert!(host.holds("https://media.vivreal.io/a"));
        for other in [
            "http://media.vivreal.io/a",
            "https://media.vivreal.io:443/a",
            "https://media.vivreal.io.evil.example/a",
            "https://u@media.vivreal.io/a",
            "https://media.vivreal.io",
        ] {
            assert!(!host.holds(other), "{other}");
        }
        let origin = MediaHost::origin("http://127.0.0.1:8081/");
        assert_eq!(origin.authority(), "127.0.0.1:8081");
        assert!(origin.holds("http://127.0.0.1:8081/x"));
    }
}
