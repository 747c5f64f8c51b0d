//! Buckets that keep versions: what is removed there stays, under a delete marker, until its versions are removed as well.
//!
//! S3 lists versions and markers apart, with times that are rounded to seconds. So the order of a key's versions is known,
//! newest first, but not always where among them a marker belongs.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_s3::operation::get_bucket_versioning::GetBucketVersioningOutput;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{BucketVersioningStatus, MfaDeleteStatus};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::S3;
use super::failure::{failed, status};
use super::read::{Found, look_at_version};
use crate::service::ports::{ObjectLocation, StoreError};

/// How long the answer that a bucket may hold old versions is good.
const FRESH: Duration = Duration::from_secs(300);
/// Most pages of versions: 1,000 are on each.
const MAX_PAGES: usize = 100;
/// Versions that are looked at or removed at the same time.
const AT_ONCE: usize = 8;
/// How far the times of S3's servers may be apart, in seconds, and what is lost by rounding.
const CLOCKS_APART: i64 = 2;

/// Which buckets may hold old versions, and since when that is known.
pub type KnownBuckets = Mutex<HashMap<String, (Instant, bool)>>;

/// A version of an object, or a delete marker.
#[derive(Debug, Clone)]
struct Version {
    key: String,
    id: Option<String>,
    modified: DateTime,
    latest: bool,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Marker,
    /// Only an empty object may be a tombstone.
    Empty,
    File,
}

/// Returns whether a bucket keeps a version of all that is replaced or removed there now. It is asked each time: where
/// versioning has been suspended, a removal destroys.
pub async fn are_kept(store: &S3, bucket: &str) -> Result<bool, StoreError> {
    let Some(answer) = versioning(store, bucket).await? else { return Ok(false) };
    // With MFA delete no program can bring a file back.
    let removable = answer.mfa_delete != Some(MfaDeleteStatus::Enabled);
    Ok(removable && answer.status == Some(BucketVersioningStatus::Enabled))
}

/// Removes all versions and markers under a prefix, where the bucket keeps any.
pub async fn remove(store: &S3, bucket: &str, prefix: &str) -> Result<(), StoreError> {
    if !may_hold_versions(store, bucket).await? {
        return Ok(());
    }
    let mut after = Position::default();
    for _ in 0..MAX_PAGES {
        let (versions, next) = page(store, bucket, prefix, after).await?;
        remove_all(store, bucket, versions).await?;
        let Some(next) = next else { return Ok(()) };
        after = next;
    }
    Err(too_many(bucket, prefix))
}

/// Brings back what is hidden under a prefix since `file` is, and the file at last.
///
/// The time of the deletion is that of the oldest marker or tombstone above the newest version of the file: S3's clock
/// alone counts. What was hidden before stays so. The file comes last, so that this can be repeated.
pub async fn restore(store: &S3, file: &ObjectLocation, prefix: &str) -> Result<(), StoreError> {
    let mut keys = list(store, &file.bucket, prefix).await?;
    let Some(versions) = keys.remove(&file.key) else { return Ok(()) };
    let covers = covers(store, &file.bucket, versions).await?;
    let Some(deleted_at) = oldest(&covers) else { return Ok(()) };
    for versions in keys.into_values() {
        let covers = self::covers(store, &file.bucket, versions).await?;
        if oldest(&covers).is_some_and(|hidden_at| hidden_at >= deleted_at - CLOCKS_APART) {
            remove_all(store, &file.bucket, covers).await?;
        }
    }
    // What is on top keeps uploads out until the file itself does.
    let (top, below): (Vec<_>, Vec<_>) = covers.into_iter().partition(|version| version.latest);
    remove_all(store, &file.bucket, below).await?;
    remove_all(store, &file.bucket, top).await
}

/// Finds the markers and tombstones above the newest file of a key, which hide it. A marker of the same second as that file
/// counts, whichever came first: to remove one that lies under the file changes nothing.
async fn covers(store: &S3, bucket: &str, versions: Vec<Version>) -> Result<Vec<Version>, StoreError> {
    let (mut covers, mut file_at) = (Vec::new(), None);
    let (markers, objects): (Vec<_>, Vec<_>) =
        versions.into_iter().partition(|version| version.kind == Kind::Marker);
    for version in objects {
        if version.kind == Kind::Empty && is_tombstone(store, bucket, &version).await? {
            covers.push(version);
        } else if version.latest {
            return Ok(Vec::new());
        } else {
            file_at = Some(version.modified.secs());
            break;
        }
    }
    covers.extend(markers.into_iter().filter(|marker| file_at.is_none_or(|at| marker.modified.secs() >= at)));
    Ok(covers)
}

/// The time of the oldest cover, in seconds; `None` where nothing is hidden.
fn oldest(covers: &[Version]) -> Option<i64> {
    covers.iter().map(|version| version.modified.secs()).min()
}

