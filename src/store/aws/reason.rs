//! What the SDK says, in one line.

use std::error::Error;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_s3::config::ProvideCredentials;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

/// How long it may take to find out that there are no credentials.
const CREDENTIALS_TIME: Duration = Duration::from_secs(5);

/// What is needed where there are no credentials.
const NEEDED: &str = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role";

/// Why a call has failed.
pub fn of<E>(error: &SdkError<E>, limit: Duration) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(answer) => of_answer(answer.err(), answer.raw().status().as_u16()),
        SdkError::TimeoutError(_) => no_answer(limit),
        other => chain(other),
    }
}

/// What the service has answered: its code and its words, or the status where there is neither.
pub fn of_answer(answer: &impl ProvideErrorMetadata, status: u16) -> String {
    match (answer.code(), answer.message()) {
        (Some(code), Some(message)) => one_line(&format!("{code}: {message}")),
        (Some(code), None) => one_line(code),
        (None, _) => format!("status {status}"),
    }
}

/// That nothing was answered in time.
pub fn no_answer(limit: Duration) -> String {
    format!("no answer within {} s", limit.as_secs())
}

/// Why there are no credentials, where there are none.
pub async fn without_credentials(config: &SdkConfig) -> Option<String> {
    let Some(provider) = config.credentials_provider() else {
        return Some(format!("there are no AWS credentials; {NEEDED}"));
    };
    match tokio::time::timeout(CREDENTIALS_TIME, provider.provide_credentials()).await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => {
            let why = chain(&error);
            // Then it lists every place that it looked at, which tells nothing more.
            let nowhere = why.contains("no credentials found in chain");
            let why = if nowhere { String::new() } else { format!(" ({why})") };
            Some(format!("there are no AWS credentials{why}; {NEEDED}"))
        }
        Err(_) => Some(format!("no AWS credentials come within {} s; {NEEDED}", CREDENTIALS_TIME.as_secs())),
    }
}

/// An error and what caused it, each once.
pub fn chain(error: &dyn Error) -> String {
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
