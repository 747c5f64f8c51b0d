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
use super::owner::{self, AccountId, By, Expected};
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
    /// The account that all buckets must be of. `None`: that of the credentials, where S3 is AWS's; else it isn't
    /// known.
    pub owner: Option<AccountId>,
    /// Which trace a request belongs to.
    pub trace: Arc<dyn CurrentTrace>,
}

/// S3. Cheap to clone.
#[derive(Clone)]
pub struct S3 {
    /// What asks.
    pub(super) client: Client,
    /// What makes buckets: a bucket that is made is the caller's own, so nothing is said of its owner.
    pub(super) maker: Client,
    /// What signs for others. It never asks.
    pub(super) signer: Client,
    /// The same for links, which are followed without headers.
    pub(super) link_signer: Client,
    pub(super) patience: Patience,
    pub(super) copy_part_bytes: u64,
    owner: Option<AccountId>,
    /// Which buckets keep versions.
    pub(super) versioned: Arc<KnownBuckets>,
    config: SdkConfig,
}

impl S3 {
    /// Makes a client. Asks S3 for nothing yet: what is missing shows at the first call. STS is asked whose the
    /// credentials are, where the options name no owner of the buckets and S3 is AWS's.
    ///
    /// # Errors
    /// Where no region is known, or the owner isn't.
    pub async fn connect(mut options: S3Options) -> Result<Self, ConnectError> {
        let config = aws::loader(&options.patience, options.region.as_deref()).load().await;
        check_region(&config)?;
        if options.owner.is_none() {
            let found = owner::find(&config, options.endpoint.as_deref(), &options.patience).await;
            options.owner = found.map_err(ConnectError::NoOwner)?;
        }
        Self::of(config, options)
    }

    /// Makes a client with credentials that are found already. Asks for nothing: where the options name no owner of
    /// the buckets, none is expected.
    ///
    /// # Errors
    /// Where no region is known.
    pub fn of(config: SdkConfig, options: S3Options) -> Result<Self, ConnectError> {
        check_region(&config)?;
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
        let maker = settings(options.endpoint.as_ref()).interceptor(Traced(options.trace));
        let signing = settings(options.public_endpoint.as_ref().or(options.endpoint.as_ref()));
        let (mut asking, mut signer, mut link_signer) = (maker.clone(), signing.clone(), signing);
        if let Some(owner) = &options.owner {
            asking = asking.interceptor(Expected { owner: owner.clone(), by: By::Headers });
            signer = signer.interceptor(Expected { owner: owner.clone(), by: By::Headers });
            link_signer = link_signer.interceptor(Expected { owner: owner.clone(), by: By::Query });
        }
        Ok(Self {
            client: Client::from_conf(asking.build()),
            maker: Client::from_conf(maker.build()),
            signer: Client::from_conf(signer.build()),
            link_signer: Client::from_conf(link_signer.build()),
            owner: options.owner,
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

    /// The account that all buckets must be of; `None` where it isn't known and isn't checked.
    #[must_use]
    pub fn owner(&self) -> Option<&AccountId> {
        self.owner.as_ref()
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

fn check_region(config: &SdkConfig) -> Result<(), ConnectError> {
    let none = config.region().is_none_or(|region| region.as_ref().is_empty());
    if none { Err(ConnectError::NoRegion) } else { Ok(()) }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No region is known.
    #[error("no AWS region is set; set it here, or AWS_REGION")]
    NoRegion,
    /// It isn't known whose the buckets are to be.
    #[error(
        "is needed, as STS doesn't say whose the credentials are ({0}): the id of the account that the buckets are of, \
         such as \"111122223333\". Without it Signet could send files to a bucket that a stranger has made"
    )]
    NoOwner(String),
}
