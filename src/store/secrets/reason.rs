//! Why a read has failed.

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::error::SdkError;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;

use super::super::aws::reason::{chain, no_answer, of_answer, without_credentials};
use super::READ_TIME;
use crate::service::ports::SecretError;

/// Why a read has failed.
pub(super) async fn of(name: &str, error: &SdkError<GetSecretValueError>, config: &SdkConfig) -> SecretError {
    let name = name.to_owned();
    match error {
        SdkError::ServiceError(answer) if answer.err().is_resource_not_found_exception() => {
            let region = config.region().map(ToString::to_string).unwrap_or_default();
            SecretError::Unknown { name, place: format!("AWS Secrets Manager, region {region}") }
        }
        SdkError::ServiceError(answer) => {
            let reason = of_answer(answer.err(), answer.raw().status().as_u16());
            if answer.raw().status().is_server_error() {
                return SecretError::Unavailable { name, reason };
            }
            SecretError::Refused { name, reason }
        }
        SdkError::TimeoutError(_) => SecretError::Unavailable { name, reason: no_answer(READ_TIME) },
        // Credentials that can't be had look like any other failure to send: so ask for them alone.
        _ => match without_credentials(config).await {
            Some(reason) => SecretError::Unprepared { name, reason },
            None => SecretError::Unavailable { name, reason: chain(error) },
        },
    }
}
