//! GET `/media/v1/uploads/{id}/parts`, POST `/media/v1/uploads/{id}/complete`, DELETE `/media/v1/uploads/{id}`.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::asset_body::{AssetBody, answer_with};
use crate::http::Api;
use crate::http::answer::{Caching, json};
use crate::http::caller::{May, Write};
use crate::http::extract::{Json, JsonRequest, PathId, whole};
use crate::http::limits::HttpLimits;
use crate::http::openapi::{examples, leaves, refusals};
use crate::http::params::{self, Params};
use crate::http::problem::{Kind, Problem};
use crate::media::{InvalidField, MAX_PARTS, PartPlan};
use crate::service::ports::{PartTag, Presigned};
use crate::service::{Part, PartsPage, PartsQuery};

#[utoipa::path(
    get,
    path = "/media/v1/uploads/{id}/parts",
    tag = "Files",
    operation_id = "listParts",
    summary = "Parts of a large upload",
    description = "Which parts are there, and requests for those that aren't; also after a restart of the client.",
    params(
        ("id" = inline(leaves::AssetIdText), Path, description = "The asset."),
        ("after" = inline(Option<leaves::PartsAfter>), Query, description = "Parts after this one: `nextAfter` of the page before."),
        ("limit" = inline(Option<leaves::PartsLength>), Query, description = "How many a page."),
        ("again" = Option<bool>, Query, description = "Requests for parts that are there already, too."),
    ),
    responses(
        (status = 200, description = "A page of them.", body = PageBody, example = json!(examples::parts())),
        refusals::Parts,
    ),
    security(("token" = ["media:write"]), ("apiKey" = [])),
)]
/// A page of an upload's parts. `?after=&limit=&again=`
pub(super) async fn parts(
    State(api): State<Api>,
    caller: May<Write>,
    PathId(id): PathId,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut params = Params::of(query.as_deref())?;
    let query = parts_query(&mut params)?;
    params.finish()?;
    let page = api.in_time(api.services.uploads.parts(&caller, id, query)).await?;
    json(StatusCode::OK, &PageBody::from(page), Caching::No)
}

#[utoipa::path(
    post,
    path = "/media/v1/uploads/{id}/complete",
    tag = "Files",
    operation_id = "completeUpload",
    summary = "Finish a large upload",
    description = "Puts all parts together and looks at the file as finalize does. Names every part, in order, each \
        with the ETag that it was answered with. Safe to repeat.",
    params(("id" = inline(leaves::AssetIdText), Path, description = "The asset.")),
    request_body(content = CompleteBody, example = json!(examples::complete())),
    responses(
        (
            status = 200,
            description = "The asset, READY.",
            body = AssetBody,
            headers(("ETag" = String, description = "For `If-Match` and `If-None-Match`.")),
            example = json!(examples::asset()),
        ),
        refusals::Complete,
    ),
    security(("token" = ["media:write"]), ("apiKey" = [])),
)]
/// Puts the parts together; the asset, READY.
pub(super) async fn complete(
    State(api): State<Api>,
    caller: May<Write>,
    PathId(id): PathId,
    RawQuery(query): RawQuery,
    Json(body): Json<CompleteBody>,
) -> Result<Response, Problem> {
    Params::of(query.as_deref())?.finish()?;
    let tags = body.tags()?;
    let view = api.in_time(api.services.uploads.complete(&caller, id, tags)).await?;
    answer_with(&view, Caching::No)
}

#[utoipa::path(
    delete,
    path = "/media/v1/uploads/{id}",
    tag = "Files",
    operation_id = "giveUpUpload",
    summary = "Give an upload up",
    description = "In parts or whole: what was sent of it goes, and the asset is EXPIRED.",
    params(("id" = inline(leaves::AssetIdText), Path, description = "The asset.")),
    responses((status = 204, description = "It is given up."), refusals::GiveUp),
    security(("token" = ["media:write"]), ("apiKey" = [])),
)]
/// Gives an upload up, in parts or whole: 204.
pub(super) async fn give_up(
    State(api): State<Api>,
    caller: May<Write>,
    PathId(id): PathId,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Params::of(query.as_deref())?.finish()?;
    api.in_time(api.services.uploads.give_up(&caller, id)).await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Caching::No.apply(response.headers_mut());
    Ok(response)
}

fn parts_query(params: &mut Params) -> Result<PartsQuery, Problem> {
    let rule = "must be a number from 0 to 10000";
    let after = params.parse("after", rule)?.unwrap_or(0);
    if after > MAX_PARTS {
        return Err(params::invalid("after", rule));
    }
    let rule = "must be a number from 1 to 1000";
    let limit = params.parse("limit", rule)?.unwrap_or(PartsQuery::DEFAULT_PAGE);
    if !(1..=PartsQuery::MAX_PAGE).contains(&limit) {
        return Err(params::invalid("limit", rule));
    }
    Ok(PartsQuery { after, limit, again: params.flag("again")? })
}

