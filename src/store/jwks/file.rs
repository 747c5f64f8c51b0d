//! The issuer's keys from a file, which is read again when it changes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use arc_swap::ArcSwap;

use super::MAX_BYTES;
use super::keys::KeySet;
use crate::media::Timestamp;

/// How often the file is looked at, in milliseconds.
const COOLDOWN_MILLIS: u64 = 2_000;

/// The keys of a file.
pub struct FileKeys {
    path: PathBuf,
    keys: ArcSwap<Loaded>,
    looked_at_millis: AtomicU64,
}

/// The keys of a state of the file.
struct Loaded {
    keys: Arc<KeySet>,
    version: Version,
}

/// Tells two states of the file apart: when it was changed, and its length.
type Version = (Option<SystemTime>, u64);

impl FileKeys {
    /// Reads a file of keys. Blocks.
    ///
    /// # Errors
    /// Why there is no key to be had from it.
    pub fn open(path: &Path, now: Timestamp) -> Result<Self, JwksError> {
        let keys = ArcSwap::from_pointee(Loaded::read(path)?);
        Ok(Self { path: path.to_owned(), keys, looked_at_millis: AtomicU64::new(now.millis()) })
    }

    /// The keys, read again where the file has changed; bad ones are refused and the old ones stay. The file
    /// is small and local, and looked at by one request in two seconds: that one may wait for it.
    pub fn current(&self, now: Timestamp) -> Arc<KeySet> {
        if self.is_due(now.millis())
            && !version(&self.path).is_ok_and(|version| version == self.keys.load().version)
        {
            match Loaded::read(&self.path) {
                Ok(loaded) => self.keys.store(Arc::new(loaded)),
                Err(error) => tracing::warn!(%error, "the token keys can't be read again; the old ones stay"),
            }
        }
        Arc::clone(&self.keys.load().keys)
    }

    /// Whether the file is to be looked at, by this request alone.
    fn is_due(&self, now: u64) -> bool {
        let last = self.looked_at_millis.load(Ordering::Relaxed);
        let exchange = || {
            self.looked_at_millis.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        };
        now.abs_diff(last) >= COOLDOWN_MILLIS && exchange()
    }
}

impl Loaded {
    fn read(path: &Path) -> Result<Self, JwksError> {
        let unreadable = |source| JwksError::Unreadable { path: path.to_owned(), source };
        let version = version(path).map_err(unreadable)?;
        if version.1 > MAX_BYTES as u64 {
            return Err(JwksError::TooLarge { path: path.to_owned() });
        }
        let bytes = std::fs::read(path).map_err(unreadable)?;
        let keys = KeySet::parse(&bytes)
            .map_err(|source| JwksError::NotAKeySet { path: path.to_owned(), source })?;
        if keys.is_empty() {
            return Err(JwksError::NoKeys { path: path.to_owned() });
        }
        Ok(Self { keys: Arc::new(keys), version })
    }
}

fn version(path: &Path) -> io::Result<Version> {
    let metadata = std::fs::metadata(path)?;
    Ok((metadata.modified().ok(), metadata.len()))
}

/// Why a file gives no keys.
#[derive(Debug, thiserror::Error)]
pub enum JwksError {
    /// It can't be read.
    #[error("the token keys {} can't be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is longer than any JWK set.
    #[error("the token keys {} have more than {MAX_BYTES} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It isn't a JWK set.
    #[error("{} isn't a JWK set ({{\"keys\":[…]}}): {source}", path.display())]
    NotAKeySet {
        /// The file.
        path: PathBuf,
        /// Where it ends to be one.
        source: serde_json::Error,
    },
    /// It has no key of a kind that is taken.
    #[error("{} holds no signing key of type RSA, EC (P-256) or OKP (Ed25519)", path.display())]
    NoKeys {
        /// The file.
        path: PathBuf,
    },
}
