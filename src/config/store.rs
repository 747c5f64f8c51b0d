//! Where things are kept.

use std::path::PathBuf;

use serde::Deserialize;

use super::{MongodbSettings, S3Settings};

/// `[store]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSettings {
    /// The folder of the embedded stores. Default `signet-data`.
    pub path: PathBuf,
    /// Where assets and tenants are: in that folder, or in MongoDB. Default `embedded`.
    pub assets: AssetsSetting,
    /// Where the bytes of files lie: in that folder, or in S3. Default `embedded`.
    pub objects: ObjectsSetting,
    /// The URL under which clients reach this process for uploads to embedded objects, such as
    /// `https://signet.example`, without a slash at its end. Default: the address that the API
    /// listens on, by http.
    pub upload_url: Option<String>,
    /// How S3 is reached.
    pub s3: S3Settings,
    /// How MongoDB is reached.
    pub mongodb: MongodbSettings,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            path: "signet-data".into(),
            assets: AssetsSetting::Embedded,
            objects: ObjectsSetting::Embedded,
            upload_url: None,
            s3: S3Settings::default(),
            mongodb: MongodbSettings::default(),
        }
    }
}

/// Where assets and tenants are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AssetsSetting {
    /// In the embedded store, with the tenants of the settings.
    Embedded,
    /// In MongoDB, with the tenants of the control plane's `groups`.
    Mongodb,
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
