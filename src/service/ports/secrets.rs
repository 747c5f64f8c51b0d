//! Secrets that lie in a vault.

use std::fmt;

use async_trait::async_trait;
use zeroize::Zeroizing;

/// Reads secrets by their name.
#[async_trait]
pub trait SecretSource: Send + Sync + 'static {
    /// Reads the current value of a secret, within a bounded time.
    ///
    /// # Errors
    /// Why it can't be had, in one line.
    async fn read(&self, name: &str) -> Result<SecretBytes, SecretError>;
}

/// The value of a secret: never shown, and wiped from memory.
#[derive(Clone)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Keeps a value.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The value, to be used and not kept.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(…)")
    }
}

/// Why a secret can't be had. One line each, which names what to do and nothing secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// There is no secret of this name there.
    #[error("there is no secret {name:?} in {place}")]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// Where it was looked for.
        place: String,
    },
    /// It is there, or not, but not for this caller; or the request can't be.
    #[error("reading the secret {name:?} is refused: {reason}")]
    Refused {
        /// The name that was asked for.
        name: String,
        /// What the vault says.
        reason: String,
    },
    /// The vault can't be asked, as something of the machine's set-up is missing.
    #[error("the secret {name:?} can't be asked for: {reason}")]
    Unprepared {
        /// The name that was asked for.
        name: String,
        /// What is missing, and where it would be set.
        reason: String,
    },
    /// The vault doesn't answer; trying again later may help.
    #[error("the secret {name:?} can't be read now: {reason}")]
    Unavailable {
        /// The name that was asked for.
        name: String,
        /// What happened.
        reason: String,
    },
}
