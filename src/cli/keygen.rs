//! `signet keygen`: a new key pair, and how to register it.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::{CliError, Output};
use crate::cloudfront::{NewKey, PrivateKey};

/// The options of `signet keygen`.
#[derive(clap::Args)]
pub struct Args {
    /// Kind of the key: RSA 2048 (any CloudFront client), or ECDSA P-256 (faster, shorter links)
    #[arg(long = "type", value_name = "TYPE")]
    kind: KeyType,
    /// Folder for the two files; made where it is missing
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum KeyType {
    Rsa,
    Ecdsa,
}

/// Makes the pair: `private.pem` (readable by its owner alone) and `public.pem`. Existing files stay as they
/// are.
///
/// # Errors
/// [`CliError::Failed`] where a file is there already or can't be written.
pub fn run(args: Args, out: &mut Output) -> Result<(), CliError> {
    let private = args.out.join("private.pem");
    let public = args.out.join("public.pem");
    for path in [&private, &public] {
        if path.symlink_metadata().is_ok() {
            return Err(CliError::about(path.display(), "it exists; keygen never overwrites a key"));
        }
    }
    let kind = match args.kind {
        KeyType::Rsa => NewKey::Rsa2048,
        KeyType::Ecdsa => NewKey::EcdsaP256,
    };
    let (key, pem) = PrivateKey::generate(kind).map_err(|error| CliError::about("new key", error))?;
    fs::create_dir_all(&args.out).map_err(|error| CliError::about(args.out.display(), error))?;
    create(&private, pem.as_bytes(), 0o600)?;
    if let Err(error) = create(&public, key.public_key().to_pem().as_bytes(), 0o644) {
        // Half a pair is of no use, and would be in the way of the next attempt.
        let _ = fs::remove_file(&private);
        return Err(error);
    }
    out.line(&private.display().to_string())?;
    out.line(&public.display().to_string())?;
    out.line(&format!("\nThis is an {} pair. To use it:", key.algorithm()))?;
    out.line(&format!(
        "1. In CloudFront, under Key management, create a public key from {} and note its id.\n\
         2. Put it into a key group, and the group into the cache behaviour as a trusted key group.\n\
         3. Once the distribution is deployed, sign: signet sign --private-key {} --key-pair-id ID --ttl 300 URL\n\
         4. To serve, name both files and the id under [[signing.keys]]; signet check --config FILE proves the pair,\n\
         \x20  and says how it takes over from another one.\n\
         Keep the private key secret; CloudFront never needs it.",
        public.display(),
        private.display(),
    ))
}

/// Makes a file that isn't there yet.
fn create(path: &Path, content: &[u8], mode: u32) -> Result<(), CliError> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(mode).open(path);
    let written = file.and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()));
    written.map_err(|error| CliError::about(path.display(), error))
}
