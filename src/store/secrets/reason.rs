//! What the SDK says, in one line.

use std::error::Error;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::config::ProvideCredentials;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;

use super::READ_TIME;
use crate::service::ports::SecretError;

/// How long it may take to find out that there are no credentials.
const CREDENTIALS_TIME: Duration = Duration::from_secs(5);

/// Why a read has failed.
pub(super) async fn of(name: &str, error: &SdkError<GetSecretValueError>, config: &SdkConfig) -> SecretError {
    let name = name.to_owned();
    match error {
        SdkError::ServiceError(answer) if answer.err().is_resource_not_found_exception() => {
            let region = config.region().map(ToString::to_string).unwrap_or_default();
            SecretError::Unknown { name, place: format!("AWS Secrets Manager, region {region}") }
        }
        SdkError::ServiceError(answer) => {
            let code = answer.err().code().unwrap_or("an error without a code");
            let reason = match answer.err().message() {
                Some(message) => format!("{code}: {message}"),
                None => code.to_owned(),
            };
            let reason = one_line(&reason);
            if answer.raw().status().is_server_error() {
                return SecretError::Unavailable { name, reason };
            }
            SecretError::Refused { name, reason }
        }
        SdkError::TimeoutError(_) => {
            let reason = format!("no answer within {} s", READ_TIME.as_secs());
            SecretError::Unavailable { name, reason }
        }
        // Credentials that can't be had look like any other failure to send: so ask for them alone.
        _ => match without_credentials(config).await {
            Some(reason) => SecretError::Unprepared { name, reason },
            None => SecretError::Unavailable { name, reason: chain(error) },
        },
    }
}

/// Why there are no credentials, where there are none.
async fn without_credentials(config: &SdkConfig) -> Option<String> {
    let needed = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role";
    let Some(provider) = config.credentials_provider() else {
        return Some(format!("there are no AWS credentials; {needed}"));
    };
    match tokio::time::timeout(CREDENTIALS_TIME, provider.provide_credentials()).await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => {
            let why = chain(&error);
            // Then it lists every place that it looked at, which tells nothing more.
            let nowhere = why.contains("no credentials found in chain");
            let why = if nowhere { String::new() } else { format!(" ({why})") };
            Some(format!("there are no AWS credentials{why}; {needed}"))
        }
        Err(_) => Some(format!("no AWS credentials come within {} s; {needed}", CREDENTIALS_TIME.as_secs())),
    }
}

/// An error and what caused it, each once.
fn chain(error: &dyn Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = one_line(&error.to_string());
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        next = error.source();
    }
    parts.join(": ")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
