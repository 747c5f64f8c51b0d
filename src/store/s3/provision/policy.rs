//! The bucket's policy: the distribution may read, by origin access control.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

/// The name of Signet's statement within a policy.
const SID: &str = "SignetDistributionRead";

/// The ARN of a CloudFront distribution: `arn:aws:cloudfront::111122223333:distribution/E1ABC`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DistributionArn(String);

impl DistributionArn {
    /// `aws`, `aws-cn`, …
    fn partition(&self) -> &str {
        self.0.split(':').nth(1).unwrap_or_default()
    }
}

impl FromStr for DistributionArn {
    type Err = InvalidArn;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split(':').collect();
        let [arn, partition, service, region, account, resource] = parts[..] else {
            return Err(InvalidArn(text.to_owned()));
        };
        let id = resource.strip_prefix("distribution/").unwrap_or_default();
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        let right = arn == "arn"
            && partition.starts_with("aws")
            && plain(partition)
            && service == "cloudfront"
            && region.is_empty()
            && account.len() == 12
            && account.bytes().all(|byte| byte.is_ascii_digit())
            && !id.is_empty()
            && id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        if right { Ok(Self(text.to_owned())) } else { Err(InvalidArn(text.to_owned())) }
    }
}

impl fmt::Display for DistributionArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that isn't the ARN of a distribution.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no ARN of a CloudFront distribution, such as arn:aws:cloudfront::111122223333:distribution/E1ABC"
)]
pub struct InvalidArn(String);

/// The statement that lets the distribution read.
pub(super) fn statement(bucket: &str, distribution: &DistributionArn) -> Value {
    json!({
        "Sid": SID,
        "Effect": "Allow",
        "Principal": {"Service": "cloudfront.amazonaws.com"},
        "Action": "s3:GetObject",
        "Resource": format!("arn:{}:s3:::{bucket}/*", distribution.partition()),
        "Condition": {"StringEquals": {"AWS:SourceArn": distribution.to_string()}},
    })
}

/// The policy to be put in, with all other statements of the one that is there. `None` where that says it
/// already, under whatever name.
///
/// # Errors
/// Where the policy that is there can't be read.
pub(super) fn merged(
    there: Option<&str>,
    bucket: &str,
    distribution: &DistributionArn,
) -> Result<Option<String>, serde_json::Error> {
    let mut policy: Value = match there {
        Some(text) => serde_json::from_str(text)?,
        None => json!({"Version": "2012-10-17", "Statement": []}),
    };
    let ours = statement(bucket, distribution);
    let mut statements = match policy["Statement"].take() {
        Value::Array(statements) => statements,
        Value::Null => Vec::new(),
        one => vec![one],
    };
    if statements.iter().any(|statement| unnamed(statement) == unnamed(&ours)) {
        return Ok(None);
    }
    statements.retain(|statement| statement["Sid"] != SID);
    statements.push(ours);
    policy["Statement"] = Value::Array(statements);
    Ok(Some(policy.to_string()))
}

fn unnamed(statement: &Value) -> Value {
    let mut statement = statement.clone();
    if let Some(members) = statement.as_object_mut() {
        members.remove("Sid");
    }
    statement
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:cloudfront::111122223333:distribution/E1ABC";
    const OURS: &str = concat!(
        r#"{"Sid":"SignetDistributionRead","Effect":"Allow","#,
        r#""Principal":{"Service":"cloudfront.amazonaws.com"},"Action":"s3:GetObject","#,
        r#""Resource":"arn:aws:s3:::vivreal-demo/*","Condition":{"StringEquals":"#,
        r#"{"AWS:SourceArn":"arn:aws:cloudfront::111122223333:distribution/E1ABC"}}}"#
    );

    fn merge(there: Option<&str>) -> Option<String> {
        merged(there, "vivreal-demo", &ARN.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_fresh_policy_lets_the_distribution_read_and_nobody_else() {
        let expected = format!(r#"{{"Version":"2012-10-17","Statement":[{OURS}]}}"#);
        assert_eq!(merge(None).as_deref(), Some(expected.as_str()));
        assert_eq!(merge(Some(&expected)), None, "it is so then");
    }

    #[test]
    fn other_statements_stay_and_an_old_one_of_ours_goes() {
        let others =
            r#"{"Sid":"Backup","Effect":"Allow","Principal":{"AWS":"1"},"Action":"s3:Get*","Resource":"*"}"#;
        let old = OURS.replace("E1ABC", "E0OLD");
        let there = format!(r#"{{"Version":"2008-10-17","Id":"x","Statement":[{old},{others}]}}"#);
        let expected = format!(r#"{{"Version":"2008-10-17","Id":"x","Statement":[{others},{OURS}]}}"#);
        let put: Value = serde_json::from_str(&merge(Some(&there)).unwrap()).unwrap();
        assert_eq!(put, serde_json::from_str::<Value>(&expected).unwrap());
    }

    #[test]
    fn the_same_under_another_name_is_enough() {
        let named = OURS.replace("SignetDistributionRead", "AllowCloudFrontServicePrincipalReadOnly");
        assert_eq!(merge(Some(&format!(r#"{{"Statement":{named}}}"#))), None);
        assert!(merged(Some("{"), "b", &ARN.parse().unwrap()).is_err());
    }

    #[test]
    fn only_the_arn_of_a_distribution_is_one() {
        let china: DistributionArn = "arn:aws-cn:cloudfront::111122223333:distribution/E1".parse().unwrap();
        assert_eq!(statement("b", &china)["Resource"], "arn:aws-cn:s3:::b/*");
        for text in [
            "",
            "E1ABC",
            "arn:aws:cloudfront::1111:distribution/E1ABC",
            "arn:aws:cloudfront::111122223333:distribution/",
            "arn:aws:cloudfront::111122223333:distribution/*",
            "arn:aws:s3:::bucket",
            "arn:aws:cloudfront:us-east-1:111122223333:distribution/E1ABC",
        ] {
            assert!(text.parse::<DistributionArn>().is_err(), "{text}");
        }
    }
}
