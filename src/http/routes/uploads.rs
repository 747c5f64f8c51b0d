//! POST `/media/v1/uploads`, POST `/media/v1/uploads/{id}/finalize`.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::asset_body::{AssetBody, answer_with};
use super::multipart::{self, MultipartBody};
use crate::http::Api;
use crate::http::answer::{Caching, json};
use crate::http::caller::{May, Write};
use crate::http::conditions;
use crate::http::extract::{Json, JsonRequest, PathId, whole};
use crate::http::openapi::{examples, leaves, refusals};
use crate::http::params::Params;
use crate::http::problem::Problem;
use crate::media::{AssetId, UploadRequest, Visibility};
use crate::service::Sending;

#[utoipa::path(
    post,
    path = "/media/v1/uploads",
    tag = "Files",
    operation_id = "createUpload",
    summary = "A ticket for an upload",
    description = "Send the bytes with `method` and `headers` to `uploadUrl` within `expiresInSeconds`, then \
        finalize. A large file has `multipart` instead of `uploadUrl` and `headers`: send its parts, each as it \
        says, then complete. PRIVATE unless `visibility` says PUBLIC.",
    params(
        ("Idempotency-Key" = inline(Option<leaves::IdempotencyKeyText>), Header, description = "A repeated call with the same key and body gives the same ticket for as long as it lives; with another body 422."),
    ),
    request_body(content = UploadBody, example = json!(examples::upload())),
    responses(
        (
            status = 201,
            description = "The ticket.",
            body = TicketBody,
            links(
                ("finalize" = (operation_id = "finalizeUpload", parameters(("id" = "$response.body#/assetId")))),
                ("asset" = (operation_id = "getAsset", parameters(("id" = "$response.body#/assetId")))),
                ("change" = (operation_id = "changeAsset", parameters(("id" = "$response.body#/assetId")))),
                ("delete" = (operation_id = "deleteAsset", parameters(("id" = "$response.body#/assetId"))))
            ),
            examples(
                ("whole" = (summary = "A file that is sent whole", value = json!(examples::ticket()))),
                ("parts" = (summary = "A large file", value = json!(examples::large_ticket()))),
            ),
        ),
        refusals::Tickets,
    ),
    security(("token" = ["media:write"]), ("apiKey" = [])),
)]
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

#[utoipa::path(
    post,
    path = "/media/v1/uploads/{id}/finalize",
    tag = "Files",
    operation_id = "finalizeUpload",
    summary = "Finish an upload",
    description = "Looks at what was uploaded, its first bytes included: the asset becomes READY, or REJECTED for \
        good where something else came than the ticket was for. Safe to repeat.",
    params(("id" = inline(leaves::AssetIdText), Path, description = "The asset.")),
    responses(
        (
            status = 200,
            description = "The asset, READY.",
            body = AssetBody,
            headers(("ETag" = String, description = "For `If-Match` and `If-None-Match`.")),
            example = json!(examples::asset()),
        ),
        refusals::Finalize,
    ),
    security(("token" = ["media:write"]), ("apiKey" = [])),
)]
/// Checks what was uploaded; the asset, READY. A body isn't needed and isn't read.
pub(super) async fn finalize(
    State(api): State<Api>,
    caller: May<Write>,
    PathId(id): PathId,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Params::of(query.as_deref())?.finish()?;
    let view = api.in_time(api.services.uploads.finalize(&caller, id)).await?;
    answer_with(&view, Caching::No)
}

/// A body of POST `/media/v1/uploads`.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = UploadRequest)]
pub(super) struct UploadBody {
    #[schema(schema_with = leaves::file_name)]
    filename: String,
    #[schema(schema_with = leaves::upload_content_type)]
    content_type: String,
    #[serde(deserialize_with = "whole")]
    #[schema(schema_with = leaves::size_bytes)]
    size_bytes: u64,
    #[schema(schema_with = leaves::visibility_or_null)]
    visibility: Option<Visibility>,
    #[schema(schema_with = leaves::checksum)]
    checksum: Option<String>,
    #[schema(schema_with = leaves::metadata_or_null)]
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

/// Where the bytes go, and the asset that they fill. What is left out stands in the parts.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Ticket)]
struct TicketBody<'a> {
    #[schema(schema_with = leaves::asset_id)]
    asset_id: AssetId,
    /// Where the bytes go.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = "uri")]
    upload_url: Option<String>,
    method: &'static str,
    /// Headers that the request must have; never Content-Length or Host, which clients derive.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = HashMap<String, String>, required = false)]
    headers: Option<Map<String, Value>>,
    storage_key: &'a str,
    expires_in_seconds: u64,
    /// Of a large file: the parts that it is sent in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = MultipartBody, required = false)]
    multipart: Option<MultipartBody>,
}
