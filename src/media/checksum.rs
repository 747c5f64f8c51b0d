//! The SHA-256 that a client promises and the store proves.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// A SHA-256 digest. Read as base64 (44 characters, as S3's `x-amz-checksum-sha256`) or as 64
/// hexadecimal digits; shown as it was given.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Checksum {
    digest: [u8; 32],
    given: String,
}

impl Checksum {
    /// Parses a digest.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digest = match text.len() {
            44 => STANDARD.decode(text).ok()?.try_into().ok()?,
            64 => from_hex(text)?,
            _ => return None,
        };
        Some(Self { digest, given: text.to_owned() })
    }

    /// The digest in base64, as S3 takes it.
    #[must_use]
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.digest)
    }

    /// The digest as it was given.
    #[must_use]
    pub fn as_given(&self) -> &str {
        &self.given
    }

    /// The 32 bytes.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

impl PartialEq for Checksum {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Checksum {}

impl TryFrom<String> for Checksum {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a checksum is a SHA-256 in base64 or 64 hexadecimal digits")
    }
}

impl From<Checksum> for String {
    fn from(checksum: Checksum) -> Self {
        checksum.given
    }
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_the_same_digest() {
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let base64 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        assert_eq!(Checksum::parse(hex), Checksum::parse(base64));
        assert_eq!(Checksum::parse(hex).unwrap().to_base64(), base64);
        assert_eq!(Checksum::parse(hex).unwrap().as_given(), hex);
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "abc", &"g".repeat(64), &"é".repeat(32), &"=".repeat(44)] {
            assert!(Checksum::parse(text).is_none(), "{text}");
        }
    }
}
