//! Have files changed?
//!
//! By looking at them, not by notifications of the kernel: those follow no symbolic links (a mounted
//! Kubernetes secret is swapped by one two levels up) and don't come from network file systems. A
//! look costs one `stat` a file.
//!
//! 1. [`Look`]: what files look like.
//! 2. [`Changes`]: have they changed, and is that over?

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Time between two looks at files.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Tells two states of a file apart, behind all links: device, inode, length, times of change in
/// nanoseconds.
type State = Option<(u64, u64, u64, i128, i128)>;

/// The states of some files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look(BTreeMap<PathBuf, State>);

impl Look {
    /// Looks at files; one that isn't there is a state as well.
    pub fn at<'a>(files: impl IntoIterator<Item = &'a Path>) -> Self {
        Self(files.into_iter().map(|file| (file.to_owned(), state(file))).collect())
    }

    /// Both looks in one.
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Looks at the same files again.
    pub fn again(&self) -> Self {
        Self::at(self.0.keys().map(PathBuf::as_path))
    }
}

/// Waits for a change of files to be over: they may be written in several steps.
pub struct Changes {
    seen: Look,
    /// A change that was seen once.
    pending: Option<Look>,
}

impl Changes {
    /// Since this look.
    pub fn since(seen: Look) -> Self {
        Self { seen, pending: None }
    }

    /// Looks; whether files have changed and stayed so since the look before.
    pub fn have_settled(&mut self) -> bool {
        let look = self.seen.again();
        let settled = look != self.seen && self.pending.as_ref() == Some(&look);
        self.pending = (look != self.seen).then_some(look);
        settled
    }

    /// The files are about to be read: only what changes after this is a change.
    pub fn take_note(&mut self) {
        self.pending = None;
        self.seen = self.seen.again();
    }
}

fn state(file: &Path) -> State {
    let found = fs::metadata(file).ok()?;
    let nanos = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    Some((
        found.dev(),
        found.ino(),
        found.len(),
        nanos(found.mtime(), found.mtime_nsec()),
        nanos(found.ctime(), found.ctime_nsec()),
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_swap_of_links_as_kubernetes_does_it_is_seen() {
        let folder = tempfile::TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        for version in ["..1", "..2"] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("private.pem"), "same length").unwrap();
        }
        symlink("..1", at("..data")).unwrap();
        symlink("..data/private.pem", at("private.pem")).unwrap();
        let first = Look::at([at("private.pem").as_path(), at("absent").as_path()]);
        assert_eq!(first, first.again());
        symlink("..2", at("..data_tmp")).unwrap();
        fs::rename(at("..data_tmp"), at("..data")).unwrap();
        let second = first.again();
        assert_ne!(first, second);
        fs::write(at("absent"), "").unwrap();
        assert_ne!(second, second.again());
    }
}
