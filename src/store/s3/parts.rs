//! Files that come in parts.
//!
//! - What is to be put together is looked at first: S3 says that a part is wrong, but not which.
//! - Nothing is replaced: S3 completes under the condition that nothing is there. A server that doesn't know
//!   the condition is asked what is there just before.
//! - An upload that isn't there any more was completed or given up. Completing it once more tells for a while;
//!   after that, a file that was put together of as many parts is taken for its.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::complete_multipart_upload::CompleteMultipartUploadError;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Part};

use super::S3;
use super::failure::{failed, status};
use super::read::{Found, head, look, quoted};
use crate::media::{ContentType, MAX_PARTS, MIN_PART_BYTES};
use crate::service::ports::{Completion, ObjectLocation, PartTag, PartsId, StoreError, StoredPart};

/// Most pages of parts: 1,000 are on each, and some servers list a part as often as it was sent.
const MAX_PAGES: usize = 100;
/// How servers say that there is no such upload; the second one of an id that can't be one of this key's.
const NO_SUCH_UPLOAD: [&str; 2] = ["NoSuchUpload", "InvalidRequest"];

/// Begins an upload.
pub async fn begin(
    store: &S3,
    location: &ObjectLocation,
    content_type: &ContentType,
) -> Result<PartsId, StoreError> {
    let call = store.client.create_multipart_upload().bucket(&location.bucket).key(&location.key);
    let begun = call.content_type(content_type.as_str()).send().await;
    let begun = begun.map_err(failed("beginning an upload to", location, store))?;
    let id = begun.upload_id.ok_or_else(|| StoreError::corrupt("S3 gives an upload no id"))?;
    Ok(PartsId::new(id))
}

/// The parts that are there, ascending, each number once.
pub async fn list(
    store: &S3,
    location: &ObjectLocation,
    upload: &PartsId,
) -> Result<Option<Vec<StoredPart>>, StoreError> {
    let Some(mut listed) = listed(store, location, upload).await? else { return Ok(None) };
    listed.dedup_by_key(|part| part.stored.number);
    Ok(Some(listed.into_iter().map(|part| part.stored).collect()))
}

/// Puts the parts together.
pub async fn complete(
    store: &S3,
    location: &ObjectLocation,
    upload: &PartsId,
    parts: &[PartTag],
) -> Result<Completion, StoreError> {
    let Some(listed) = listed(store, location, upload).await? else {
        return ended(store, location, upload, parts).await;
    };
    // What is there already is said before which part is wrong: it can't be helped.
    if !matches!(look(store, location).await?, Found::Nothing) {
        return outrun(store, location, upload, parts).await;
    }
    if let Some(wrong) = wrong(&listed, parts) {
        return Ok(Completion::WrongParts(wrong));
    }
    match put_together(store, location, upload, parts, true).await {
        Ok(()) => Ok(Completion::Done),
        Err(error) if status(&error) == Some(412) => outrun(store, location, upload, parts).await,
        Err(error) if is(&error, &NO_SUCH_UPLOAD) => ended(store, location, upload, parts).await,
        Err(error) if is(&error, &["InvalidPart", "InvalidPartOrder", "EntityTooSmall"]) => {
            let message = error.as_service_error().and_then(ProvideErrorMetadata::message);
            Ok(Completion::WrongParts(message.unwrap_or("a part isn't there any more").to_owned()))
        }
        // The server doesn't know the condition, and nothing was there a moment ago.
        Err(error) if status(&error) == Some(501) => {
            let done = put_together(store, location, upload, parts, false).await;
            done.map(|()| Completion::Done).map_err(failed("completing", location, store))
        }
        Err(error) => Err(failed("completing", location, store)(error)),
    }
}

/// Forgets an upload and its parts.
pub async fn abort(store: &S3, location: &ObjectLocation, upload: &PartsId) -> Result<(), StoreError> {
    if upload.as_str().is_empty() {
        return Ok(());
    }
    let call = store.client.abort_multipart_upload().bucket(&location.bucket).key(&location.key);
    match call.upload_id(upload.as_str()).send().await {
        Ok(_) => Ok(()),
        Err(error) if is(&error, &NO_SUCH_UPLOAD) => Ok(()),
        Err(error) => Err(failed("giving up an upload to", location, store)(error)),
    }
}

