//! What can be wrong with a data folder, and how the database's errors become a store's.

use std::io;
use std::path::{Path, PathBuf};

use redb::DatabaseError;

use crate::service::ports::StoreError;

/// Why a data folder can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "the data folder {} is in use by another process: stop that one, or name another folder",
        dir.display()
    )]
    InUse {
        /// The folder.
        dir: PathBuf,
    },
    /// There is something else where the folder should be.
    #[error("{} isn't a folder: name another place for the data, or move it away", path.display())]
    NotAFolder {
        /// Where.
        path: PathBuf,
    },
    /// It can't be made, read or written.
    #[error("the data folder {} can't be used: {source}; check its permissions and the disk", dir.display())]
    Folder {
        /// The folder.
        dir: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is somebody else's.
    #[error(
        "the data folder {} belongs to user {owner}, and this process is user {user}: its owner can read the \
         secrets in it; run Signet as that user, give it the folder (chown), or name a folder inside of it that \
         isn't there yet: Signet makes that for itself alone",
        dir.display()
    )]
    Owner {
        /// The folder.
        dir: PathBuf,
        /// The id of the user that owns it.
        owner: u32,
        /// The id of the user of this process.
        user: u32,
    },
    /// A symbolic link stands where a folder or file of the store's should be.
    #[error(
        "{} is a symbolic link, and what it leads to isn't protected by the data folder: put the folder or file \
         itself there, or mount the other disk at this place",
        path.display()
    )]
    Link {
        /// Where.
        path: PathBuf,
    },
    /// The database in it can't be understood.
    #[error(
        "the database {} can't be read: {source}; restore it from a backup, or move it away to begin anew",
        file.display()
    )]
    Corrupt {
        /// The file.
        file: PathBuf,
        /// What the database says.
        source: Box<redb::Error>,
    },
}

impl OpenError {
    pub(super) fn folder(dir: &Path, source: io::Error) -> Self {
        Self::Folder { dir: dir.to_owned(), source }
    }

    /// A file in it that can't be opened.
    pub(super) fn file(dir: &Path, file: &Path, source: io::Error) -> Self {
        // What opening without following links says of one.
        if file.is_symlink() { Self::Link { path: file.to_owned() } } else { Self::folder(dir, source) }
    }

    pub(super) fn corrupt(file: &Path, source: impl Into<redb::Error>) -> Self {
        Self::Corrupt { file: file.to_owned(), source: Box::new(source.into()) }
    }

    pub(super) fn database(dir: &Path, file: &Path, error: DatabaseError) -> Self {
        match redb::Error::from(error) {
            redb::Error::DatabaseAlreadyOpen => Self::InUse { dir: dir.to_owned() },
            redb::Error::Io(source) if !says_it_is_no_database(&source) => Self::folder(dir, source),
            other => Self::corrupt(file, other),
        }
    }
}

/// What redb reads a file with that isn't one of its own, or ends too early.
fn says_it_is_no_database(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

impl From<redb::Error> for StoreError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Corrupted(_) => Self::corrupt(error),
            other => Self::unavailable(other),
        }
    }
}

macro_rules! through_redb_error {
    ($($error:ty),*) => {
        $(impl From<$error> for StoreError {
            fn from(error: $error) -> Self {
                redb::Error::from(error).into()
            }
        })*
    };
}

through_redb_error!(redb::TransactionError, redb::TableError, redb::StorageError);
