//! Keys and links.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use zeroize::Zeroizing;

/// `[signing]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SigningSettings {
    /// How long links live, in seconds: 60 to 604,800. Default 300. A link handed out lives more
    /// than half of it, and stays the same for half of it.
    pub ttl_seconds: u64,
    /// What one signature covers. Default `url`.
    pub grant_scope: GrantScopeSetting,
    /// What happens where a signature can't be made. Default `refuse`.
    pub on_failure: OnFailureSetting,
    /// Where ECDSA nonces come from. Default `deterministic`: every node gives the same link.
    pub nonce: NonceSetting,
    /// Most memory for cached signatures, in bytes. Default 256 MiB.
    pub cache_bytes: u64,
    /// How many threads sign. Default 0: as many as the machine has cores.
    pub threads: usize,
    /// The key pairs.
    pub keys: Vec<KeySettings>,
}

impl Default for SigningSettings {
    fn default() -> Self {
        Self {
            ttl_seconds: 300,
            grant_scope: GrantScopeSetting::Url,
            on_failure: OnFailureSetting::Refuse,
            nonce: NonceSetting::Deterministic,
            cache_bytes: 256 * 1024 * 1024,
            threads: 0,
            keys: Vec::new(),
        }
    }
}

/// `[[signing.keys]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySettings {
    /// The id that CloudFront has given to the public key.
    pub id: String,
    /// The PEM file of the private key.
    pub private_key_file: Option<PathBuf>,
    /// The PEM file of the public key; where it is given, the private key must match it.
    pub public_key_file: Option<PathBuf>,
    /// `SHA1` or `SHA256`. Default: SHA1 for RSA, SHA256 for ECDSA.
    pub hash: Option<String>,
    /// From when it signs: Unix seconds or RFC 3339. Default: at once.
    pub not_before: Option<String>,
    /// From when it doesn't sign any more: Unix seconds or RFC 3339. Default: never.
    pub retire_at: Option<String>,
    /// The private key itself, from the environment.
    #[serde(skip)]
    pub private_key: Option<Secret>,
}

impl KeySettings {
    /// A key pair of which nothing but its id is known.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            private_key_file: None,
            public_key_file: None,
            hash: None,
            not_before: None,
            retire_at: None,
            private_key: None,
        }
    }
}

/// What one signature covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GrantScopeSetting {
    /// One URL.
    Url,
    /// A file and its derivatives: everything that begins with the file's URL.
    Asset,
}

/// What happens where a signature can't be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailureSetting {
    /// The request fails with 503.
    Refuse,
    /// The link goes out unsigned, counted and logged: for migration only.
    Unsigned,
}

/// Where ECDSA nonces come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NonceSetting {
    /// From the key and the message (RFC 6979): the same link from every node.
    Deterministic,
    /// From the system: nine times faster, another link at each signature.
    Random,
}

/// A text that is never shown, and wiped from memory.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Keeps a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// The text, to be used and not kept.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}
