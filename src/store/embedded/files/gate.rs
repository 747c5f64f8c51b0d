//! The way in and out. What a signature admits is read as the port reads it; an upload is taken whole, or not
//! at all:
//!
//! 1. The signature admits the request, or it ends here.
//! 2. What is stored already stays: known before the body, and once more when publishing.
//! 3. The body goes to a draft, counted and hashed on its way. A body that is cut off, too long, too short
//!    or other than promised leaves nothing behind; nor does a caller that gives up waiting.
//! 4. Record, fsync, publish, fsync of the folder; then the answer.

use async_trait::async_trait;
use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;

use super::record::{self, Record};
use super::signature::Admitted;
use super::{Files, blocking, failed};
use crate::media::{Stored, Timestamp};
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
        let place = self.folder.place(&admitted.location);
        if tokio::fs::try_exists(&place).await.map_err(failed)? {
            return Err(PutError::Exists);
        }

        let (draft, file) = {
            let folder = self.folder.clone();
            blocking(move || folder.draft()).await?
        };
        let mut file = tokio::fs::File::from_std(file);
        let digest = receive(&mut file, body, &admitted).await?;
        let record =
            Record::new(&admitted.location, &admitted.content_type, admitted.size_bytes, digest.as_ref());
        let stored = record.stored();

        let file = file.into_std().await;
        let published = blocking(move || {
            record::close(file, &record)?;
            draft.publish(&place)
        });
        if published.await? { Ok(stored) } else { Err(PutError::Exists) }
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
