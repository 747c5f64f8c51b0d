//! An asset as answers show it.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::http::answer::time;
use crate::media::{AssetId, Checksum, Status, Visibility};
use crate::service::AssetView;

/// The JSON of an asset. `url` and `expiresAt` are there once it is READY; a stable URL has no
/// `expiresAt`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AssetBody<'a> {
    asset_id: AssetId,
    status: Status,
    visibility: Visibility,
    filename: &'a str,
    content_type: &'a str,
    size_bytes: u64,
    checksum: Option<&'a str>,
    width_px: Option<u32>,
    height_px: Option<u32>,
    storage_key: &'a str,
    metadata: &'a Map<String, Value>,
    created_at: String,
    updated_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

impl<'a> From<&'a AssetView> for AssetBody<'a> {
    fn from(view: &'a AssetView) -> Self {
        let asset = &view.asset;
        Self {
            asset_id: asset.id,
            status: asset.status,
            visibility: asset.visibility,
            filename: asset.filename.as_str(),
            content_type: asset.content_type.as_str(),
            size_bytes: asset.size_bytes,
            checksum: asset.checksum.as_ref().map(Checksum::as_given),
            width_px: asset.width_px,
            height_px: asset.height_px,
            storage_key: &view.storage_key,
            metadata: asset.metadata.members(),
            created_at: asset.created_at.to_rfc3339(),
            updated_at: asset.updated_at.to_rfc3339(),
            url: view.link.as_ref().map(|link| link.url.as_str()),
            expires_at: view.link.as_ref().and_then(|link| link.expires).map(time),
        }
    }
}
