//! What the services of AWS have in common, by the official SDK.
//!
//! 1. [`loader`]: credentials, region and endpoint as the SDK's own chain finds them: environment
//!    (`AWS_ACCESS_KEY_ID`, `AWS_REGION`, `AWS_ENDPOINT_URL_S3`, …), profile files, web identity, the
//!    container's and the machine's role. SSO and credential processes aren't built in.
//! 2. [`reason`]: what the SDK says, in one line.

pub mod reason;

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region};

/// How long is waited, and how often is tried. A budget that all calls share bounds the second tries.
#[derive(Debug, Clone)]
pub struct Patience {
    /// How long a connection may take to be made.
    pub connect: Duration,
    /// How long one attempt may take, until its answer begins.
    pub attempt: Duration,
    /// How long a call may take with all its attempts, and with getting credentials.
    pub operation: Duration,
    /// How often it is tried.
    pub attempts: u32,
    /// How long is waited at most before the second try; twice as long before the third.
    pub backoff: Duration,
}

impl Patience {
    fn times(&self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.connect)
            .operation_attempt_timeout(self.attempt)
            .operation_timeout(self.operation)
            .build()
    }

    fn retries(&self) -> RetryConfig {
        RetryConfig::standard().with_max_attempts(self.attempts).with_initial_backoff(self.backoff)
    }
}

/// What clients are made of, to be loaded. Asks for no credentials yet: what is missing shows at the first call.
/// `region` wins over the chain's.
#[must_use]
pub fn loader(patience: &Patience, region: Option<&str>) -> ConfigLoader {
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(patience.times())
        .retry_config(patience.retries());
    match region {
        Some(region) => loader.region(Region::new(region.to_owned())),
        None => loader,
    }
}
