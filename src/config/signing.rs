//! Keys and links.

use std::fmt;
use std::path::{Path, PathBuf};

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
    /// Most memory for links, in bytes: half for signatures, half for links that are ready. Default 256 MiB.
    pub cache_bytes: u64,
    /// How many threads sign. Default 0: as many as the machine has cores.
    pub threads: usize,
    /// How many signatures each tenant may have made in a second, on this node; who needs more waits.
    /// Links that are cached are free. Default 0: as many as the threads can make, in turns.
    pub signatures_per_second: u32,
    /// How often private keys that lie in AWS Secrets Manager are read again, in seconds: at least 1.
    /// Default 300.
    pub secrets_refresh_seconds: u64,
    /// The key pairs. The one part of the settings that is read again while Signet serves.
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
            signatures_per_second: 0,
            secrets_refresh_seconds: 300,
            keys: Vec::new(),
        }
    }
}

/// `[[signing.keys]]`: a key pair. Its private key comes from exactly one of three sources.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySettings {
    /// The id that CloudFront has given to the public key. Needed, but where it lies in the secret.
    #[serde(default)]
    pub id: String,
    /// The PEM file of the private key.
    pub private_key_file: Option<PathBuf>,
    /// The environment variable that holds the private key's PEM; `\n` written out will do.
    pub private_key_env: Option<String>,
    /// The name or ARN of the secret in AWS Secrets Manager that holds the private key's PEM.
    pub private_key_secret: Option<String>,
    /// The member that holds the PEM, where the secret is a JSON object. Default: the secret is the PEM.
    pub private_key_secret_field: Option<String>,
    /// The member of the same secret that holds `id`, which is then left out here: so that a rotation is
    /// one new version of the secret.
    pub id_secret_field: Option<String>,
    /// The PEM file of the public key; where it is given, the private key must match it.
    pub public_key_file: Option<PathBuf>,
    /// `SHA1` or `SHA256`. Default: SHA1 for RSA, SHA256 for ECDSA.
    pub hash: Option<String>,
    /// From when it signs: Unix seconds or RFC 3339. Default: at once.
    pub not_before: Option<String>,
    /// From when it doesn't sign any more: Unix seconds or RFC 3339. Default: never.
    pub retire_at: Option<String>,
    /// The private key itself, as the environment holds it.
    #[serde(skip)]
    pub private_key: Option<Secret>,
}

/// Where a private key lies.
#[derive(Debug, Clone, Copy)]
pub enum KeySource<'a> {
    /// In the environment: here it is.
    Environment(&'a Secret),
    /// In a file.
    File(&'a Path),
    /// In AWS Secrets Manager.
    Secret {
        /// The secret's name or ARN.
        name: &'a str,
        /// The member that holds it, where the secret is a JSON object.
        field: Option<&'a str>,
    },
}

impl KeySettings {
    /// A key pair of which nothing but its id is known.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            private_key_file: None,
            private_key_env: None,
            private_key_secret: None,
            private_key_secret_field: None,
            id_secret_field: None,
            public_key_file: None,
            hash: None,
            not_before: None,
            retire_at: None,
            private_key: None,
        }
    }

    /// Where its private key lies.
    ///
    /// # Errors
    /// Where that isn't said, or said more than once.
    pub fn source(&self) -> Result<KeySource<'_>, &'static str> {
        let field = self.private_key_secret_field.as_deref();
        if (field.is_some() || self.id_secret_field.is_some()) && self.private_key_secret.is_none() {
            return Err("private_key_secret_field and id_secret_field need private_key_secret");
        }
        if self.id.is_empty() != self.id_secret_field.is_some() {
            return Err("needs either id or id_secret_field");
        }
        match (&self.private_key, &self.private_key_file, self.private_key_secret.as_deref()) {
            (Some(key), None, None) => Ok(KeySource::Environment(key)),
            (None, Some(file), None) => Ok(KeySource::File(file)),
            (None, None, Some(name)) => Ok(KeySource::Secret { name, field }),
            _ => Err("needs exactly one of private_key_file, private_key_env and private_key_secret"),
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

/// Where ECDSA nonces come from. RSA has none: its links are the same everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NonceSetting {
    /// From the key and the message (RFC 6979): the same link from every node. 7,150 signatures a
    /// second on one core.
    Deterministic,
    /// From the system: another link at each signature and on each node. 64,800 signatures a second
    /// on one core.
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
