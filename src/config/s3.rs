//! How S3 is reached.

use serde::Deserialize;

/// `[store.s3]`. Credentials come by the SDK's own chain, as does what isn't set here: environment
/// (`AWS_REGION`, `AWS_ENDPOINT_URL_S3`, `AWS_ACCESS_KEY_ID`, …), profile files, roles.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct S3Settings {
    /// The region of the buckets. Default: the SDK's chain finds it.
    pub region: Option<String>,
    /// The origin of the service, such as `http://127.0.0.1:8333`. Default: AWS's own, or what
    /// `AWS_ENDPOINT_URL_S3` says.
    pub endpoint: Option<String>,
    /// The origin by which browsers reach the service, where it differs from `endpoint`: presigned
    /// URLs begin with it. Default: `endpoint`.
    pub public_endpoint: Option<String>,
    /// Whether the bucket stands in the path of URLs instead of the host, as many servers other
    /// than AWS want it. Default false.
    pub path_style: bool,
    /// How long a connection may take to be made, in seconds: at least 1. Default 3.
    pub connect_seconds: u64,
    /// How long one attempt may take until its answer begins, in seconds: at least 1. Default 10.
    pub attempt_seconds: u64,
    /// How long a call may take with all its attempts, in seconds: at least 1. Default 30. Bodies
    /// on their way aren't counted.
    pub operation_seconds: u64,
    /// How often a call is tried: 1 to 10. Default 3. All calls share a budget of second tries.
    pub attempts: u32,
    /// The id of the AWS account that the buckets are of, 12 digits: S3 refuses each request for a bucket of another
    /// one. Default: the account of the credentials, which STS is asked for at start, where S3 is AWS's; with a service
    /// other than AWS's none is expected.
    pub expected_owner: Option<String>,
    /// The origins whose pages send uploads: `signet tenant provision` lets them. Default none.
    pub upload_origins: Vec<String>,
}

impl Default for S3Settings {
    fn default() -> Self {
        Self {
            region: None,
            endpoint: None,
            public_endpoint: None,
            path_style: false,
            connect_seconds: 3,
            attempt_seconds: 10,
            operation_seconds: 30,
            attempts: 3,
            expected_owner: None,
            upload_origins: Vec::new(),
        }
    }
}
