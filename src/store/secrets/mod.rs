//! AWS Secrets Manager, by the official SDK.
//!
//! 1. [`SecretsManager::connect`]: credentials, region and endpoint (`AWS_ENDPOINT_URL_SECRETS_MANAGER`) as
//!    [`super::aws`] finds them.
//! 2. [`SecretSource::read`]: the current version of a secret, its text or its bytes.
//! 3. `reason`: why a read has failed.

mod reason;

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_secretsmanager::Client;

use super::aws::{self, Patience};
use crate::service::ports::{SecretBytes, SecretError, SecretSource};

/// How long a connection may take to be made.
const CONNECT_TIME: Duration = Duration::from_secs(2);
/// How long one attempt may take.
const ATTEMPT_TIME: Duration = Duration::from_secs(3);
/// How long a read may take with all its attempts, and with getting credentials.
const READ_TIME: Duration = Duration::from_secs(8);
/// How often it is tried.
const ATTEMPTS: u32 = 3;
/// How long is waited at most before the second try.
const BACKOFF: Duration = Duration::from_secs(1);

/// Reads secrets of one region.
pub struct SecretsManager {
    client: Client,
    config: aws_config::SdkConfig,
}

impl SecretsManager {
    /// Makes a client. Asks for nothing yet: what is missing shows at the first read.
    pub async fn connect() -> Self {
        let patience = Patience {
            connect: CONNECT_TIME,
            attempt: ATTEMPT_TIME,
            operation: READ_TIME,
            attempts: ATTEMPTS,
            backoff: BACKOFF,
        };
        let config = aws::loader(&patience, None).load().await;
        Self { client: Client::new(&config), config }
    }
}

#[async_trait]
impl SecretSource for SecretsManager {
    async fn read(&self, name: &str) -> Result<SecretBytes, SecretError> {
        if self.config.region().is_none() {
            let reason = "no AWS region is set; set AWS_REGION".to_owned();
            return Err(SecretError::Unprepared { name: name.to_owned(), reason });
        }
        let answer = match self.client.get_secret_value().secret_id(name).send().await {
            Ok(answer) => answer,
            Err(error) => return Err(reason::of(name, &error, &self.config).await),
        };
        match (answer.secret_string, answer.secret_binary) {
            (Some(text), _) => Ok(SecretBytes::new(text.into_bytes())),
            (None, Some(bytes)) => Ok(SecretBytes::new(bytes.into_inner())),
            (None, None) => {
                let reason = "it has no value".to_owned();
                Err(SecretError::Refused { name: name.to_owned(), reason })
            }
        }
    }
}
