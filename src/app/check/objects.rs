//! S3: are there credentials, is the bucket there?

use super::super::StartError;
use super::super::objects::s3;
use crate::config::Settings;

/// A line of the report; `None` where files lie in the embedded store.
///
/// # Errors
/// Why files can't be had.
pub(super) async fn report(
    settings: &Settings,
    one_bucket: &Option<String>,
) -> Result<Option<String>, StartError> {
    let Some(store) = s3(settings).await? else { return Ok(None) };
    if let Some(why) = store.without_credentials().await {
        return Err(StartError::system("asking S3", why));
    }
    let region = store.region();
    let owner = match store.owner() {
        Some(owner) => format!("buckets of account {owner} alone"),
        None => "whose buckets are isn't checked: store.s3.expected_owner says it".to_owned(),
    };
    let Some(bucket) = one_bucket else {
        let template = &settings.cdn.bucket;
        return Ok(Some(format!(
            "objects     ok  S3, region {region}, credentials found; {owner}; a bucket a tenant, {template}: \
             `signet tenant provision KEY` looks at one"
        )));
    };
    store.check_bucket(bucket).await.map_err(|error| StartError::system("checking the bucket", error))?;
    Ok(Some(format!("objects     ok  S3, region {region}, the bucket {bucket}; {owner}")))
}
