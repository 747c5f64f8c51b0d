//! Where the bytes lie.

use std::fmt;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;

use super::{Completion, PartTag, PartTerms, PartsId, StoreError, StoredPart};
use crate::media::{Checksum, ContentType, Stored, Timestamp};

/// A place in the object store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectLocation {
    /// The bucket.
    pub bucket: String,
    /// The key within it.
    pub key: String,
}

impl fmt::Display for ObjectLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.bucket, self.key)
    }
}

/// The objects of all tenants.
#[async_trait]
pub trait ObjectStore: Send + Sync + 'static {
    /// A request that lets its holder put one file in, once: type, length and checksum are bound
    /// by its signature, and `If-None-Match: *` keeps what is already there.
    async fn presign_put(
        &self,
        location: &ObjectLocation,
        terms: &UploadTerms,
        now: Timestamp,
        expires_in_seconds: u64,
    ) -> Result<Presigned, StoreError>;

    /// A request that lets its holder read one file for so many seconds from `now` on. The same arguments give
    /// the same request on every node with the same credentials.
    async fn presign_get(
        &self,
        location: &ObjectLocation,
        now: Timestamp,
        expires_in_seconds: u64,
    ) -> Result<Presigned, StoreError>;

    /// What is stored there, if anything. A tombstone is nothing, here and in all other reads.
    async fn head(&self, location: &ObjectLocation) -> Result<Option<Stored>, StoreError>;

    /// The file, or a part of it. `None` where nothing is stored there. A range that the file
    /// doesn't reach gives an empty body with `range: None`.
    async fn get(
        &self,
        location: &ObjectLocation,
        range: Option<ByteRange>,
    ) -> Result<Option<ObjectBody>, StoreError>;

    /// Removes a file. It is no error if nothing is there.
    async fn delete(&self, location: &ObjectLocation) -> Result<(), StoreError>;

    /// Puts a tombstone over whatever is there: an empty object that says that it is one. Reads find nothing there,
    /// and no upload is taken there, because `If-None-Match: *` finds something. [`ObjectStore::copy`] replaces it,
    /// [`ObjectStore::delete`] removes it.
    async fn put_tombstone(&self, location: &ObjectLocation) -> Result<(), StoreError>;

    /// The keys of all that is stored in a bucket under a prefix, tombstones included, in any order. `None` where the
    /// store can't list: then nothing is there that wasn't put in through this port.
    async fn list(&self, bucket: &str, prefix: &str) -> Result<Option<Vec<String>>, StoreError>;

    /// Returns whether a bucket keeps a version of all that is removed or replaced there from now on. Then
    /// [`ObjectStore::delete`] and [`ObjectStore::put_tombstone`] hide what is there, and
    /// [`ObjectStore::restore_versions`] brings it back.
    async fn keeps_versions(&self, bucket: &str) -> Result<bool, StoreError>;

    /// Brings back a file that was hidden by its removal or a tombstone, and what was hidden under the prefix at the same
    /// time or later. What was removed before stays so. It is no error if nothing is hidden, or the bucket keeps no
    /// versions; it can be repeated where it was cut off.
    async fn restore_versions(&self, file: &ObjectLocation, prefix: &str) -> Result<(), StoreError>;

    /// Removes all versions of whatever is or was stored in a bucket under a prefix, where the bucket keeps versions. In
    /// any other it does nothing: what is there is to be removed one by one.
    async fn delete_versions(&self, bucket: &str, prefix: &str) -> Result<(), StoreError>;

    /// Copies a file within the store, over whatever is at `to`. `false` where nothing is at `from`.
    async fn copy(&self, from: &ObjectLocation, to: &ObjectLocation) -> Result<bool, StoreError>;

    /// Begins an upload in parts. Nothing is to be seen at the location until it is completed.
    async fn begin_parts(
        &self,
        location: &ObjectLocation,
        content_type: &ContentType,
    ) -> Result<PartsId, StoreError>;

    /// A request that lets its holder put one part in: its number and length are bound by its
    /// signature. A part may be sent again: the last one counts.
    async fn presign_part(
        &self,
        location: &ObjectLocation,
        upload: &PartsId,
        part: PartTerms,
        now: Timestamp,
        expires_in_seconds: u64,
    ) -> Result<Presigned, StoreError>;

    /// The parts that are there, ascending, each number once. `None` where there is no such upload
    /// (any more).
    async fn parts(
        &self,
        location: &ObjectLocation,
        upload: &PartsId,
    ) -> Result<Option<Vec<StoredPart>>, StoreError>;

    /// Puts parts together to one file, in ascending order, where nothing is stored yet. All but the
    /// last must have 5 MiB or more. To be repeated safely: an upload that is completed already is
    /// [`Completion::Done`].
    async fn complete_parts(
        &self,
        location: &ObjectLocation,
        upload: &PartsId,
        parts: &[PartTag],
    ) -> Result<Completion, StoreError>;

    /// Forgets an upload and its parts; a file that they have become stays. It is no error if there is
    /// no such upload.
    async fn abort_parts(&self, location: &ObjectLocation, upload: &PartsId) -> Result<(), StoreError>;
}

