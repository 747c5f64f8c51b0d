//! Objects as local files.
//!
//! 1. [`Files`]: the ports [`ObjectStore`] and [`ObjectGate`].
//! 2. `signature` (`query`): presigned requests, of the shape of S3's.
//! 3. `folder`: where a file lies; drafts, and how they are published at one stroke.
//! 4. `record`: what a file holds: the content, and after it what is known of the content.
//! 5. `gate`: the way in. `parts`: files that come in parts.

mod folder;
mod gate;
mod parts;
mod query;
mod record;
mod signature;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;

use self::folder::Folder;
use self::parts::Upload;
use self::record::Record;
use self::signature::Signer;
use super::{OpenError, Secret};
use crate::media::{ContentType, Stored, Timestamp};
use crate::service::ports::{
    ByteRange, ByteStream, Completion, ObjectBody, ObjectLocation, ObjectStore, PartTag, PartTerms, PartsId,
    Presigned, StoreError, StoredPart, UploadTerms,
};

#[cfg(doc)]
use crate::service::ports::ObjectGate;

/// How much of a file is read at a time, in bytes. A client that doesn't read its answer keeps three such chunks in memory.
const CHUNK_BYTES: u64 = 32 * 1024;

/// The objects in a folder of the local disk. Cheap to clone.
#[derive(Clone)]
pub struct Files {
    folder: Arc<Folder>,
    signer: Arc<Signer>,
}

impl Files {
    /// Opens the folder of objects, or makes it, and removes what unfinished uploads have left. Blocks.
    ///
    /// `public_base_url` is the URL under which the gate is mounted, for example
    /// `http://127.0.0.1:8080/objects`; `secret` signs the uploads.
    ///
    /// # Errors
    /// What is wrong with the folder.
    pub fn new(objects_dir: &Path, public_base_url: &str, secret: &Secret) -> Result<Self, OpenError> {
        let folder = Folder::open(objects_dir).map_err(|source| OpenError::folder(objects_dir, source))?;
        Ok(Self { folder: Arc::new(folder), signer: Arc::new(Signer::new(public_base_url, secret)) })
    }

    async fn open(&self, location: &ObjectLocation) -> Result<Option<(File, Record)>, StoreError> {
        let place = self.folder.place(location);
        blocking(move || open_file(&place)).await
    }
}

/// Opens a file; `None` also where a tombstone is.
fn open_file(place: &Path) -> io::Result<Option<(File, Record)>> {
    Ok(record::open(place)?.filter(|(_, record)| !record.is_tombstone()))
}

#[async_trait]
impl ObjectStore for Files {
    async fn presign_put(
        &self,
        location: &ObjectLocation,
        terms: &UploadTerms,
        now: Timestamp,
        expires_in_seconds: u64,
    ) -> Result<Presigned, StoreError> {
        self.signer.presign_put(location, terms, now, expires_in_seconds).map_err(StoreError::unavailable)
    }

    async fn presign_get(
        &self,
        location: &ObjectLocation,
        now: Timestamp,
        expires_in_seconds: u64,
    ) -> Result<Presigned, StoreError> {
        self.signer.presign_get(location, now, expires_in_seconds).map_err(StoreError::unavailable)
    }

    async fn head(&self, location: &ObjectLocation) -> Result<Option<Stored>, StoreError> {
        Ok(self.open(location).await?.map(|(_, record)| record.stored()))
    }

    async fn get(
        &self,
        location: &ObjectLocation,
        range: Option<ByteRange>,
    ) -> Result<Option<ObjectBody>, StoreError> {
        let Some((mut file, record)) = self.open(location).await? else { return Ok(None) };
        let stored = record.stored();
        let part = range.and_then(|range| range.within(stored.size_bytes));
        let (first, length) = match (range, part) {
            (None, _) => (0, stored.size_bytes),
            (Some(_), Some((first, last))) => (first, last - first + 1),
            (Some(_), None) => (0, 0),
        };
        file.seek(SeekFrom::Start(first)).map_err(failed)?;
        Ok(Some(ObjectBody { stored, range: part, bytes: chunks(file, length) }))
    }

    async fn delete(&self, location: &ObjectLocation) -> Result<(), StoreError> {
        let place = self.folder.place(location);
        blocking(move || folder::remove(&place)).await
    }

