//! Where and how media is delivered.

use serde::Deserialize;

/// `[cdn]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CdnSettings {
    /// The origin of links, without a path. Default `https://media.vivreal.io`.
    pub base_url: String,
    /// Further origins of the same distribution: URLs on them are signed too. Default none.
    pub aliases: Vec<String>,
    /// The first segment of a tenant's URLs: a template with `{key}` or `{tenant}`. Default
    /// `vivreal-{key}`.
    pub path: String,
    /// The bucket: a template, or one name for all tenants. Default `vivreal-{key}`.
    pub bucket: String,
    /// The ARN of the distribution, which `signet tenant provision` lets read the buckets. Default
    /// none.
    pub distribution_arn: Option<String>,
}

impl Default for CdnSettings {
    fn default() -> Self {
        Self {
            base_url: "https://media.vivreal.io".into(),
            aliases: Vec::new(),
            path: "vivreal-{key}".into(),
            bucket: "vivreal-{key}".into(),
            distribution_arn: None,
        }
    }
}

/// `[delivery]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeliverySettings {
    /// How PUBLIC assets are delivered. Default `signed`.
    pub public: PublicSetting,
    /// The origin of stable URLs, without a path. No default; `stable` needs it.
    pub public_base_url: Option<String>,
    /// How PRIVATE assets, and all else under `private/`, are delivered. Default `cloudfront`.
    pub private: PrivateSetting,
    /// How long links of what lies under `private/` live, in seconds: 60 to 604,800. Default 300.
    pub private_ttl: u64,
}

impl Default for DeliverySettings {
    fn default() -> Self {
        Self {
            public: PublicSetting::Signed,
            public_base_url: None,
            private: PrivateSetting::CloudFront,
            private_ttl: 300,
        }
    }
}

/// How PUBLIC assets are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PublicSetting {
    /// By links of CloudFront's.
    Signed,
    /// By stable URLs.
    Stable,
}

/// How PRIVATE assets are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PrivateSetting {
    /// By links of CloudFront's.
    CloudFront,
    /// By presigned requests to the object store.
    S3,
}
