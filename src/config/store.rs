//! Where things are kept.

use std::path::PathBuf;

use serde::Deserialize;

/// `[store]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSettings {
    /// The folder of the embedded stores. Default `signet-data`.
    pub path: PathBuf,
    /// The URL under which clients reach this process for uploads, such as
    /// `https://signet.example`, without a slash at its end. Default: the address that the API
    /// listens on, by http.
    pub upload_url: Option<String>,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self { path: "signet-data".into(), upload_url: None }
    }
}
