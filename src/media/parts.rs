//! Files that are sent in parts: how they are cut.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The least that a part has, all but the last; S3's rule.
pub const MIN_PART_BYTES: u64 = 5 * MIB;
/// The most that a part has, and a file that is sent whole; S3's rule.
pub const MAX_PART_BYTES: u64 = 5 * 1024 * MIB;
/// The most parts that a file has; S3's rule.
pub const MAX_PARTS: u16 = 10_000;
/// The largest file; S3's rule.
pub const MAX_FILE_BYTES: u64 = 5 * 1024 * 1024 * MIB;

const MIB: u64 = 1024 * 1024;

/// The object store's name of an upload in parts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartsId(String);

impl PartsId {
    /// The name as the store says it.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PartsId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a file comes in parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// The upload, as the object store calls it.
    pub upload: PartsId,
    /// The length of each part but the last, in bytes.
    pub part_bytes: u64,
}
