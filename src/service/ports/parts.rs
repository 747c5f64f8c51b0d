//! Files that come in parts: what an [`ObjectStore`](super::ObjectStore) is told of them and says.

pub use crate::media::PartsId;

/// What one part is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartTerms {
    /// Its number: 1 to 10,000.
    pub number: u16,
    /// The exact length in bytes.
    pub size_bytes: u64,
}

/// A part that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPart {
    /// Its number.
    pub number: u16,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// Its entity tag, with its quotes.
    pub etag: String,
}

/// A part as whoever sent it knows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PartTag {
    /// Its number.
    pub number: u16,
    /// The entity tag that it was answered with, with or without its quotes.
    pub etag: String,
}

impl PartTag {
    /// Whether a tag is this one, quotes aside.
    #[must_use]
    pub fn is(&self, etag: &str) -> bool {
        self.etag.trim_matches('"') == etag.trim_matches('"')
    }
}

/// What became of parts that were to be one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completion {
    /// The file is there.
    Done,
    /// Something else is stored there already. The parts are as they were.
    Exists,
    /// There is no such upload (any more).
    Unknown,
    /// A part isn't there, isn't the one that is named, or can't stand where it does: its number, and
    /// why. The parts are as they were.
    WrongParts(String),
}
