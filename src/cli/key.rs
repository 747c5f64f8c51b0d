//! The options that `sign` and `document` share: which key signs, and until when.

use std::path::PathBuf;

use clap::ArgGroup;

use super::{CliError, Output, read_file};
use crate::cloudfront::{HashAlgorithm, KeyPairId, NonceMode, PrivateKey, Window};
use crate::config::time;
use crate::service::links::Life;

/// The options of a key.
#[derive(clap::Args)]
#[command(group = ArgGroup::new("end").required(true).args(["expires", "ttl"]))]
pub struct KeyArgs {
    /// File of the private key: RSA or ECDSA P-256, in PEM
    #[arg(long, value_name = "PEM")]
    private_key: PathBuf,
    /// Id of the public key in CloudFront
    #[arg(long, value_name = "ID")]
    key_pair_id: KeyPairId,
    /// When all links end: Unix seconds or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    expires: Option<u64>,
    /// Longest life of a link, 2 to 604800; it stays the same for half of that
    #[arg(long, value_name = "SECONDS")]
    ttl: Option<u64>,
    /// SHA1 or SHA256 [default: SHA1 for RSA, SHA256 for ECDSA]
    #[arg(long)]
    hash: Option<HashAlgorithm>,
    /// Nonces of ECDSA: random (faster), or deterministic (the same link each time)
    #[arg(long, default_value = "random")]
    nonce: NonceMode,
}

/// A key that was read.
pub struct SigningKey {
    /// What signs.
    pub private: PrivateKey,
    /// CloudFront's id of its public half.
    pub id: KeyPairId,
    /// The hash that its signatures use.
    pub hash: HashAlgorithm,
    /// How long its links live.
    pub life: Life,
}

impl KeyArgs {
    /// Reads the key, and passes on what an operator should know about it.
    ///
    /// # Errors
    /// [`CliError::Failed`] where the file can't be read, or is not a private key: it says what it is.
    /// [`CliError::Usage`] for a TTL that can't be.
    pub fn read(self, out: &mut Output) -> Result<SigningKey, CliError> {
        let life = match (self.expires, self.ttl) {
            (Some(expires), None) => Life::Until(expires),
            (None, Some(ttl)) => {
                Life::Window(Window::new(ttl).map_err(|error| CliError::Usage(error.to_string()))?)
            }
            _ => return Err(CliError::Usage("give either --expires or --ttl".to_owned())),
        };
        let path = self.private_key.display();
        let private = PrivateKey::from_pem(&read_file(&self.private_key)?, self.nonce)
            .map_err(|error| CliError::about(format_args!("private key {path}"), error))?;
        if let Some(warning) = private.warning() {
            out.diagnose(&format!("warning: {warning}"));
        }
        let hash = self.hash.unwrap_or(private.default_hash());
        Ok(SigningKey { private, id: self.key_pair_id, hash, life })
    }
}