/// What became of an upload where something is stored already: by somebody else, or by a call that has
/// completed this very upload meanwhile.
async fn outrun(
    store: &S3,
    location: &ObjectLocation,
    upload: &PartsId,
    parts: &[PartTag],
) -> Result<Completion, StoreError> {
    match listed(store, location, upload).await? {
        Some(_) => Ok(Completion::Exists),
        None => ended(store, location, upload, parts).await,
    }
}

/// What became of an upload that isn't there any more. It can't come back, so that the condition isn't needed.
async fn ended(
    store: &S3,
    location: &ObjectLocation,
    upload: &PartsId,
    parts: &[PartTag],
) -> Result<Completion, StoreError> {
    let Some(stored) = head(store, location).await? else { return Ok(Completion::Unknown) };
    if stored.etag.trim_matches('"').ends_with(&format!("-{}", parts.len())) {
        return Ok(Completion::Done);
    }
    if upload.as_str().is_empty() || parts.is_empty() {
        return Ok(Completion::Unknown);
    }
    match put_together(store, location, upload, parts, false).await {
        Ok(()) => Ok(Completion::Done),
        Err(error) if status(&error).is_some_and(|status| (400..500).contains(&status)) => {
            Ok(Completion::Unknown)
        }
        Err(error) => Err(failed("completing", location, store)(error)),
    }
}

async fn put_together(
    store: &S3,
    location: &ObjectLocation,
    upload: &PartsId,
    parts: &[PartTag],
    only_new: bool,
) -> Result<(), SdkError<CompleteMultipartUploadError>> {
    let part = |part: &PartTag| {
        CompletedPart::builder()
            .part_number(part.number.into())
            .e_tag(quoted(Some(part.etag.clone())))
            .build()
    };
    let parts = parts.iter().map(part).collect();
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let call = store.client.complete_multipart_upload().bucket(&location.bucket).key(&location.key);
    let call = call.upload_id(upload.as_str()).multipart_upload(parts);
    let call = call.set_if_none_match(only_new.then(|| "*".to_owned()));
    call.customize().config_override(store.unhurried()).send().await.map(drop)
}

/// A part in a list.
struct Listed {
    stored: StoredPart,
    /// Whether another of its number came later.
    stale: bool,
}

/// All parts, those of one number beside each other, the last that came first. `None` where there is no such
/// upload.
async fn listed(
    store: &S3,
    location: &ObjectLocation,
    upload: &PartsId,
) -> Result<Option<Vec<Listed>>, StoreError> {
    if upload.as_str().is_empty() {
        return Ok(None);
    }
    let mut all: Vec<Part> = Vec::new();
    let mut marker = None;
    for _ in 0..MAX_PAGES {
        let call = store.client.list_parts().bucket(&location.bucket).key(&location.key);
        let page = match call.upload_id(upload.as_str()).set_part_number_marker(marker).send().await {
            Ok(page) => page,
            Err(error) if is(&error, &NO_SUCH_UPLOAD) => return Ok(None),
            Err(error) => return Err(failed("listing the parts of", location, store)(error)),
        };
        let more = page.is_truncated == Some(true);
        all.extend(page.parts.unwrap_or_default());
        marker = page.next_part_number_marker;
        if !more || marker.is_none() {
            return sorted(all).map(Some);
        }
    }
    Err(StoreError::corrupt("S3 lists more parts than there can be"))
}

