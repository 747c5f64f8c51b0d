//! `signet tenant provision`: a tenant's bucket, as its distribution and its browsers need it.

use std::fmt::Write;

use super::StartError;
use super::objects::s3;
use super::rules::layout;
use crate::config::Settings;
use crate::media::TenantId;
use crate::service::layout::Layout;
use crate::store::s3::provision::{BucketTerms, DistributionArn, State, Step, provision};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ProvisionTerms {
    /// The tenant's slug.
    pub key: String,
    /// The tenant's id, where the bucket's name has it in and the settings don't know the tenant.
    pub id: Option<String>,
    /// The distribution, instead of `cdn.distribution_arn`.
    pub distribution_arn: Option<String>,
    /// Whose pages send uploads, instead of `store.s3.upload_origins`, where there are any.
    pub origins: Vec<String>,
    /// Whether it is done, or only said.
    pub apply: bool,
}

/// What was found and done.
#[derive(Debug)]
pub struct Provisioned {
    /// A report for people.
    pub report: String,
    /// Whether all is as it should be, or would be.
    pub whole: bool,
}

/// Looks at a tenant's bucket, and makes it what it should be where `apply` says so.
///
/// # Errors
/// What is missing or wrong, before anything is asked of S3.
pub async fn provision_tenant(
    settings: &Settings,
    terms: &ProvisionTerms,
) -> Result<Provisioned, StartError> {
    let layout = layout(settings)?;
    let store = s3(settings).await?.ok_or_else(|| {
        StartError::setting("store.objects", "is \"embedded\": only where it is \"s3\" is there a bucket")
    })?;
    let bucket = BucketTerms {
        bucket: bucket_name(settings, &layout, terms)?,
        distribution: distribution(settings, terms)?,
        origins: origins(settings, terms)?,
    };
    if let Some(why) = store.without_credentials().await {
        return Err(StartError::system("asking S3", why));
    }
    let mut report = String::new();
    if layout.one_bucket().is_some() {
        let line = "all tenants share one bucket: nothing is to be made for this one; the bucket itself";
        let _ = writeln!(report, "{line}");
    }
    let steps = provision(&store, &bucket, terms.apply).await;
    for Step { name, state, detail } in &steps {
        let _ = writeln!(report, "{name:<20}  {state:<10}  {detail}");
    }
    if steps.iter().any(|step| step.state == State::Would) {
        let _ = writeln!(report, "nothing was changed; --apply does it");
    }
    let whole = steps.iter().all(|step| step.state != State::Failed);
    Ok(Provisioned { report, whole })
}

fn bucket_name(settings: &Settings, layout: &Layout, terms: &ProvisionTerms) -> Result<String, StartError> {
    let key = &terms.key;
    let slug = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if key.is_empty() || key.len() > 64 || !key.bytes().all(slug) {
        return Err(StartError::setting("KEY", "must be 1 to 64 of a-z 0-9 -"));
    }
    let known = settings.tenants.iter().find(|tenant| tenant.key == *key).map(|tenant| tenant.id.clone());
    let id = terms.id.clone().or(known).map(|id| id.parse::<TenantId>()).transpose();
    let id = id.map_err(|error| StartError::setting("--id", error))?;
    let name = layout.bucket(key, id.as_ref()).ok_or_else(|| {
        let detail =
            format!("is needed: the bucket's name has it in, and no tenant of the settings is {key}");
        StartError::setting("--id", detail)
    })?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    if !(3..=63).contains(&name.len()) || !name.bytes().all(plain) {
        let detail = format!("gives the name {name:?}; a bucket's has 3 to 63 of a-z 0-9 - .");
        return Err(StartError::setting("cdn.bucket", detail));
    }
    Ok(name)
}

fn distribution(settings: &Settings, terms: &ProvisionTerms) -> Result<DistributionArn, StartError> {
    let arn = terms.distribution_arn.as_ref().or(settings.cdn.distribution_arn.as_ref());
    let arn = arn.ok_or_else(|| {
        StartError::setting(
            "cdn.distribution_arn",
            "is needed, or --distribution-arn: who may read the bucket",
        )
    })?;
    arn.parse().map_err(|error| StartError::setting("cdn.distribution_arn", error))
}

fn origins(settings: &Settings, terms: &ProvisionTerms) -> Result<Vec<String>, StartError> {
    let origins = if terms.origins.is_empty() { &settings.store.s3.upload_origins } else { &terms.origins };
    let setting = "store.s3.upload_origins";
    if origins.is_empty() {
        let detail = "is needed, or --origin: whose pages may send uploads, such as https://app.example.com";
        return Err(StartError::setting(setting, detail));
    }
    for origin in origins {
        let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:*".contains(&byte);
        let right = host.is_some_and(|host| {
            !host.is_empty() && host != "*" && host.bytes().all(plain) && host.matches('*').count() < 2
        });
        if !right {
            let detail = format!(
                "{origin:?} must be an origin such as https://app.example.com or https://*.example.com"
            );
            return Err(StartError::setting(setting, detail));
        }
    }
    Ok(origins.clone())
}
