//! The way in and out. What a signature admits is read as the port reads it; an upload is taken whole, or not
//! at all:
//!
//! 1. The signature admits the request, or it ends here.
//! 2. What is stored already stays: known before the body, and once more when publishing. A part replaces
//!    the one that came before, and needs an upload that is still there.
//! 3. A place has one draft at most: a second upload to it is refused while the first is under way. So a ticket that
//!    is sent many times at once takes the disk space of one file.
//! 4. The body goes to a draft, counted and hashed on its way. A body that is cut off, too long, too short
//!    or other than promised leaves nothing behind; nor does a caller that gives up waiting.
//! 5. Record, fsync, publish, fsync of the folder; then the answer.

use std::fs::File;
use std::io::ErrorKind;

use async_trait::async_trait;
use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;

use super::folder::Draft;
use super::parts::Upload;
use super::record::{self, Record};
use super::signature::{Admitted, Content};
use super::{Files, blocking, failed};
use crate::media::{PartsId, Stored, Timestamp};
use crate::service::ports::{
    ByteRange, ByteStream, GetError, ObjectBody, ObjectGate, ObjectStore, PutError, SignedRequest,
};

#[async_trait]
impl ObjectGate for Files {
    async fn put(
        &self,
        request: SignedRequest,
        body: ByteStream,
        now: Timestamp,
    ) -> Result<Stored, PutError> {
        let admitted = self.signer.admit_put(&request, now).map_err(PutError::Denied)?;
        match &admitted.content {
            Content::Whole { content_type } => self.put_whole(&admitted, content_type, body).await,
            Content::Part { upload, number } => self.put_part(&admitted, (upload, *number), body).await,
        }
    }

    async fn open(
        &self,
        path_and_query: &str,
        range: Option<ByteRange>,
        now: Timestamp,
    ) -> Result<ObjectBody, GetError> {
        let location = self.signer.admit_get(path_and_query, now).map_err(GetError::Denied)?;
        self.get(&location, range).await?.ok_or(GetError::NotFound)
    }
}

impl Files {
    async fn put_whole(
        &self,
        admitted: &Admitted,
        content_type: &str,
        body: ByteStream,
    ) -> Result<Stored, PutError> {
        let place = self.folder.place(&admitted.location);
        if tokio::fs::try_exists(&place).await.map_err(failed)? {
            return Err(PutError::Exists);
        }
        let _claim = self.folder.claim(&place).ok_or(PutError::Busy)?;
        let (draft, file, record) = self.draft(admitted, content_type, body).await?;
        let stored = record.stored();
        let published = blocking(move || {
            record::close(file, &record)?;
            draft.publish(&place)
        });
        if published.await? { Ok(stored) } else { Err(PutError::Exists) }
    }

    async fn put_part(
        &self,
        admitted: &Admitted,
        (upload, number): (&PartsId, u16),
        body: ByteStream,
    ) -> Result<Stored, PutError> {
        let (folder, location, upload) = (self.folder.clone(), admitted.location.clone(), upload.clone());
        let found = blocking(move || {
            let upload = Upload::find(&folder, &location, &upload)?;
            Ok(upload.map(|upload| (upload.place(number), upload.content_type().to_owned())))
        });
        let (place, content_type) = found.await?.ok_or(PutError::NoUpload)?;
        let _claim = self.folder.claim(&place).ok_or(PutError::Busy)?;
        let (draft, file, record) = self.draft(admitted, &content_type, body).await?;
        let stored = record.stored();
        let published = blocking(move || {
            record::close(file, &record)?;
            match draft.replace(&place) {
                Ok(()) => Ok(true),
                // The upload was completed or given up meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
                Err(error) => Err(error),
            }
        });
        if published.await? { Ok(stored) } else { Err(PutError::NoUpload) }
    }

    /// The body in a draft, and its record, which isn't written yet.
    async fn draft(
        &self,
        admitted: &Admitted,
        content_type: &str,
        body: ByteStream,
    ) -> Result<(Draft, File, Record), PutError> {
        let (draft, file) = {
            let folder = self.folder.clone();
            blocking(move || folder.draft()).await?
        };
        let mut file = tokio::fs::File::from_std(file);
        let digest = receive(&mut file, body, admitted).await?;
        let record = Record::new(&admitted.location, content_type, admitted.size_bytes, digest.as_ref());
        Ok((draft, file.into_std().await, record))
    }
}

async fn receive(
    file: &mut tokio::fs::File,
    mut body: ByteStream,
    admitted: &Admitted,
) -> Result<aws_lc_rs::digest::Digest, PutError> {
    let mut missing = admitted.size_bytes;
    let mut context = Context::new(&SHA256);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(PutError::Cut)?;
        missing = u64::try_from(chunk.len())
            .ok()
            .and_then(|length| missing.checked_sub(length))
            .ok_or(PutError::BadBody("the body is longer than what was signed"))?;
        context.update(&chunk);
        file.write_all(&chunk).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)?;
    if missing > 0 {
        return Err(PutError::BadBody("the body is shorter than what was signed"));
    }
    let digest = context.finish();
    if admitted.sha256.as_ref().is_some_and(|promised| *promised != STANDARD.encode(digest.as_ref())) {
        return Err(PutError::BadBody("the body's SHA-256 isn't what was signed"));
    }
    Ok(digest)
}
