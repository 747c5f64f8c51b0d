//! Requests for others to send: what they must send is bound by the signature. The same time gives the same
//! request, for as long as the credentials are the same.

use std::error::Error;
use std::time::{Duration, UNIX_EPOCH};

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};

use super::S3;
use super::failure::failed;
use crate::media::Timestamp;
use crate::service::ports::{ObjectLocation, PartTerms, PartsId, Presigned, StoreError, UploadTerms};

/// How long caches keep a file that was uploaded by a ticket, unless the distribution says otherwise.
const CACHE_CONTROL: &str = "max-age=86400";
/// How a browser shows it.
const CONTENT_DISPOSITION: &str = "inline";
/// That it is stored as it was sent.
const CONTENT_ENCODING: &str = "identity";

/// What every client sends by itself.
const DERIVED: [&str; 2] = ["content-length", "host"];

/// A request that puts one file in, once.
pub async fn put(
    store: &S3,
    location: &ObjectLocation,
    terms: &UploadTerms,
    now: Timestamp,
    expires_in_seconds: u64,
) -> Result<Presigned, StoreError> {
    let request = store
        .signer
        .put_object()
        .bucket(&location.bucket)
        .key(&location.key)
        .content_type(terms.content_type.as_str())
        .content_length(i64::try_from(terms.size_bytes).map_err(StoreError::unavailable)?)
        // S3 keeps these with a file and answers with them, and takes them unsigned: the uploader would choose how
        // others' caches and browsers treat it. What isn't sent can't be bound, so each has a value.
        .cache_control(CACHE_CONTROL)
        .content_disposition(CONTENT_DISPOSITION)
        .content_encoding(CONTENT_ENCODING)
        .set_checksum_sha256(terms.checksum.as_ref().map(|checksum| checksum.to_base64()))
        .if_none_match("*");
    let signed = request.presigned(times(now, expires_in_seconds)?).await;
    presigned("PUT", location, store, signed)
}

/// A request that puts one part in.
pub async fn part(
    store: &S3,
    location: &ObjectLocation,
    upload: &PartsId,
    part: PartTerms,
    now: Timestamp,
    expires_in_seconds: u64,
) -> Result<Presigned, StoreError> {
    let request = store
        .signer
        .upload_part()
        .bucket(&location.bucket)
        .key(&location.key)
        .upload_id(upload.as_str())
        .part_number(part.number.into())
        .content_length(i64::try_from(part.size_bytes).map_err(StoreError::unavailable)?);
    let signed = request.presigned(times(now, expires_in_seconds)?).await;
    presigned("PUT", location, store, signed)
}

/// A request that reads one file.
pub async fn get(
    store: &S3,
    location: &ObjectLocation,
    now: Timestamp,
    expires_in_seconds: u64,
) -> Result<Presigned, StoreError> {
    // Only PRIVATE files are read so: no shared cache keeps one, whatever the file was stored with.
    let request = store
        .link_signer
        .get_object()
        .bucket(&location.bucket)
        .key(&location.key)
        .response_cache_control(format!("private, max-age={expires_in_seconds}"));
    let signed = request.presigned(times(now, expires_in_seconds)?).await;
    presigned("GET", location, store, signed)
}

/// From when the request is good, and for how long.
fn times(now: Timestamp, expires_in_seconds: u64) -> Result<PresigningConfig, StoreError> {
    PresigningConfig::builder()
        .start_time(UNIX_EPOCH + Duration::from_secs(now.seconds()))
        .expires_in(Duration::from_secs(expires_in_seconds))
        .build()
        .map_err(StoreError::unavailable)
}

fn presigned<E>(
    method: &'static str,
    location: &ObjectLocation,
    store: &S3,
    signed: Result<PresignedRequest, SdkError<E>>,
) -> Result<Presigned, StoreError>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let signed = signed.map_err(failed("signing a request for", location, store))?;
    let headers = signed
        .headers()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .filter(|(name, _)| !DERIVED.contains(&name.as_str()))
        .collect();
    Ok(Presigned { method, url: signed.uri().to_owned(), headers })
}
