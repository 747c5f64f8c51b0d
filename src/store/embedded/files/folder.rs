//! Where a file lies, and how it comes there at one stroke.
//!
//! ```text
//! objects/drafts/{ulid}        uploads and copies on their way; swept when the folder is opened
//! objects/parts/{ulid}/        uploads in parts: see `parts`
//! objects/{00..ff}/{sha-256}   what is stored
//! ```
//!
//! A file is named by the SHA-256 of its bucket and key, in hexadecimal. So no key can leave the folder,
//! be too long for the file system, collide with another by case or trailing dots, or be a folder that
//! another key lies in. The bucket and key themselves stand in the file. The 256 folders are made when
//! the store is opened, so that publishing has one folder to sync and never a fresh one.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{Context, SHA256};
use ulid::Ulid;

use super::super::private::{make_file, make_folder};
use crate::service::ports::ObjectLocation;

/// The folder of all objects.
pub struct Folder {
    root: PathBuf,
    drafts: PathBuf,
    /// Where uploads in parts lie.
    pub parts: PathBuf,
    claims: Arc<Mutex<HashSet<PathBuf>>>,
}

/// The right to upload to a place, which one upload at a time has; given back when dropped.
pub struct Claim {
    place: PathBuf,
    claims: Arc<Mutex<HashSet<PathBuf>>>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.place);
    }
}

impl Folder {
    /// Opens the folder, makes what is missing of it, and removes the drafts of a former process.
    pub fn open(root: &Path) -> io::Result<Self> {
        let drafts = root.join("drafts");
        make_folder(&drafts)?;
        for draft in fs::read_dir(&drafts)? {
            let draft = draft?;
            if draft.file_type()?.is_dir() {
                fs::remove_dir_all(draft.path())?;
            } else {
                fs::remove_file(draft.path())?;
            }
        }
        let parts = root.join("parts");
        make_folder(&parts)?;
        for fan in 0..=u8::MAX {
            make_folder(&root.join(format!("{fan:02x}")))?;
        }
        sync(root)?;
        Ok(Self { root: root.to_owned(), drafts, parts, claims: Arc::default() })
    }

    /// Where the object of a location lies, if there is one.
    pub fn place(&self, location: &ObjectLocation) -> PathBuf {
        let mut context = Context::new(&SHA256);
        // With its length before it, no bucket can run into a key.
        context.update(&location.bucket.len().to_be_bytes());
        context.update(location.bucket.as_bytes());
        context.update(location.key.as_bytes());
        let name = hex(context.finish().as_ref());
        self.root.join(&name[..2]).join(name)
    }

    /// Claims a place for an upload, so that a place has one draft at most. `None` while another upload has it.
    pub fn claim(&self, place: &Path) -> Option<Claim> {
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        let new = claims.insert(place.to_owned());
        new.then(|| Claim { place: place.to_owned(), claims: Arc::clone(&self.claims) })
    }

    /// A fresh file that nobody sees yet.
    pub fn draft(&self) -> io::Result<(Draft, File)> {
        let path = self.drafts.join(Ulid::generate().to_string());
        let file = make_file(&path)?;
        Ok((Draft { path }, file))
    }

    /// A fresh folder that nobody sees yet.
    pub fn draft_folder(&self) -> io::Result<DraftFolder> {
        let path = self.drafts.join(Ulid::generate().to_string());
        make_folder(&path)?;
        Ok(DraftFolder { path })
    }

    /// Removes a folder with all that is in it, at one stroke and durably. It is no error if there is none.
    pub fn remove_folder(&self, path: &Path) -> io::Result<()> {
        let path_of_draft = self.drafts.join(Ulid::generate().to_string());
        match fs::rename(path, &path_of_draft) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        }
        // Gone for all; what stays of it goes now, or is swept later.
        let draft = DraftFolder { path: path_of_draft };
        sync_parent(path)?;
        drop(draft);
        Ok(())
    }
}

/// A folder on its way; removed with what is in it when dropped.
pub struct DraftFolder {
    path: PathBuf,
}

impl DraftFolder {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder visible, durably, where nothing is yet.
    pub fn move_to(self, place: &Path) -> io::Result<()> {
        sync(&self.path)?;
        fs::rename(&self.path, place)?;
        sync_parent(place)
    }
}

impl Drop for DraftFolder {
    fn drop(&mut self) {
        // Not there any more where it was moved; what else can't be removed is swept later.
        drop(fs::remove_dir_all(&self.path));
    }
}

/// A file on its way; removed when dropped.
pub struct Draft {
    path: PathBuf,
}

impl Draft {
    /// Makes the file visible, durably, where nothing is yet. `false` where something is: of several
    /// drafts for one place, exactly one gets it, because a hard link never replaces.
    pub fn publish(self, place: &Path) -> io::Result<bool> {
        match fs::hard_link(&self.path, place) {
            Ok(()) => sync_parent(place).map(|()| true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes the file visible, durably, in the place of whatever is there.
    pub fn replace(self, place: &Path) -> io::Result<()> {
        fs::rename(&self.path, place)?;
        sync_parent(place)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Not there any more where it replaced another; what else can't be removed is swept later.
        drop(fs::remove_file(&self.path));
    }
}

/// Removes what is stored at a place, durably. It is no error if nothing is.
pub fn remove(place: &Path) -> io::Result<()> {
    match fs::remove_file(place) {
        Ok(()) => sync_parent(place),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sync_parent(place: &Path) -> io::Result<()> {
    place.parent().map_or(Ok(()), sync)
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
