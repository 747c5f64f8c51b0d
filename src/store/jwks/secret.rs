//! The secret that the issuer shares with Signet, where it signs by HMAC.

use jsonwebtoken::DecodingKey;

/// The key of HS256: at least [`SharedSecret::MIN_BYTES`], as RFC 7518 wants it.
pub struct SharedSecret(DecodingKey);

impl SharedSecret {
    /// As many bytes as SHA-256 gives.
    pub const MIN_BYTES: usize = 32;

    /// Takes a secret.
    ///
    /// # Errors
    /// Where it is too short.
    pub fn new(secret: &[u8]) -> Result<Self, ShortSecret> {
        if secret.len() < Self::MIN_BYTES {
            return Err(ShortSecret);
        }
        Ok(Self(DecodingKey::from_secret(secret)))
    }

    pub(super) fn key(&self) -> &DecodingKey {
        &self.0
    }
}

/// A secret that could be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have at least {} bytes", SharedSecret::MIN_BYTES)]
pub struct ShortSecret;
