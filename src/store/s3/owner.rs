//! The owner of buckets. Bucket names are global and can be guessed, and the first account to create one owns it. So
//! each request says whose bucket it is meant for, and S3 refuses it where that isn't so.
//!
//! 1. [`AccountId`]: an AWS account.
//! 2. [`find`]: the account of the credentials, where the settings name none.
//! 3. [`Expected`]: puts it into each request before it is signed, so that none can be forgotten.

use std::fmt;
use std::str::FromStr;

use aws_config::SdkConfig;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_types::service_config::ServiceConfigKey;

use super::super::aws::{Patience, reason};

/// Names the owner of the bucket. S3 takes it from the query too, where it is written in lower case.
const OWNER: &str = "x-amz-expected-bucket-owner";
/// Names the owner of the bucket that is copied from.
const SOURCE_OWNER: &str = "x-amz-source-expected-bucket-owner";
/// Says what is copied.
const SOURCE: &str = "x-amz-copy-source";
/// What AWS's own hosts end in.
const HOSTS_OF_AWS: [&str; 3] = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"];

/// The id of an AWS account: 12 digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountId(String);

impl AccountId {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountId {
    type Err = InvalidAccountId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let right = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        if right { Ok(Self(text.to_owned())) } else { Err(InvalidAccountId(text.to_owned())) }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that isn't the id of an account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no id of an AWS account: 12 digits, such as \"111122223333\"")]
pub struct InvalidAccountId(String);

/// Asks STS for the account of the credentials, which needs no permission. `None` where S3 isn't AWS's and no STS is
/// named beside it: whose buckets are isn't known there.
///
/// # Errors
/// Why STS doesn't say.
pub(super) async fn find(
    config: &SdkConfig,
    endpoint: Option<&str>,
    patience: &Patience,
) -> Result<Option<AccountId>, String> {
    let endpoint = endpoint.map(str::to_owned).or_else(|| endpoint_of(config, "S3"));
    let is_of_aws = endpoint.as_deref().is_none_or(is_of_aws);
    if !is_of_aws && endpoint_of(config, "STS").is_none() {
        return Ok(None);
    }
    let asked = aws_sdk_sts::Client::new(config).get_caller_identity().send().await;
    let found = asked.map_err(|error| reason::of(&error, patience.operation))?;
    let account = found.account().ok_or("the answer names no account")?;
    account.parse().map(Some).map_err(|error: InvalidAccountId| error.to_string())
}

/// What the SDK's chain says of a service's endpoint; `None` where it is AWS's own.
fn endpoint_of(config: &SdkConfig, service: &str) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id(service).env("AWS_ENDPOINT_URL").profile("endpoint_url");
    let key = key.build().ok()?;
    let of_service = config.service_config().and_then(|chain| chain.load_config(key));
    of_service.or_else(|| config.endpoint_url().map(str::to_owned)).filter(|url| !url.is_empty())
}

fn is_of_aws(url: &str) -> bool {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host).to_ascii_lowercase();
    HOSTS_OF_AWS.iter().any(|end| host.ends_with(end))
}

/// Says in each request whose bucket it is meant for.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) owner: AccountId,
    pub(super) by: By,
}

/// Where a request says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// In headers.
    Headers,
    /// In the query: for links, which browsers follow without any header.
    Query,
}

impl Intercept for Expected {
    fn name(&self) -> &'static str {
        "Expected"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        if self.by == By::Query {
            let mark = if request.uri().contains('?') { '&' } else { '?' };
            let uri = format!("{}{mark}{OWNER}={}", request.uri(), self.owner);
            request.set_uri(uri)?;
            return Ok(());
        }
        let headers = request.headers_mut();
        headers.try_insert(OWNER, self.owner.as_str().to_owned())?;
        if headers.contains_key(SOURCE) {
            headers.try_insert(SOURCE_OWNER, self.owner.as_str().to_owned())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_twelve_digits() {
        assert_eq!("111122223333".parse::<AccountId>().unwrap().as_str(), "111122223333");
        for text in ["", "11112222333", "1111222233334", "11112222333a", " 111122223333", "１11122223333"] {
            assert!(text.parse::<AccountId>().is_err(), "{text}");
        }
    }

    #[test]
    fn hosts_of_aws_are_known() {
        for url in [
            "https://s3.eu-central-1.amazonaws.com",
            "https://bucket.vpce-1a2b.s3.us-east-1.vpce.amazonaws.com:443/",
            "https://s3.dualstack.us-west-2.API.aws",
            "https://s3.cn-north-1.amazonaws.com.cn",
        ] {
            assert!(is_of_aws(url), "{url}");
        }
        for url in [
            "http://127.0.0.1:8333",
            "https://s3.example.com",
            "https://s3.example.com/.amazonaws.com",
            "https://amazonaws.com.example",
            "https://xamazonaws.com",
        ] {
            assert!(!is_of_aws(url), "{url}");
        }
    }
}
