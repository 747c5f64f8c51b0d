//! The small words of signing: key pair ids, hashes, algorithms, nonces.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

/// The id under which CloudFront knows a public key, such as `K2JCJMDEHXQW5F`.
///
/// 1 to 128 of `A-Z a-z 0-9 - _ .`: never a character that would have to be escaped in a query or a cookie.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyPairId(Arc<str>);

impl KeyPairId {
    /// Takes an id as it is.
    ///
    /// # Errors
    /// [`NameError::KeyPairId`] for an id that is empty, too long or holds other characters.
    pub fn new(id: &str) -> Result<Self, NameError> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if id.is_empty() || id.len() > 128 || !id.bytes().all(legal) {
            return Err(NameError::KeyPairId);
        }
        Ok(Self(id.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyPairId {
    type Err = NameError;

    fn from_str(id: &str) -> Result<Self, NameError> {
        Self::new(id)
    }
}

impl fmt::Display for KeyPairId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The hash under a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HashAlgorithm {
    /// SHA-1: what CloudFront assumes of a link that names no hash. RSA only.
    Sha1,
    /// SHA-256: named in the link by `Hash-Algorithm=SHA256`.
    Sha256,
}

impl HashAlgorithm {
    /// The value of the `Hash-Algorithm` parameter.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }
}

impl FromStr for HashAlgorithm {
    type Err = NameError;

    /// Reads `SHA1` or `SHA256`, in any case and with or without a dash.
    fn from_str(name: &str) -> Result<Self, NameError> {
        match name.to_ascii_uppercase().as_str() {
            "SHA1" | "SHA-1" => Ok(Self::Sha1),
            "SHA256" | "SHA-256" => Ok(Self::Sha256),
            _ => Err(NameError::Hash),
        }
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What kind of key a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyAlgorithm {
    /// RSA, with the size of its modulus.
    Rsa {
        /// Bits of the modulus, 1024 to 4096.
        bits: u32,
    },
    /// ECDSA on the curve P-256.
    EcdsaP256,
}

impl KeyAlgorithm {
    /// The hash to sign with where none is asked for: SHA-1 for RSA, SHA-256 for ECDSA.
    pub fn default_hash(self) -> HashAlgorithm {
        match self {
            Self::Rsa { .. } => HashAlgorithm::Sha1,
            Self::EcdsaP256 => HashAlgorithm::Sha256,
        }
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits } => write!(f, "RSA {bits}"),
            Self::EcdsaP256 => f.write_str("ECDSA P-256"),
        }
    }
}

/// Where an ECDSA signature takes its nonce from. RSA signatures have none and are always the same bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NonceMode {
    /// From the system's randomness: about 65,000 signatures a second on one core, other bytes each time.
    #[default]
    Random,
    /// From key and message (RFC 6979): about 7,000 signatures a second on one core, and every node gives the
    /// same link.
    Deterministic,
}

impl FromStr for NonceMode {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        match name {
            "random" => Ok(Self::Random),
            "deterministic" => Ok(Self::Deterministic),
            _ => Err(NameError::Nonce),
        }
    }
}

/// A word that is none of those expected.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum NameError {
    /// Not a key pair id.
    #[error("a key pair id is 1 to 128 letters, digits, `-`, `_` or `.`, such as K2JCJMDEHXQW5F")]
    KeyPairId,
    /// Not a hash.
    #[error("the hash is SHA1 or SHA256")]
    Hash,
    /// Not a nonce mode.
    #[error("the nonce is random or deterministic")]
    Nonce,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_in_any_case_and_with_a_dash() {
        for name in ["SHA1", "sha1", "Sha-1"] {
            assert_eq!(name.parse(), Ok(HashAlgorithm::Sha1));
        }
        for name in ["SHA256", "sha-256"] {
            assert_eq!(name.parse(), Ok(HashAlgorithm::Sha256));
        }
        assert_eq!("SHA512".parse::<HashAlgorithm>(), Err(NameError::Hash));
    }

    #[test]
    fn a_key_pair_id_never_needs_an_escape() {
        assert_eq!(KeyPairId::new("K2JCJMDEHXQW5F").unwrap().as_str(), "K2JCJMDEHXQW5F");
        for id in ["", "K 2", "K&2", "K;2", "Ké", "K%32", &"K".repeat(129)] {
            assert_eq!(KeyPairId::new(id), Err(NameError::KeyPairId), "{id}");
        }
    }
}
