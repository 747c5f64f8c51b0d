//! Buckets that keep versions: what is removed there stays, under a marker, until its versions are removed as well.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_s3::types::BucketVersioningStatus;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::S3;
use super::failure::{failed, status};
use crate::service::ports::{ObjectLocation, StoreError};

/// How long what a bucket has said is good.
const FRESH: Duration = Duration::from_secs(300);
/// Most pages of versions: 1,000 are on each.
const MAX_PAGES: usize = 100;
/// Versions that are removed at the same time.
const AT_ONCE: usize = 8;

/// Which buckets keep versions, and since when that is known.
pub type KnownBuckets = Mutex<HashMap<String, (Instant, bool)>>;

/// Removes all versions and markers under a prefix, where the bucket keeps any.
pub async fn remove(store: &S3, bucket: &str, prefix: &str) -> Result<(), StoreError> {
    if !keeps_versions(store, bucket).await? {
        return Ok(());
    }
    let place = format!("{bucket}/{prefix}");
    let (mut key_marker, mut version_marker) = (None, None);
    for _ in 0..MAX_PAGES {
        let call = store.client.list_object_versions().bucket(bucket).prefix(prefix);
        let call = call.set_key_marker(key_marker).set_version_id_marker(version_marker);
        let page = call.send().await.map_err(failed("listing the versions of", &place, store))?;
        let versions =
            page.versions.unwrap_or_default().into_iter().map(|found| (found.key, found.version_id));
        let markers =
            page.delete_markers.unwrap_or_default().into_iter().map(|found| (found.key, found.version_id));
        let all: Vec<_> = versions.chain(markers).collect();
        let removals = all.into_iter().map(|(key, version)| remove_one(store, bucket, key, version));
        stream::iter(removals).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        (key_marker, version_marker) = (page.next_key_marker, page.next_version_id_marker);
        if page.is_truncated != Some(true) || key_marker.is_none() {
            return Ok(());
        }
    }
    Err(StoreError::unavailable(format!("{place} has very many versions: some are left for the next time")))
}

async fn remove_one(
    store: &S3,
    bucket: &str,
    key: Option<String>,
    version: Option<String>,
) -> Result<(), StoreError> {
    let location = ObjectLocation { bucket: bucket.to_owned(), key: key.unwrap_or_default() };
    let call = store.client.delete_object().bucket(bucket).key(&location.key).set_version_id(version);
    call.send().await.map(drop).map_err(failed("removing a version of", location, store))
}

/// Whether a bucket keeps versions, or did once: then some may be left.
async fn keeps_versions(store: &S3, bucket: &str) -> Result<bool, StoreError> {
    let known = store.versioned.lock().unwrap_or_else(PoisonError::into_inner).get(bucket).copied();
    if let Some((since, keeps)) = known
        && since.elapsed() < FRESH
    {
        return Ok(keeps);
    }
    let keeps = match store.client.get_bucket_versioning().bucket(bucket).send().await {
        Ok(answer) => {
            matches!(answer.status, Some(BucketVersioningStatus::Enabled | BucketVersioningStatus::Suspended))
        }
        Err(error) if status(&error) == Some(403) => {
            if known.is_none() {
                tracing::warn!(
                    bucket,
                    "whether the bucket keeps versions can't be asked without s3:GetBucketVersioning: it is taken not to"
                );
            }
            false
        }
        Err(error) => return Err(failed("asking for the versioning of", bucket, store)(error)),
    };
    let mut buckets = store.versioned.lock().unwrap_or_else(PoisonError::into_inner);
    buckets.insert(bucket.to_owned(), (Instant::now(), keeps));
    Ok(keeps)
}