fn sorted(parts: Vec<Part>) -> Result<Vec<Listed>, StoreError> {
    let stored = |part: Part| -> Option<(StoredPart, Option<DateTime>)> {
        let number = u16::try_from(part.part_number?).ok()?;
        let size_bytes = u64::try_from(part.size?).ok()?;
        Some((StoredPart { number, size_bytes, etag: quoted(part.e_tag) }, part.last_modified))
    };
    let parts: Option<Vec<_>> = parts.into_iter().map(stored).collect();
    let mut parts = parts.ok_or_else(|| StoreError::corrupt("S3 lists a part without number or size"))?;
    parts.sort_by(|(one, at), (other, other_at)| one.number.cmp(&other.number).then(other_at.cmp(at)));
    let mut newest: Option<(u16, Option<DateTime>)> = None;
    let listed = parts.into_iter().map(|(stored, at)| {
        // Times are of whole seconds: those of the same one can't be told apart.
        let stale = newest.is_some_and(|(number, newest)| number == stored.number && newest != at);
        if !stale {
            newest = Some((stored.number, at));
        }
        Listed { stored, stale }
    });
    Ok(listed.collect())
}

/// Which part can't stand where it does, and why.
fn wrong(listed: &[Listed], tags: &[PartTag]) -> Option<String> {
    if tags.is_empty() || tags.len() > usize::from(MAX_PARTS) {
        return Some(format!("a file has 1 to {MAX_PARTS} parts"));
    }
    let mut before = 0;
    for (index, tag) in tags.iter().enumerate() {
        let number = tag.number;
        if number <= before {
            return Some(format!("part {number} stands after part {before}"));
        }
        before = number;
        let mut of_number =
            listed.iter().filter(|part| part.stored.number == number && !part.stale).peekable();
        if of_number.peek().is_none() {
            return Some(format!("part {number} isn't there"));
        }
        let Some(found) = of_number.find(|part| tag.is(&part.stored.etag)) else {
            return Some(format!("part {number} has another ETag"));
        };
        let has = found.stored.size_bytes;
        if index + 1 < tags.len() && has < MIN_PART_BYTES {
            return Some(format!(
                "part {number} has {has} bytes; all but the last need at least {MIN_PART_BYTES}"
            ));
        }
    }
    None
}

/// Whether S3 answers with one of these codes.
fn is<E: ProvideErrorMetadata>(error: &SdkError<E>, codes: &[&str]) -> bool {
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    code.is_some_and(|code| codes.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(number: i32, size: i64, etag: &str, at: i64) -> Part {
        Part::builder()
            .part_number(number)
            .size(size)
            .e_tag(etag)
            .last_modified(DateTime::from_secs(at))
            .build()
    }

    fn tag(number: u16, etag: &str) -> PartTag {
        PartTag { number, etag: etag.into() }
    }

    #[test]
    fn of_a_part_that_was_sent_again_the_last_counts() {
        let big = i64::try_from(MIN_PART_BYTES).unwrap();
        let listed = sorted(vec![
            part(2, 7, "\"c\"", 1),
            part(1, big, "\"old\"", 1),
            part(1, big, "\"new\"", 3),
            part(1, big, "\"as new\"", 3),
        ])
        .unwrap();
        let order: Vec<_> = listed.iter().map(|part| (part.stored.etag.as_str(), part.stale)).collect();
        assert_eq!(order, [("\"new\"", false), ("\"as new\"", false), ("\"old\"", true), ("\"c\"", false)]);
        for (parts, expected) in [
            (vec![tag(1, "new"), tag(2, "c")], None),
            (vec![tag(1, "\"as new\""), tag(2, "c")], None),
            (vec![tag(1, "old"), tag(2, "c")], Some("part 1 has another ETag")),
            (vec![tag(1, "new"), tag(3, "c")], Some("part 3 isn't there")),
            (
                vec![tag(2, "c"), tag(1, "new")],
                Some("part 2 has 7 bytes; all but the last need at least 5242880"),
            ),
            (vec![tag(1, "new"), tag(1, "new")], Some("part 1 stands after part 1")),
            (vec![], Some("a file has 1 to 10000 parts")),
        ] {
            assert_eq!(wrong(&listed, &parts).as_deref(), expected);
        }
        assert!(sorted(vec![Part::builder().build()]).is_err());
    }
}