async fn is_tombstone(store: &S3, bucket: &str, version: &Version) -> Result<bool, StoreError> {
    let location = ObjectLocation { bucket: bucket.to_owned(), key: version.key.clone() };
    Ok(matches!(look_at_version(store, &location, version.id.clone()).await?, Found::Tombstone))
}

/// All versions under a prefix by their keys; those of a key newest first, and its markers after them.
async fn list(store: &S3, bucket: &str, prefix: &str) -> Result<BTreeMap<String, Vec<Version>>, StoreError> {
    let (mut keys, mut after) = (BTreeMap::<String, Vec<Version>>::new(), Position::default());
    for _ in 0..MAX_PAGES {
        let (versions, next) = page(store, bucket, prefix, after).await?;
        for version in versions {
            keys.entry(version.key.clone()).or_default().push(version);
        }
        let Some(next) = next else { return Ok(keys) };
        after = next;
    }
    Err(too_many(bucket, prefix))
}

/// Where a page of versions begins.
#[derive(Debug, Default)]
struct Position {
    key: Option<String>,
    version: Option<String>,
}

async fn page(
    store: &S3,
    bucket: &str,
    prefix: &str,
    after: Position,
) -> Result<(Vec<Version>, Option<Position>), StoreError> {
    let call = store.client.list_object_versions().bucket(bucket).prefix(prefix);
    let call = call.set_key_marker(after.key).set_version_id_marker(after.version);
    let page = call.send().await;
    let page = page.map_err(failed("listing the versions of", format!("{bucket}/{prefix}"), store))?;
    let version = |key: Option<String>, id, modified: Option<DateTime>, latest, kind| Version {
        key: key.unwrap_or_default(),
        id,
        modified: modified.unwrap_or(DateTime::from_secs(0)),
        latest: latest == Some(true),
        kind,
    };
    let objects = page.versions.unwrap_or_default().into_iter().map(|found| {
        let kind = if found.size == Some(0) { Kind::Empty } else { Kind::File };
        version(found.key, found.version_id, found.last_modified, found.is_latest, kind)
    });
    let markers = page.delete_markers.unwrap_or_default().into_iter().map(|found| {
        version(found.key, found.version_id, found.last_modified, found.is_latest, Kind::Marker)
    });
    let all = objects.chain(markers).collect();
    let next = Position { key: page.next_key_marker, version: page.next_version_id_marker };
    let more = page.is_truncated == Some(true) && next.key.is_some();
    Ok((all, more.then_some(next)))
}

async fn remove_all(store: &S3, bucket: &str, versions: Vec<Version>) -> Result<(), StoreError> {
    let removals = versions.into_iter().map(|version| remove_one(store, bucket, version));
    stream::iter(removals).buffer_unordered(AT_ONCE).try_collect().await
}

async fn remove_one(store: &S3, bucket: &str, version: Version) -> Result<(), StoreError> {
    let location = ObjectLocation { bucket: bucket.to_owned(), key: version.key };
    let call = store.client.delete_object().bucket(bucket).key(&location.key).set_version_id(version.id);
    call.send().await.map(drop).map_err(failed("removing a version of", location, store))
}

fn too_many(bucket: &str, prefix: &str) -> StoreError {
    let most = MAX_PAGES * 1_000;
    StoreError::unavailable(format!("{bucket}/{prefix} has more than {most} versions: remove old ones"))
}

/// Returns whether a bucket keeps versions, or did once: then some may be left.
async fn may_hold_versions(store: &S3, bucket: &str) -> Result<bool, StoreError> {
    let known = store.versioned.lock().unwrap_or_else(PoisonError::into_inner).get(bucket).copied();
    match known {
        Some((since, true)) if since.elapsed() < FRESH => Ok(true),
        // One that held none may do so by now.
        _ => Ok(versioning(store, bucket).await?.is_some_and(|answer| answer.status.is_some())),
    }
}

/// What a bucket says of its versions; `None` where it doesn't.
async fn versioning(store: &S3, bucket: &str) -> Result<Option<GetBucketVersioningOutput>, StoreError> {
    let answer = match store.client.get_bucket_versioning().bucket(bucket).send().await {
        Ok(answer) => Some(answer),
        // There are servers that have no versions, and don't know the question.
        Err(error) if matches!(status(&error), Some(405 | 501)) => None,
        Err(error) if status(&error) == Some(403) => None,
        Err(error) => return Err(failed("asking for the versioning of", bucket, store)(error)),
    };
    let may = answer.as_ref().is_some_and(|answer| answer.status.is_some());
    let mut buckets = store.versioned.lock().unwrap_or_else(PoisonError::into_inner);
    let before = buckets.insert(bucket.to_owned(), (Instant::now(), may));
    if answer.is_none() && before.is_none() {
        tracing::warn!(
            bucket,
            "whether the bucket keeps versions can't be asked without s3:GetBucketVersioning: it is taken not to"
        );
    }
    Ok(answer)
}
