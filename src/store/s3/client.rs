//! How S3 is connected.

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::{RetryPartition, TokenBucket};
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{Builder, RequestChecksumCalculation, ResponseChecksumValidation};

use super::super::aws::reason::without_credentials;
use super::super::aws::{self, Patience};
use super::trace::Traced;
use super::versions::KnownBuckets;
use crate::service::ports::CurrentTrace;

/// The largest part of a copy that is made in parts, unless there would be more than 10,000 of them.
const COPY_PART_BYTES: u64 = 128 * 1024 * 1024;

/// How long putting parts together may take.
const COMPLETION_TIME: Duration = Duration::from_secs(10 * 60);

/// Where S3 is, and how long it is waited for. What isn't set is as the SDK's chain finds it.
#[derive(Debug, Clone)]
pub struct S3Options {
    /// The origin of the service, where it isn't AWS's own.
    pub endpoint: Option<String>,
    /// The origin that clients reach it by, where that is another one.
    pub public_endpoint: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// Whether the bucket stands in the path of URLs instead of the host.
    pub path_style: bool,
    /// How long is waited.
    pub patience: Patience,
    /// Files of more bytes are copied in parts of so many, at least 5 MiB; S3 itself asks for that above
    /// 5 GiB. `None`: 128 MiB, what is copied within one attempt's time.
    pub copy_part_bytes: Option<u64>,
    /// Which trace a request belongs to.
    pub trace: Arc<dyn CurrentTrace>,
}

/// S3. Cheap to clone.
#[derive(Clone)]
pub struct S3 {
    /// What asks.
    pub(super) client: Client,
    /// What signs for others. It never asks.
    pub(super) signer: Client,
    pub(super) patience: Patience,
    pub(super) copy_part_bytes: u64,
    /// Which buckets keep versions.
    pub(super) versioned: Arc<KnownBuckets>,
    config: SdkConfig,
}

impl S3 {
    /// Makes a client. Asks for nothing yet: what is missing shows at the first call.
    ///
    /// # Errors
    /// Where no region is known.
    pub async fn connect(options: S3Options) -> Result<Self, ConnectError> {
        let config = aws::loader(&options.patience, options.region.as_deref()).load().await;
        Self::of(config, options)
    }

    /// Makes a client with credentials that are found already.
    ///
    /// # Errors
    /// Where no region is known.
    pub fn of(config: SdkConfig, options: S3Options) -> Result<Self, ConnectError> {
        if config.region().is_none_or(|region| region.as_ref().is_empty()) {
            return Err(ConnectError::NoRegion);
        }
        let tries = RetryPartition::custom("objects").token_bucket(TokenBucket::builder().build()).build();
        let settings = |endpoint: Option<&String>| {
            let mut settings = Builder::from(&config)
                .force_path_style(options.path_style)
                .timeout_config(options.patience.times())
                .retry_config(options.patience.retries())
                .retry_partition(tries.clone())
                .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
                .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
            if let Some(endpoint) = endpoint {
                settings = settings.endpoint_url(endpoint);
            }
            settings
        };
        let asking = settings(options.endpoint.as_ref()).interceptor(Traced(options.trace));
        let signing = settings(options.public_endpoint.as_ref().or(options.endpoint.as_ref()));
        Ok(Self {
            client: Client::from_conf(asking.build()),
            signer: Client::from_conf(signing.build()),
            patience: options.patience,
            copy_part_bytes: options.copy_part_bytes.unwrap_or(COPY_PART_BYTES),
            versioned: Arc::default(),
            config,
        })
    }

    /// What putting parts together is asked with: S3 may take minutes for it, with all that is one attempt.
    pub(super) fn unhurried(&self) -> Builder {
        let times = TimeoutConfig::builder()
            .connect_timeout(self.patience.connect)
            .operation_attempt_timeout(COMPLETION_TIME)
            .operation_timeout(COMPLETION_TIME);
        Builder::new().timeout_config(times.build())
    }

    /// The region.
    #[must_use]
    pub fn region(&self) -> &str {
        self.config.region().map_or("", |region| region.as_ref())
    }

    /// Why there are no credentials, where there are none.
    pub async fn without_credentials(&self) -> Option<String> {
        without_credentials(&self.config).await
    }

    /// Whether a bucket is there and may be used.
    ///
    /// # Errors
    /// Why it can't be used.
    pub async fn check_bucket(&self, bucket: &str) -> Result<(), super::failure::S3Error> {
        let head = self.client.head_bucket().bucket(bucket).send().await;
        head.map(drop).map_err(super::failure::error("asking for the bucket", bucket, self))
    }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No region is known.
    #[error("no AWS region is set; set it here, or AWS_REGION")]
    NoRegion,
}