    async fn put_tombstone(&self, location: &ObjectLocation) -> Result<(), StoreError> {
        let (place, record) = (self.folder.place(location), Record::tombstone(location));
        let folder = Arc::clone(&self.folder);
        blocking(move || {
            let (draft, file) = folder.draft()?;
            record::close(file, &record)?;
            draft.replace(&place)
        })
        .await
    }

    async fn list(&self, _: &str, _: &str) -> Result<Option<Vec<String>>, StoreError> {
        // A file is named by the digest of its key.
        Ok(None)
    }

    async fn keeps_versions(&self, _: &str) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn restore_versions(&self, _: &ObjectLocation, _: &str) -> Result<(), StoreError> {
        Ok(())
    }

    async fn delete_versions(&self, _: &str, _: &str) -> Result<(), StoreError> {
        Ok(())
    }

    async fn copy(&self, from: &ObjectLocation, to: &ObjectLocation) -> Result<bool, StoreError> {
        let (source, place) = (self.folder.place(from), self.folder.place(to));
        let (folder, to) = (Arc::clone(&self.folder), to.clone());
        blocking(move || {
            let Some((mut file, record)) = open_file(&source)? else { return Ok(false) };
            let record = record.at(&to);
            file.rewind()?;
            let (draft, mut target) = folder.draft()?;
            io::copy(&mut file.take(record.size_bytes), &mut target)?;
            record::close(target, &record)?;
            draft.replace(&place)?;
            Ok(true)
        })
        .await
    }

    async fn begin_parts(
        &self,
        location: &ObjectLocation,
        content_type: &ContentType,
    ) -> Result<PartsId, StoreError> {
        let (folder, location, content_type) =
            (Arc::clone(&self.folder), location.clone(), content_type.clone());
        blocking(move || parts::begin(&folder, &location, content_type.as_str())).await
    }

    async fn presign_part(
        &self,
        location: &ObjectLocation,
        upload: &PartsId,
        part: PartTerms,
        now: Timestamp,
        expires_in_seconds: u64,
    ) -> Result<Presigned, StoreError> {
        let presigned = self.signer.presign_part(location, upload, part, now, expires_in_seconds);
        presigned.map_err(StoreError::unavailable)
    }

    async fn parts(
        &self,
        location: &ObjectLocation,
        upload: &PartsId,
    ) -> Result<Option<Vec<StoredPart>>, StoreError> {
        let (folder, location, id) = (Arc::clone(&self.folder), location.clone(), upload.clone());
        blocking(move || match Upload::find(&folder, &location, &id)? {
            Some(upload) => upload.list(),
            None => Ok(None),
        })
        .await
    }

    async fn complete_parts(
        &self,
        location: &ObjectLocation,
        upload: &PartsId,
        parts: &[PartTag],
    ) -> Result<Completion, StoreError> {
        let (folder, location, id) = (Arc::clone(&self.folder), location.clone(), upload.clone());
        let tags = parts.to_vec();
        blocking(move || parts::complete(&folder, &location, &id, &tags)).await
    }

    async fn abort_parts(&self, location: &ObjectLocation, upload: &PartsId) -> Result<(), StoreError> {
        let (folder, location, id) = (Arc::clone(&self.folder), location.clone(), upload.clone());
        blocking(move || parts::abort(&folder, &location, &id)).await
    }
}

/// Reads the next `length` bytes of a file, chunk by chunk. Chunks are allocated by the thread that polls, not by the many
/// blocking threads that read: each of those would keep the memory for a while (`tokio::fs::File` allocates there).
fn chunks(file: File, length: u64) -> ByteStream {
    Box::pin(stream::try_unfold((file, length), |(mut file, left)| async move {
        let expected = left.min(CHUNK_BYTES);
        if expected == 0 {
            return Ok(None);
        }
        let mut chunk = Vec::with_capacity(expected as usize);
        let read = tokio::task::spawn_blocking(move || {
            (&mut file).take(expected).read_to_end(&mut chunk)?;
            Ok::<_, io::Error>((file, chunk))
        });
        let (file, chunk) = read.await??;
        if chunk.len() as u64 != expected {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file is shorter than it was"));
        }
        Ok(Some((Bytes::from(chunk), (file, left - expected))))
    }))
}

/// Runs file operations where they may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(StoreError::unavailable)?.map_err(failed)
}

fn failed(error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::InvalidData => StoreError::corrupt(error),
        _ => StoreError::unavailable(error),
    }
}
