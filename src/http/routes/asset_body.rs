//! An asset as answers show it.

use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{ETAG, HeaderValue};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::http::answer::{self, Caching, time};
use crate::http::conditions;
use crate::http::openapi::leaves;
use crate::http::problem::{Kind, Problem};
use crate::media::{AssetId, Checksum, Status, Visibility};
use crate::service::AssetView;

/// The JSON of an asset. `url` and `expiresAt` are there once it is READY, of a PRIVATE one for callers with `media:read`
/// or `media:sign` alone; a stable URL has no `expiresAt`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Asset)]
pub(super) struct AssetBody<'a> {
    #[schema(schema_with = leaves::asset_id)]
    asset_id: AssetId,
    #[schema(schema_with = leaves::status)]
    status: Status,
    #[schema(schema_with = leaves::visibility)]
    visibility: Visibility,
    filename: &'a str,
    #[schema(schema_with = leaves::any_content_type)]
    content_type: &'a str,
    #[schema(schema_with = leaves::size_bytes)]
    size_bytes: u64,
    #[schema(schema_with = leaves::checksum, required)]
    checksum: Option<&'a str>,
    #[schema(required)]
    width_px: Option<u32>,
    #[schema(required)]
    height_px: Option<u32>,
    storage_key: &'a str,
    #[schema(schema_with = leaves::metadata)]
    metadata: &'a Map<String, Value>,
    #[schema(schema_with = leaves::time)]
    created_at: String,
    #[schema(schema_with = leaves::time)]
    updated_at: String,
    /// True while a deleted asset's files are on their way to where no link leads; otherwise left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    deleting: bool,
    /// The link, once the asset is READY. Left out of a PRIVATE asset's answer where the token has neither `media:read`
    /// nor `media:sign`: it couldn't fetch the file in another way either.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = "uri")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = leaves::time)]
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
            deleting: asset.is_deleting(),
            url: view.link.as_ref().map(|link| &*link.url),
            expires_at: view.link.as_ref().and_then(|link| link.expires).map(time),
        }
    }
}

/// A response with one asset and its entity tag.
pub(super) fn answer_with(view: &AssetView, caching: Caching) -> Result<Response, Problem> {
    let wrong = |error: &dyn std::error::Error| {
        Problem::new(Kind::Internal, "the answer can't be written").caused_by(error)
    };
    let body = serde_json::to_vec(&AssetBody::from(view)).map_err(|error| wrong(&error))?;
    let tag =
        HeaderValue::try_from(conditions::entity_tag(&view.asset, &body)).map_err(|error| wrong(&error))?;
    let mut response = answer::json_bytes(StatusCode::OK, body, caching);
    response.headers_mut().insert(ETAG, tag);
    Ok(response)
}
