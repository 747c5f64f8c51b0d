//! Where things are kept.

use std::path::PathBuf;

use serde::Deserialize;

use super::S3Settings;

/// `[store]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSettings {
    /// The folder of the embedded stores. Default `signet-data`.
    pub path: PathBuf,
    /// Where the bytes of files lie: in that folder, or in S3. Default `embedded`.
    pub objects: ObjectsSetting,
    /// The URL under which clients reach this process for uploads to embedded objects, such as
    /// `https://signet.example`, without a slash at its end. Default: the address that the API
    /// listens on, by http.
    pub upload_url: Option<String>,
    /// How S3 is reached.
    pub s3: S3Settings,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            path: "signet-data".into(),
            objects: ObjectsSetting::Embedded,
            upload_url: None,
            s3: S3Settings::default(),
        }
    }
}

/// Where the bytes of files lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ObjectsSetting {
    /// In local files, behind this process's own signed upload URLs.
    Embedded,
    /// In S3.
    S3,
}
