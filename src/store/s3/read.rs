//! What is stored, whole or in part.

use std::collections::HashMap;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::ChecksumMode;
use tokio_util::io::ReaderStream;

use super::S3;
use super::failure::{failed, is_missing, status};
use crate::media::Stored;
use crate::service::ports::{ByteRange, ObjectBody, ObjectLocation, StoreError};

/// How much is handed on at a time, in bytes.
const CHUNK_BYTES: usize = 128 * 1024;
/// The member of an object's metadata that makes it a tombstone.
const TOMBSTONE: &str = "signet-tombstone";
/// Most pages of a list: 1,000 keys are on each.
const MAX_LIST_PAGES: usize = 20;
/// What S3 says a file is where nobody has said anything.
const UNKNOWN_TYPE: &str = "binary/octet-stream";

/// What lies at a place.
#[derive(Debug)]
pub enum Found {
    /// A file.
    File(Stored),
    /// An object that says that nothing may be stored there.
    Tombstone,
    /// Nothing.
    Nothing,
}

/// What is stored there, its checksum included.
pub async fn head(store: &S3, location: &ObjectLocation) -> Result<Option<Stored>, StoreError> {
    Ok(match look(store, location).await? {
        Found::File(stored) => Some(stored),
        Found::Tombstone | Found::Nothing => None,
    })
}

/// What lies there, tombstones told from files.
pub async fn look(store: &S3, location: &ObjectLocation) -> Result<Found, StoreError> {
    look_at_version(store, location, None).await
}

/// The same of a version, or of the latest one.
pub async fn look_at_version(
    store: &S3,
    location: &ObjectLocation,
    version: Option<String>,
) -> Result<Found, StoreError> {
    let call = store.client.head_object().bucket(&location.bucket).key(&location.key);
    let call = call.set_version_id(version);
    match call.checksum_mode(ChecksumMode::Enabled).send().await {
        Ok(found) if is_tombstone(found.metadata()) => Ok(Found::Tombstone),
        Ok(found) => stored_of_head(found).map(Found::File),
        Err(error) if is_missing(&error) => Ok(Found::Nothing),
        Err(error) => Err(failed("looking at", location, store)(error)),
    }
}

/// Puts a tombstone over whatever is there.
pub async fn put_tombstone(store: &S3, location: &ObjectLocation) -> Result<(), StoreError> {
    let call = store.client.put_object().bucket(&location.bucket).key(&location.key);
    let call = call.metadata(TOMBSTONE, "1").cache_control("no-store").content_type(UNKNOWN_TYPE);
    call.send().await.map(drop).map_err(failed("putting a tombstone at", location, store))
}

/// The keys under a prefix.
pub async fn list(store: &S3, bucket: &str, prefix: &str) -> Result<Vec<String>, StoreError> {
    let (mut keys, mut after) = (Vec::new(), None);
    for _ in 0..MAX_LIST_PAGES {
        let call = store.client.list_objects_v2().bucket(bucket).prefix(prefix);
        let page = call.set_continuation_token(after).send().await;
        let page = page.map_err(failed("listing", format!("{bucket}/{prefix}"), store))?;
        keys.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key));
        after = page.next_continuation_token;
        if page.is_truncated != Some(true) || after.is_none() {
            return Ok(keys);
        }
    }
    Err(StoreError::corrupt(format!("{bucket}/{prefix} holds more than {} objects", keys.len())))
}

fn is_tombstone(metadata: Option<&HashMap<String, String>>) -> bool {
    metadata.is_some_and(|metadata| metadata.keys().any(|name| name.eq_ignore_ascii_case(TOMBSTONE)))
}

/// The file, or a part of it.
pub async fn get(
    store: &S3,
    location: &ObjectLocation,
    range: Option<ByteRange>,
) -> Result<Option<ObjectBody>, StoreError> {
    let Some(header) = range.map_or(Some(None), |range| header(range).map(Some)) else {
        return outside(store, location).await;
    };
    let call = store.client.get_object().bucket(&location.bucket).key(&location.key).set_range(header);
    match call.send().await {
        Ok(found) if is_tombstone(found.metadata()) => Ok(None),
        Ok(found) => body(found, range).map(Some),
        Err(error) if status(&error) == Some(416) => outside(store, location).await,
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(failed("reading", location, store)(error)),
    }
}

