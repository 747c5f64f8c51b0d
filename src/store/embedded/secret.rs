//! Random keys that are made once and kept.

use std::fmt;

use rand::Rng;
use redb::ReadableTable;
use zeroize::Zeroizing;

use super::{Embedded, tables};
use crate::service::ports::StoreError;

/// 32 random bytes: the key of an HMAC. Wiped when dropped.
pub struct Secret(Zeroizing<[u8; 32]>);

impl Secret {
    /// A secret of these bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Embedded {
    /// The secret of this name: made at random when it is asked for first, the same ever after.
    ///
    /// # Errors
    /// The database's.
    pub async fn secret(&self, name: &str) -> Result<Secret, StoreError> {
        let name = name.to_owned();
        self.0
            .writer
            .write(move |transaction| {
                let mut secrets = transaction.open_table(tables::SECRETS)?;
                if let Some(bytes) = secrets.get(name.as_str())? {
                    return Ok(Secret::new(bytes.value()));
                }
                let mut secret = Secret::new([0; 32]);
                rand::rng().fill_bytes(secret.0.as_mut());
                secrets.insert(name.as_str(), secret.as_bytes())?;
                Ok(secret)
            })
            .await
    }
}
