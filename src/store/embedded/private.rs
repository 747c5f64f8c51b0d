//! Modes of folders and files: the data folder and its contents are accessible to one user only.
//!
//! - What is made here is made with its mode, so that there is no moment at which others could open it.
//! - What an older version, or somebody else, has left open is closed at start ([`tighten`]), with a line in the log.
//! - The data folder's own mode is what keeps others out: whatever lies below can't be reached without it. So a start
//!   looks at the folders, of which there are some hundreds, and at the files of those folders alone that are open:
//!   millions of objects aren't gone through each time.
//! - A symbolic link in the data folder is refused where a folder or file of ours should be: what it leads to isn't
//!   ours to close, and isn't behind the data folder's mode.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::{DATABASE, OBJECTS, OpenError};

/// The mode of folders: for their owner alone.
const FOLDER: u32 = 0o700;
/// The mode of files: for their owner alone.
const FILE: u32 = 0o600;
/// The bits by which others than the owner may do something.
const OTHERS: u32 = 0o077;
/// How many names a log line holds.
const NAMED: usize = 5;

/// Makes a folder for its owner alone, and those above it that are missing. It is no error where it is there.
///
/// # Errors
/// The system's.
pub fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER).create(path)
}

/// Makes a file for its owner alone, to be written to.
///
/// # Errors
/// The system's; [`ErrorKind::AlreadyExists`] where something is there.
pub fn make_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(FILE).open(path)
}

/// Opens a file to read and to write, and makes it for its owner alone where it isn't there. A symbolic link isn't
/// followed.
///
/// # Errors
/// The system's.
pub fn open_or_make_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(FILE);
    options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(path)
}

/// Checks that a data folder belongs to the user of this process.
///
/// # Errors
/// [`OpenError::Owner`] where it doesn't.
pub fn check_owner(dir: &Path) -> Result<(), OpenError> {
    let owner = fs::metadata(dir).map_err(|source| OpenError::folder(dir, source))?.uid();
    let user = rustix::process::geteuid().as_raw();
    if owner == user { Ok(()) } else { Err(OpenError::Owner { dir: dir.to_owned(), owner, user }) }
}

/// Takes the rights of others away from a data folder and what lies in it, and says so in the log.
///
/// # Errors
/// [`OpenError::Link`] where a symbolic link is in the place of something of the store's, and what the system says.
pub fn tighten(dir: &Path) -> Result<(), OpenError> {
    let mut closed = Vec::new();
    // The data folder itself may be named by a link: it is the one that the settings name.
    let top = fs::canonicalize(dir).map_err(|source| OpenError::folder(dir, source))?;
    close(&top, &mut closed).map_err(|source| OpenError::folder(dir, source))?;
    below(&top, Ours::Named, &mut closed)?;
    if !closed.is_empty() {
        let names: Vec<String> = closed.iter().take(NAMED).map(|path| path.display().to_string()).collect();
        tracing::warn!(
            folder = %dir.display(),
            closed = closed.len(),
            first = names.join(", "),
            "the data folder was open to other users of this machine: their rights are taken away"
        );
    }
    Ok(())
}

/// Closes what lies in a folder: its files, and the folders in it from the bottom up. So a folder that is closed has
/// nothing open in it, and needn't be gone through at the next start, also where this one is cut off.
fn below(folder: &Path, ours: Ours, closed: &mut Vec<PathBuf>) -> Result<(), OpenError> {
    let failed = |source| OpenError::folder(folder, source);
    let user = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, name) = (entry.path(), entry.file_name());
        let found = match fs::symlink_metadata(&path) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(error)),
        };
        let is_ours = ours == Ours::All || name == DATABASE || name == OBJECTS;
        if found.is_symlink() && is_ours {
            return Err(OpenError::Link { path });
        }
        // What somebody else has put beside it stays theirs, behind the data folder's mode.
        if found.is_symlink() || found.uid() != user {
            continue;
        }
        let (is_open, is_top) = (found.mode() & OTHERS != 0, ours == Ours::Named && name == OBJECTS);
        if found.is_dir() && (is_open || is_top) {
            below(&path, if is_ours { Ours::All } else { Ours::Named }, closed)?;
        }
        if is_open && (found.is_dir() || found.is_file()) {
            close(&path, closed).map_err(failed)?;
        }
    }
    Ok(())
}

/// What of a folder's content is this store's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ours {
    /// The database and the folder of objects.
    Named,
    /// All of it.
    All,
}

/// Takes the rights of others away from a file or folder. Never of what a link leads to.
fn close(path: &Path, closed: &mut Vec<PathBuf>) -> io::Result<()> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path);
    let file = match opened {
        // A draft that is gone meanwhile.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let mode = file.metadata()?.mode();
    // The bits above the owner's go too: some systems don't let a service set those.
    if mode & OTHERS != 0 {
        file.set_permissions(Permissions::from_mode(mode & FOLDER))?;
        closed.push(path.to_owned());
    }
    Ok(())
}
