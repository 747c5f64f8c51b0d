//! What a file holds.
//!
//! ```text
//! content | record as JSON | length of the record, 4 bytes, big-endian | "SIGNETO1"
//! ```
//!
//! The content comes first, so that a part of it is where it says, and the record after it, because the
//! digest is known only when all of the content has passed. Both are in one file that becomes visible at
//! one stroke: there is never a content without its type, nor a type without its content.

use std::fs::File;
use std::io::{self, Error, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::folder::hex;
use crate::media::Stored;
use crate::service::ports::{ObjectLocation, PartsId};

const MAGIC: &[u8; 8] = b"SIGNETO1";
/// The length of the record, and the magic.
const TAIL_BYTES: u64 = 4 + 8;
/// More than any record has: a key has 1,024 bytes.
const MAX_RECORD_BYTES: u64 = 64 * 1024;

/// What is known of a content.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    bucket: String,
    key: String,
    content_type: String,
    /// The length of the content.
    pub size_bytes: u64,
    /// Not known of what came in parts.
    sha256: Option<String>,
    etag: String,
    /// The upload by which it came in parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    upload: Option<PartsId>,
    /// Nothing is stored here, and nothing may be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    tombstone: bool,
}

impl Record {
    /// The record of a content with this SHA-256.
    pub fn new(location: &ObjectLocation, content_type: &str, size_bytes: u64, sha256: &[u8]) -> Self {
        Self {
            bucket: location.bucket.clone(),
            key: location.key.clone(),
            content_type: content_type.to_owned(),
            size_bytes,
            sha256: Some(STANDARD.encode(sha256)),
            etag: format!("\"{}\"", short(sha256)),
            upload: None,
            tombstone: false,
        }
    }

    /// The record of a tombstone, which has no content.
    pub fn tombstone(location: &ObjectLocation) -> Self {
        Self { tombstone: true, ..Self::new(location, "application/octet-stream", 0, &[]) }
    }

    /// Whether it is a tombstone's.
    pub fn is_tombstone(&self) -> bool {
        self.tombstone
    }

    /// The record of a content that an upload has brought in so many parts, with the SHA-256 of their
    /// entity tags.
    pub fn in_parts(
        location: &ObjectLocation,
        content_type: &str,
        size_bytes: u64,
        (upload, count, sha256): (&PartsId, usize, &[u8]),
    ) -> Self {
        Self {
            sha256: None,
            etag: format!("\"{}-{count}\"", short(sha256)),
            upload: Some(upload.clone()),
            ..Self::new(location, content_type, size_bytes, sha256)
        }
    }

    /// Whether this upload has brought the content.
    pub fn came_in_parts_of(&self, upload: &PartsId) -> bool {
        self.upload.as_ref() == Some(upload)
    }

    /// The record of the same content in another place.
    pub fn at(mut self, location: &ObjectLocation) -> Self {
        self.bucket.clone_from(&location.bucket);
        self.key.clone_from(&location.key);
        self.upload = None;
        self
    }

    /// What the port says of the content.
    pub fn stored(&self) -> Stored {
        Stored {
            size_bytes: self.size_bytes,
            content_type: self.content_type.clone(),
            sha256: self.sha256.clone(),
            etag: self.etag.clone(),
        }
    }
}

/// Opens a file and reads its record. `None` where there is no file.
pub fn open(place: &Path) -> io::Result<Option<(File, Record)>> {
    let mut file = match File::open(place) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let record = read(&mut file)
        .map_err(|error| Error::new(error.kind(), format!("object file {}: {error}", place.display())))?;
    Ok(Some((file, record)))
}

/// Writes the record after the content and waits until all of it is on the disk.
pub fn close(mut file: File, record: &Record) -> io::Result<()> {
    let mut tail = serde_json::to_vec(record)?;
    let length = u32::try_from(tail.len()).map_err(Error::other)?;
    tail.extend_from_slice(&length.to_be_bytes());
    tail.extend_from_slice(MAGIC);
    file.write_all(&tail)?;
    file.sync_all()
}

fn short(sha256: &[u8]) -> String {
    hex(&sha256[..sha256.len().min(16)])
}

fn read(file: &mut File) -> io::Result<Record> {
    let broken = |what: &str| Error::new(ErrorKind::InvalidData, what);
    let total = file.metadata()?.len();
    let end = total.checked_sub(TAIL_BYTES).ok_or_else(|| broken("it is too short"))?;
    file.seek(SeekFrom::Start(end))?;
    let (mut length, mut magic) = ([0; 4], [0; 8]);
    file.read_exact(&mut length)?;
    file.read_exact(&mut magic)?;
    let length = u64::from(u32::from_be_bytes(length));
    if magic != *MAGIC || length > MAX_RECORD_BYTES {
        return Err(broken("it has no record"));
    }
    let content = end.checked_sub(length).ok_or_else(|| broken("its record is too long"))?;
    file.seek(SeekFrom::Start(content))?;
    let mut json = Vec::new();
    file.take(length).read_to_end(&mut json)?;
    let record: Record = serde_json::from_slice(&json)?;
    if record.size_bytes != content {
        return Err(broken("its length isn't what its record says"));
    }
    Ok(record)
}
