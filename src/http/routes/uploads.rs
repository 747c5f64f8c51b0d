//! POST `/media/v1/uploads`, POST `/media/v1/uploads/{id}/finalize`.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::asset_body::AssetBody;
use super::multipart::{self, MultipartBody};
use crate::http::Api;
use crate::http::answer::{Caching, json};
use crate::http::caller::{May, Write};
use crate::http::conditions;
use crate::http::extract::{Json, JsonRequest, PathId};
use crate::http::params::Params;
use crate::http::problem::Problem;
use crate::media::{AssetId, UploadRequest, Visibility};
use crate::service::Sending;

/// A ticket: 201 with where and how to send the bytes. The same ticket again, where `Idempotency-Key`
/// says that it is the same call.
pub(super) async fn ticket(
    State(api): State<Api>,
    caller: May<Write>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    Json(body): Json<UploadBody>,
) -> Result<Response, Problem> {
    Params::of(query.as_deref())?.finish()?;
    let key = conditions::idempotency_key(&headers)?;
    let ticket = api.in_time(api.services.uploads.ticket(&caller, body.into(), key)).await?;
    let (upload_url, method, headers, multipart) = match ticket.sending {
        Sending::Whole(request) => {
            let headers = multipart::headers(&request);
            (Some(request.url), request.method, Some(headers), None)
        }
        Sending::Parts { plan, page } => (None, "PUT", None, Some(MultipartBody::new(&plan, page))),
    };
    let body = TicketBody {
        asset_id: ticket.asset_id,
        upload_url,
        method,
        headers,
        storage_key: &ticket.storage_key,
        expires_in_seconds: ticket.expires_in_seconds,
        multipart,
    };
    json(StatusCode::CREATED, &body, Caching::No)
}

/// Checks what was uploaded; the asset, READY. A body isn't needed and isn't read.
pub(super) async fn finalize(
    State(api): State<Api>,
    caller: May<Write>,
    PathId(id): PathId,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Params::of(query.as_deref())?.finish()?;
    let view = api.in_time(api.services.uploads.finalize(&caller, id)).await?;
    json(StatusCode::OK, &AssetBody::from(&view), Caching::No)
}

/// A body of POST `/media/v1/uploads`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct UploadBody {
    filename: String,
    content_type: String,
    size_bytes: u64,
    visibility: Option<Visibility>,
    checksum: Option<String>,
    metadata: Option<Map<String, Value>>,
}

impl JsonRequest for UploadBody {}

impl From<UploadBody> for UploadRequest {
    fn from(body: UploadBody) -> Self {
        Self {
            filename: body.filename,
            content_type: body.content_type,
            size_bytes: body.size_bytes,
            visibility: body.visibility,
            checksum: body.checksum,
            metadata: body.metadata.unwrap_or_default(),
        }
    }
}

/// What is left out stands in the parts.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TicketBody<'a> {
    asset_id: AssetId,
    #[serde(skip_serializing_if = "Option::is_none")]
    upload_url: Option<String>,
    method: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Map<String, Value>>,
    storage_key: &'a str,
    expires_in_seconds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    multipart: Option<MultipartBody>,
}
