//! How documents are signed.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::ProfileSettings;

/// `[documents]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DocumentSettings {
    /// The largest document, in bytes, compressed and decompressed. Default 16 MiB.
    pub max_bytes: u64,
    /// How deep arrays and objects may be nested. Default 128.
    pub max_depth: usize,
    /// How many links one document may ask for; media hosts that its texts name count too. Default 20,000.
    pub max_links: usize,
    /// What becomes of references. Default `inline`.
    pub references: ReferencesSetting,
    /// The profile where neither the request nor its tenant names one. Default `vivreal`.
    pub profile: String,
    /// Profiles by name, 1 to 64 of `a-z 0-9 - _`, beside the shipped ones. Default none.
    pub profiles: BTreeMap<String, ProfileSettings>,
}

impl Default for DocumentSettings {
    fn default() -> Self {
        Self {
            max_bytes: 16 * 1024 * 1024,
            max_depth: 128,
            max_links: 20_000,
            references: ReferencesSetting::Inline,
            profile: "vivreal".into(),
            profiles: BTreeMap::new(),
        }
    }
}

/// What becomes of a string that is an asset's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReferencesSetting {
    /// The link takes its place.
    Inline,
    /// `{"id","url","expiresAt"}` takes its place.
    Object,
    /// It stays.
    Leave,
}