/// What an upload is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadTerms {
    /// The type that must be sent.
    pub content_type: ContentType,
    /// The exact length in bytes.
    pub size_bytes: u64,
    /// SHA-256 of the content.
    pub checksum: Option<Checksum>,
}

/// A request that somebody else may send.
#[derive(Clone, PartialEq, Eq)]
pub struct Presigned {
    /// Its method.
    pub method: &'static str,
    /// Its URL, signed.
    pub url: String,
    /// The headers that must be sent as given, names in lower case; never Content-Length or Host,
    /// which every client derives.
    pub headers: Vec<(String, String)>,
}

impl fmt::Debug for Presigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presigned").field("method", &self.method).field("url", &"…").finish_non_exhaustive()
    }
}

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteRange {
    /// From the first byte to the last one, both included.
    FromTo(u64, u64),
    /// From a byte to the end.
    From(u64),
    /// The last bytes.
    Last(u64),
}

impl ByteRange {
    /// First and last byte of the part of a file with this length; `None` where there is no such
    /// part.
    #[must_use]
    pub fn within(self, length: u64) -> Option<(u64, u64)> {
        let end = length.checked_sub(1)?;
        match self {
            Self::FromTo(first, last) if first <= last && first <= end => Some((first, last.min(end))),
            Self::From(first) if first <= end => Some((first, end)),
            Self::Last(count) if count > 0 => Some((length - count.min(length), end)),
            _ => None,
        }
    }
}

/// Bytes on their way.
pub type ByteStream = Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>;

/// A file, or a part of it.
pub struct ObjectBody {
    /// What is stored, whole.
    pub stored: Stored,
    /// First and last byte of the part that follows; `None` where the whole file does, or where
    /// the range asked for isn't in the file and nothing follows.
    pub range: Option<(u64, u64)>,
    /// The bytes.
    pub bytes: ByteStream,
}

/// The way in and out of a store whose bytes Signet holds itself: it takes the requests that its
/// own [`ObjectStore::presign_put`], [`ObjectStore::presign_part`] and [`ObjectStore::presign_get`] have
/// signed.
#[async_trait]
pub trait ObjectGate: Send + Sync + 'static {
    /// Takes a file or a part whole, or not at all: only what its signature binds; a file only where
    /// nothing is stored yet, a part in the place of the same one that came before.
    ///
    /// # Errors
    /// Why it wasn't taken.
    async fn put(&self, request: SignedRequest, body: ByteStream, now: Timestamp)
    -> Result<Stored, PutError>;

    /// Opens a file, or a part of it as [`ObjectStore::get`] does, for GET and HEAD alike. Path and query as in
    /// [`SignedRequest`]; no header is signed.
    ///
    /// # Errors
    /// Why it isn't opened.
    async fn open(
        &self,
        path_and_query: &str,
        range: Option<ByteRange>,
        now: Timestamp,
    ) -> Result<ObjectBody, GetError>;
}

/// A presigned request as it came in.
#[derive(Debug, Clone)]
pub struct SignedRequest {
    /// Path and query as they stood on the request line, beginning with the path under which the
    /// gate is mounted.
    pub path_and_query: String,
    /// The headers, names in lower case; each at most once, or the request is refused.
    pub headers: Vec<(String, String)>,
}

/// Why an upload wasn't taken.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// The request isn't signed, differs from what was signed, or its time has passed.
    #[error("{0}")]
    Denied(&'static str),
    /// Something is stored there already.
    #[error("the object exists already")]
    Exists,
    /// Another upload to the same place is under way.
    #[error("another upload of the object is under way")]
    Busy,
    /// The upload that the part is for isn't there: it was completed or given up.
    #[error("the upload in parts isn't there any more")]
    NoUpload,
    /// The body differs from what was signed.
    #[error("{0}")]
    BadBody(&'static str),
    /// The body ended early.
    #[error("the upload was cut off")]
    Cut(#[source] std::io::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a file isn't opened.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    /// The request isn't signed, differs from what was signed, or its time has passed.
    #[error("{0}")]
    Denied(&'static str),
    /// Nothing is stored there.
    #[error("there is no such object")]
    NotFound,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
