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
    /// The largest file, in bytes. Default 5 TiB, the most that S3 takes: how much a tenant has in all is
    /// for its quota to say.
    pub max_bytes: u64,
    /// The largest file of a type, in bytes, instead of `max_bytes`: `"image/*" = 26214400`. An
    /// exact type wins over `type/*`. Default 100 MiB for `image/*`, 1 GiB for `audio/*` and
    /// `application/pdf`, where `max_bytes` isn't less: pictures are decoded whole by those who show them,
    /// and what is larger is rather not what it says. Each stands until it is set itself.
    pub max_bytes_by_type: BTreeMap<String, u64>,
    /// The largest file that is sent whole, in bytes; larger ones are sent in parts. 5 MiB to 5 GiB, the
    /// most that S3 takes in one request. Default 100 MiB.
    pub multipart_threshold_bytes: u64,
    /// The least that a part has, in bytes, 5 MiB to 5 GiB; more where a file would have over 10,000 parts.
    /// Default 16 MiB.
    pub part_bytes: u64,
    /// How long an upload in parts may take, in seconds, 1 to 2,592,000. The URL of each part lives
    /// `ticket_seconds`, and is given anew. Default 86,400.
    pub multipart_seconds: u64,
    /// How long a ticket is good, in seconds. Default 900.
    pub ticket_seconds: u64,
    /// How long after its ticket's end an upload that wasn't finalized is left alone, in seconds. Then
    /// what was uploaded becomes READY or REJECTED, and the asset of what wasn't EXPIRED. Default 900.
    pub grace_seconds: u64,
    /// How long after that an upload that began in time may still end, in seconds. It is looked for and
    /// removed until then, and nothing is purged before. Default 86,400.
    pub late_seconds: u64,
    /// How long a deleted asset can be restored, in days. Then its objects go for good. Default 30.
    pub retention_days: u32,
    /// How long the record of an upload that became no file (REJECTED, EXPIRED) is kept after nothing of it can
    /// arrive any more, in days. Then it is as if it had never been. Default 30.
    pub record_days: u32,
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
            max_bytes: 5 * 1024 * 1024 * MIB,
            max_bytes_by_type: BTreeMap::new(),
            multipart_threshold_bytes: 100 * MIB,
            part_bytes: 16 * MIB,
            multipart_seconds: 86_400,
            ticket_seconds: 900,
            grace_seconds: 900,
            late_seconds: 86_400,
            retention_days: 30,
            record_days: 30,
            quota_count: None,
            quota_bytes: None,
        }
    }
}

impl UploadSettings {
    /// The largest files of some types: those that are set, and the defaults of others.
    #[must_use]
    pub fn limits_by_type(&self) -> Vec<(&str, u64)> {
        let set = |name: &str| self.max_bytes_by_type.keys().any(|known| known.eq_ignore_ascii_case(name));
        let defaults = DEFAULT_BY_TYPE.iter().copied();
        let defaults = defaults.filter(|(name, bytes)| *bytes < self.max_bytes && !set(name));
        defaults.chain(self.max_bytes_by_type.iter().map(|(name, bytes)| (name.as_str(), *bytes))).collect()
    }
}

const MIB: u64 = 1024 * 1024;
const DEFAULT_BY_TYPE: [(&str, u64); 3] =
    [("image/*", 100 * MIB), ("audio/*", 1024 * MIB), ("application/pdf", 1024 * MIB)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_by_type_stand_until_they_are_set_or_above_the_largest_file() {
        let mut settings = UploadSettings::default();
        assert_eq!(settings.limits_by_type(), DEFAULT_BY_TYPE);
        settings.max_bytes_by_type = [("Image/*".to_owned(), 7), ("image/png".to_owned(), 8)].into();
        let mut limits = settings.limits_by_type();
        assert_eq!(limits.split_off(2), [("Image/*", 7), ("image/png", 8)]);
        assert_eq!(limits, DEFAULT_BY_TYPE[1..]);
        settings.max_bytes = 1_000;
        assert_eq!(settings.limits_by_type(), [("Image/*", 7), ("image/png", 8)]);
    }
}