/// The header of a range; `None` where HTTP has no words for it, because it is empty.
fn header(range: ByteRange) -> Option<String> {
    match range {
        ByteRange::FromTo(first, last) => {
            // Servers count in signed numbers.
            let last = last.min(u64::MAX / 2);
            (first <= last).then(|| format!("bytes={first}-{last}"))
        }
        ByteRange::From(first) => Some(format!("bytes={first}-")),
        ByteRange::Last(count) => (count > 0).then(|| format!("bytes=-{}", count.min(u64::MAX / 2))),
    }
}

/// The answer to a range that isn't in the file.
async fn outside(store: &S3, location: &ObjectLocation) -> Result<Option<ObjectBody>, StoreError> {
    let stored = head(store, location).await?;
    Ok(stored.map(|stored| ObjectBody {
        stored,
        range: None,
        bytes: Box::pin(futures_util::stream::empty()),
    }))
}

fn body(found: GetObjectOutput, range: Option<ByteRange>) -> Result<ObjectBody, StoreError> {
    let length = size(found.content_length)?;
    let (part, size_bytes) = match (range, &found.content_range) {
        (None, _) => (None, length),
        (Some(_), Some(text)) => parse_content_range(text)
            .map(|(part, total)| (Some(part), total))
            .ok_or_else(|| StoreError::corrupt(format!("S3 answers the range {text:?}")))?,
        // The server has sent all of it.
        (Some(_), None) => (None, length),
    };
    let stored = Stored {
        size_bytes,
        content_type: found.content_type.unwrap_or_else(|| UNKNOWN_TYPE.to_owned()),
        sha256: whole(found.checksum_sha256),
        etag: quoted(found.e_tag),
    };
    let reader = found.body.into_async_read();
    let bytes = Box::pin(ReaderStream::with_capacity(reader, CHUNK_BYTES));
    Ok(ObjectBody { stored, range: part, bytes })
}

fn stored_of_head(found: HeadObjectOutput) -> Result<Stored, StoreError> {
    Ok(Stored {
        size_bytes: size(found.content_length)?,
        content_type: found.content_type.unwrap_or_else(|| UNKNOWN_TYPE.to_owned()),
        sha256: whole(found.checksum_sha256),
        etag: quoted(found.e_tag),
    })
}

fn size(length: Option<i64>) -> Result<u64, StoreError> {
    length
        .and_then(|length| u64::try_from(length).ok())
        .ok_or_else(|| StoreError::corrupt("S3 answers without a length"))
}

/// The checksum of the content. What S3 has of a file that was put together of parts is one of the parts'
/// checksums, and ends in their number.
fn whole(sha256: Option<String>) -> Option<String> {
    sha256.filter(|text| !text.contains('-'))
}

/// An entity tag with its quotes, which not every server sends.
pub(super) fn quoted(etag: Option<String>) -> String {
    let etag = etag.unwrap_or_default();
    if etag.starts_with('"') { etag } else { format!("\"{etag}\"") }
}

/// First, last and all of `bytes 5-9/10`.
fn parse_content_range(text: &str) -> Option<((u64, u64), u64)> {
    let (part, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = part.split_once('-')?;
    Some(((first.parse().ok()?, last.parse().ok()?), total.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_becomes_its_header() {
        for (range, expected) in [
            (ByteRange::FromTo(0, 9), Some("bytes=0-9")),
            (ByteRange::From(3), Some("bytes=3-")),
            (ByteRange::Last(7), Some("bytes=-7")),
            (ByteRange::FromTo(5, 4), None),
            (ByteRange::Last(0), None),
        ] {
            assert_eq!(header(range).as_deref(), expected);
        }
        assert_eq!(parse_content_range("bytes 5-9/10"), Some(((5, 9), 10)));
        for text in ["bytes */10", "5-9/10", "bytes 5-9/*", "bytes -1-9/10", ""] {
            assert_eq!(parse_content_range(text), None, "{text}");
        }
    }

    #[test]
    fn a_checksum_of_parts_is_no_checksum_of_the_file() {
        let whole_file = "ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs=";
        assert_eq!(whole(Some(whole_file.into())).as_deref(), Some(whole_file));
        assert_eq!(whole(Some(format!("{whole_file}-3"))), None);
        assert_eq!(quoted(Some("abc".into())), "\"abc\"");
        assert_eq!(quoted(Some("\"abc-2\"".into())), "\"abc-2\"");
    }
}
