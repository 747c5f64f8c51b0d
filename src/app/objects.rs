//! Settings → S3, where the bytes of files lie there.

use std::sync::Arc;
use std::time::Duration;

use super::StartError;
use super::rules::check_origin;
use crate::config::{ObjectsSetting, S3Settings, Settings};
use crate::store::aws::Patience;
use crate::store::s3::{ConnectError, S3, S3Options};
use crate::telemetry::traces::Current;

/// How long is waited at most before the second try of a call.
const BACKOFF: Duration = Duration::from_millis(200);
/// How long S3 lets a presigned request live at most, in seconds.
const LONGEST_TICKET: u64 = 604_800;

/// The setting that says whose the buckets are.
const OWNER: &str = "store.s3.expected_owner";

/// S3 by the settings; `None` where files lie in the embedded store. Asks S3 for nothing yet; STS may be asked whose
/// the credentials are.
///
/// # Errors
/// The setting that can't be.
pub async fn s3(settings: &Settings) -> Result<Option<S3>, StartError> {
    if settings.store.objects == ObjectsSetting::Embedded {
        return Ok(None);
    }
    let lives = settings.uploads.ticket_seconds;
    if lives > LONGEST_TICKET {
        let detail = format!("must be at most 604,800 (a week) where objects lie in S3, not {lives}");
        return Err(StartError::setting("uploads.ticket_seconds", detail));
    }
    let options = options(&settings.store.s3)?;
    let connected = S3::connect(options).await;
    connected.map(Some).map_err(|error| match error {
        ConnectError::NoRegion => StartError::setting("store.s3.region", error),
        ConnectError::NoOwner(_) => StartError::setting(OWNER, error),
    })
}

fn options(settings: &S3Settings) -> Result<S3Options, StartError> {
    let origin = |name: &str, value: &Option<String>| {
        value
            .as_ref()
            .map(|text| check_origin(text).map(|()| text.trim_end_matches('/').to_owned()))
            .transpose()
            .map_err(|detail| StartError::setting(format!("store.s3.{name}"), detail))
    };
    let seconds = |name: &str, value: u64| {
        if !(1..=600).contains(&value) {
            let detail = format!("must be 1 to 600 seconds, not {value}");
            return Err(StartError::setting(format!("store.s3.{name}"), detail));
        }
        Ok(Duration::from_secs(value))
    };
    if !(1..=10).contains(&settings.attempts) {
        let detail = format!("must be 1 to 10, not {}", settings.attempts);
        return Err(StartError::setting("store.s3.attempts", detail));
    }
    Ok(S3Options {
        endpoint: origin("endpoint", &settings.endpoint)?,
        public_endpoint: origin("public_endpoint", &settings.public_endpoint)?,
        region: settings.region.clone(),
        path_style: settings.path_style,
        patience: Patience {
            connect: seconds("connect_seconds", settings.connect_seconds)?,
            attempt: seconds("attempt_seconds", settings.attempt_seconds)?,
            operation: seconds("operation_seconds", settings.operation_seconds)?,
            attempts: settings.attempts,
            backoff: BACKOFF,
        },
        copy_part_bytes: None,
        owner: settings
            .expected_owner
            .as_ref()
            .map(|owner| owner.parse())
            .transpose()
            .map_err(|error| StartError::setting(OWNER, error))?,
        trace: Arc::new(Current),
    })
}
