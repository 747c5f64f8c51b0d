//! What may be uploaded.

use std::collections::BTreeMap;

use serde::Deserialize;

/// `[uploads]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UploadSettings {
    /// Types that are taken. SVG isn't among the defaults: it can carry scripts, which a browser
    /// runs with the media host's origin.
    pub content_types: Vec<String>,
    /// The largest file, in bytes. Default 100 MiB.
    pub max_bytes: u64,
    /// The largest file of a type, in bytes, instead of `max_bytes`: `"image/*" = 26214400`. An
    /// exact type wins over `type/*`. Default none.
    pub max_bytes_by_type: BTreeMap<String, u64>,
    /// How long a ticket is good, in seconds. Default 900.
    pub ticket_seconds: u64,
    /// How long a deleted asset can be restored, in days. Default 30.
    pub retention_days: u32,
}

impl Default for UploadSettings {
    fn default() -> Self {
        let types = [
            "image/jpeg",
            "image/png",
            "image/gif",
            "image/webp",
            "image/avif",
            "video/mp4",
            "video/webm",
            "video/quicktime",
            "audio/mpeg",
            "audio/mp4",
            "audio/wav",
            "audio/ogg",
            "application/pdf",
        ];
        Self {
            content_types: types.map(str::to_owned).to_vec(),
            max_bytes: 100 * 1024 * 1024,
            max_bytes_by_type: BTreeMap::new(),
            ticket_seconds: 900,
            retention_days: 30,
        }
    }
}
