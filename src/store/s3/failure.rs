//! What has failed, in one line.

use std::error::Error;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::super::aws::reason;
use super::S3;
use crate::service::ports::StoreError;

/// A call that has failed.
#[derive(Debug, thiserror::Error)]
#[error("S3, {doing} {place}: {reason}")]
pub struct S3Error {
    doing: &'static str,
    place: String,
    reason: String,
    status: Option<u16>,
    source: Box<dyn Error + Send + Sync>,
}

impl S3Error {
    /// A failure that isn't S3's.
    pub(super) fn of(doing: &'static str, place: &str, source: impl Error + Send + Sync + 'static) -> Self {
        let reason = reason::chain(&source);
        Self { doing, place: place.to_owned(), reason, status: None, source: source.into() }
    }

    /// What S3 or the way to it has said, without what was being done.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The status of S3's answer, where there was one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.status
    }
}

/// Makes the error of a call.
pub(super) fn error<E>(
    doing: &'static str,
    place: impl ToString,
    store: &S3,
) -> impl FnOnce(SdkError<E>) -> S3Error
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    move |error| {
        let status = status(&error);
        let mut reason = reason::of(&error, store.patience.operation);
        if status == Some(403) && reason == "status 403" {
            // HEAD has no body that would say more.
            reason = "access denied (status 403); without s3:ListBucket what isn't there looks so too".into();
        }
        if let Some(owner) = store.owner().filter(|_| status == Some(403)) {
            reason.push_str(&format!(
                "; a bucket of another account than {owner} (store.s3.expected_owner) too"
            ));
        }
        S3Error { doing, place: place.to_string(), reason, status, source: error.into() }
    }
}

/// Makes the error of the port of a call that has failed.
pub(super) fn failed<E>(
    doing: &'static str,
    place: impl ToString,
    store: &S3,
) -> impl FnOnce(SdkError<E>) -> StoreError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let error = error(doing, place, store);
    move |cause| StoreError::unavailable(error(cause))
}

/// The status of S3's answer, where there was one.
pub(super) fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|answer| answer.status().as_u16())
}

/// Whether S3 says that there is no such key. HEAD says so by its status alone.
pub(super) fn is_missing<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    match code {
        Some(code) => matches!(code, "NoSuchKey" | "NotFound"),
        None => status(error) == Some(404),
    }
}