/// The headers of a presigned request.
pub(super) fn headers(presigned: &Presigned) -> Map<String, Value> {
    presigned.headers.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect()
}

/// A body of POST `/media/v1/uploads/{id}/complete`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CompleteRequest)]
pub(super) struct CompleteBody {
    #[schema(max_items = 10_000)]
    parts: Vec<TagBody>,
}

/// A part, and what it was answered with.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = PartTag)]
struct TagBody {
    #[serde(deserialize_with = "whole")]
    #[schema(schema_with = leaves::part_number)]
    part_number: u16,
    #[schema(schema_with = leaves::part_etag)]
    etag: String,
}

impl JsonRequest for CompleteBody {
    fn limit(limits: &HttpLimits) -> usize {
        limits.parts_bytes
    }
}

impl CompleteBody {
    fn tags(self) -> Result<Vec<PartTag>, Problem> {
        let found = self.parts.len();
        if found > usize::from(MAX_PARTS) {
            let detail = format!("a file has at most {MAX_PARTS} parts, this names {found}");
            return Err(Problem::new(Kind::TooManyItems, detail)
                .with("limit", MAX_PARTS)
                .with("found", found));
        }
        let tag = |(index, part): (usize, TagBody)| {
            let visible = part.etag.bytes().all(|byte| byte.is_ascii_graphic());
            if part.etag.is_empty() || part.etag.len() > MAX_ETAG || !visible {
                let detail = format!(
                    "must be an ETag of 1 to {MAX_ETAG} visible ASCII characters, as the part was answered with"
                );
                return Err(InvalidField::new(format!("/parts/{index}/etag"), detail).into());
            }
            Ok(PartTag { number: part.part_number, etag: part.etag })
        };
        self.parts.into_iter().enumerate().map(tag).collect()
    }
}

/// How a file is sent in parts, in its ticket.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Multipart)]
pub(super) struct MultipartBody {
    part_size_bytes: u64,
    part_count: u16,
    #[serde(flatten)]
    page: PageBody,
}

impl MultipartBody {
    /// The plan, and the first page.
    pub(super) fn new(plan: &PartPlan, page: PartsPage) -> Self {
        Self { part_size_bytes: plan.part_bytes(), part_count: plan.count(), page: page.into() }
    }
}

/// A page of parts.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PartsPage)]
struct PageBody {
    parts: Vec<PartBody>,
    /// `after` of the next page; null on the last one.
    #[schema(required)]
    next_after: Option<u16>,
}

impl From<PartsPage> for PageBody {
    fn from(page: PartsPage) -> Self {
        Self { parts: page.parts.into_iter().map(PartBody::from).collect(), next_after: page.next_after }
    }
}

/// A part of a file, and the request that sends it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Part)]
struct PartBody {
    part_number: u16,
    size_bytes: u64,
    uploaded: bool,
    #[schema(required)]
    etag: Option<String>,
    /// The request that sends it; left out, as its method and headers, where it needn't be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = "uri")]
    upload_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    method: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = HashMap<String, String>, required = false)]
    headers: Option<Map<String, Value>>,
}

impl From<Part> for PartBody {
    fn from(part: Part) -> Self {
        let request = part.presigned.as_ref();
        Self {
            part_number: part.number,
            size_bytes: part.size_bytes,
            uploaded: part.etag.is_some(),
            method: request.map(|request| request.method),
            headers: request.map(headers),
            upload_url: part.presigned.map(|request| request.url),
            etag: part.etag,
        }
    }
}

/// More than the ETag of any store's part has.
pub(in crate::http) const MAX_ETAG: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_within_their_bounds() {
        let read = |query: &str| parts_query(&mut Params::of(Some(query)).unwrap());
        let query = read("after=10000&limit=1000&again=true").unwrap();
        assert_eq!((query.after, query.limit, query.again), (10_000, 1_000, true));
        let query = read("").unwrap();
        assert_eq!((query.after, query.limit, query.again), (0, 100, false));
        for bad in ["after=10001", "after=-1", "after=70000", "limit=0", "limit=1001", "limit=x", "again=1"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_longest_list_of_parts_fits_and_a_longer_one_is_refused() {
        let body = |count: u16| {
            let tag = |number: u16| TagBody { part_number: number, etag: "x".repeat(MAX_ETAG) };
            CompleteBody { parts: (1..=count).map(tag).collect() }
        };
        assert_eq!(body(MAX_PARTS).tags().unwrap().len(), 10_000);
        assert_eq!(body(MAX_PARTS + 1).tags().unwrap_err().kind(), Kind::TooManyItems);
        let item = format!(r#"{{ "partNumber": 10000, "etag": "\"{}\"" }},"#, "x".repeat(MAX_ETAG));
        assert!(item.len() * usize::from(MAX_PARTS) + 100 < HttpLimits::default().parts_bytes);
    }
}
