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
    /// How long after its ticket's end an upload that wasn't finalized is left alone, in seconds. Then
    /// what was uploaded becomes READY or REJECTED, and the asset of what wasn't EXPIRED. Default 900.
    pub grace_seconds: u64,
    /// How long a deleted asset can be restored, in days. Then its objects go for good. Default 30.
    pub retention_days: u32,
    /// How many files a tenant may have, READY and PENDING together. Default any number.
    pub quota_count: Option<u64>,
    /// How many bytes a tenant may have, READY and PENDING together. Default any number.
    pub quota_bytes: Option<u64>,
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
            grace_seconds: 900,
            retention_days: 30,
            quota_count: None,
            quota_bytes: None,
        }
    }
}
