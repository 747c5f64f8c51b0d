//! From place to place within S3: no byte comes here.
//!
//! - A file of up to [`S3Options::copy_part_bytes`](super::S3Options::copy_part_bytes) is copied by one call.
//! - A larger one is copied in parts, several at a time, each within one attempt's time; nothing is to be seen
//!   at the new place before all of them are there, and nothing is left of them where one fails. All are parts
//!   of the same file: its entity tag is the condition of each.

use aws_sdk_s3::operation::create_multipart_upload::CreateMultipartUploadOutput;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use futures_util::{StreamExt, TryStreamExt, stream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::S3;
use super::failure::{failed, is_missing};
use super::read::head;
use crate::media::Stored;
use crate::service::ports::{ObjectLocation, StoreError};

/// Parts that are copied at the same time.
const AT_ONCE: usize = 4;
/// Most parts of a file, by S3's rules.
const MAX_PARTS: u64 = 10_000;
/// What needs no encoding in the header that names the source.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Copies a file over whatever is at `to`, with its type. `false` where nothing is at `from`.
pub async fn copy(store: &S3, from: &ObjectLocation, to: &ObjectLocation) -> Result<bool, StoreError> {
    let Some(stored) = head(store, from).await? else { return Ok(false) };
    if from == to {
        // S3 refuses a copy that changes nothing.
        return Ok(true);
    }
    if stored.size_bytes > store.copy_part_bytes {
        return in_parts(store, from, to, &stored).await;
    }
    let call = store.client.copy_object().copy_source(source(from)).bucket(&to.bucket).key(&to.key);
    match call.send().await {
        Ok(_) => Ok(true),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(failed("copying to", to, store)(error)),
    }
}

async fn in_parts(
    store: &S3,
    from: &ObjectLocation,
    to: &ObjectLocation,
    stored: &Stored,
) -> Result<bool, StoreError> {
    let call = store.client.create_multipart_upload().bucket(&to.bucket).key(&to.key);
    let upload = call.content_type(&stored.content_type).send().await;
    let upload = upload.map_err(failed("copying to", to, store))?;
    let done = fill(store, from, to, stored, &upload).await;
    if done.is_err() {
        let abort = store.client.abort_multipart_upload().bucket(&to.bucket).key(&to.key);
        // What can't be removed is for the bucket's lifecycle rule; the first failure is what counts.
        drop(abort.set_upload_id(upload.upload_id).send().await);
    }
    done.map(|()| true)
}

async fn fill(
    store: &S3,
    from: &ObjectLocation,
    to: &ObjectLocation,
    stored: &Stored,
    upload: &CreateMultipartUploadOutput,
) -> Result<(), StoreError> {
    let part = async |(number, (first, last)): (i32, (u64, u64))| {
        let call = store.client.upload_part_copy().bucket(&to.bucket).key(&to.key);
        let call = call.set_upload_id(upload.upload_id.clone()).part_number(number);
        let call = call.copy_source(source(from)).copy_source_if_match(&stored.etag);
        let copied = call.copy_source_range(format!("bytes={first}-{last}")).send().await;
        let copied = copied.map_err(failed("copying a part to", to, store))?;
        let etag = copied.copy_part_result.and_then(|part| part.e_tag);
        Ok::<_, StoreError>(CompletedPart::builder().part_number(number).set_e_tag(etag).build())
    };
    let parts = (1..).zip(ranges(stored.size_bytes, store.copy_part_bytes));
    let parts: Vec<CompletedPart> = stream::iter(parts).map(part).buffered(AT_ONCE).try_collect().await?;
    let call = store.client.complete_multipart_upload().bucket(&to.bucket).key(&to.key);
    let call = call.set_upload_id(upload.upload_id.clone());
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let done = call.multipart_upload(parts).send().await;
    done.map(drop).map_err(failed("completing the copy to", to, store))
}

/// First and last byte of each part of a file.
fn ranges(size_bytes: u64, part_bytes: u64) -> impl Iterator<Item = (u64, u64)> {
    let part_bytes = part_bytes.max(size_bytes.div_ceil(MAX_PARTS)).max(1);
    (0..size_bytes.div_ceil(part_bytes)).map(move |number| {
        let first = number * part_bytes;
        (first, (first + part_bytes).min(size_bytes) - 1)
    })
}

/// The header that names what is copied.
fn source(from: &ObjectLocation) -> String {
    format!("{}/{}", from.bucket, utf8_percent_encode(&from.key, PLAIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_a_file_without_gaps_and_are_never_too_many() {
        let collect = |size, part| ranges(size, part).collect::<Vec<_>>();
        assert_eq!(collect(10, 4), [(0, 3), (4, 7), (8, 9)]);
        assert_eq!(collect(8, 4), [(0, 3), (4, 7)]);
        for size in [5 << 40, (5 << 40) - 1, 10_000 * (128 << 20) + 1] {
            let parts = collect(size, 128 << 20);
            assert!(parts.len() <= 10_000, "{}", parts.len());
            assert_eq!((parts[0].0, parts[parts.len() - 1].1), (0, size - 1));
            assert!(parts.windows(2).all(|two| two[0].1 + 1 == two[1].0));
        }
    }

    #[test]
    fn the_source_of_a_copy_is_encoded() {
        let from = ObjectLocation { bucket: "b".into(), key: "a b/ü+c%2f?.png".into() };
        assert_eq!(source(&from), "b/a%20b/%C3%BC%2Bc%252f%3F.png");
    }
}
