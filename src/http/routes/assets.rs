//! GET `/media/v1/assets`, GET, PATCH, DELETE `/media/v1/assets/{id}`,
//! POST `/media/v1/assets/{id}/restore`, GET `/media/v1/usage`.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, ETAG, HeaderMap};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::asset_body::{AssetBody, answer_with};
use crate::http::Api;
use crate::http::answer::{Caching, json};
use crate::http::caller::{May, Read, Write};
use crate::http::conditions;
use crate::http::extract::{Json, JsonRequest, PathId};
use crate::http::openapi::{examples, leaves, refusals};
use crate::http::params::{self, Params};
use crate::http::problem::Problem;
use crate::media::{AssetId, ContentType, Status, Tally, Visibility};
use crate::service::ports::AssetFilter;
use crate::service::{AssetPatch, AssetView, Assets};

/// How long a deletion waits until the asset's files are out of reach, where answers may take twice as long.
const DELETION_PATIENCE: Duration = Duration::from_secs(10);

#[utoipa::path(
    get,
    path = "/media/v1/assets",
    tag = "Files",
    operation_id = "listAssets",
    summary = "The tenant's assets, newest first",
    description = "In pages, which stay right while others insert and delete: `nextCursor` is the `cursor` of the next one, null on the last.",
    params(
        ("visibility" = inline(Option<leaves::VisibilityName>), Query, description = "Only these."),
        ("contentType" = inline(Option<leaves::ContentTypeText>), Query, description = "Only these."),
        ("status" = inline(Option<leaves::StatusName>), Query, description = "Only these."),
        ("limit" = inline(Option<leaves::PageLength>), Query, description = "How many a page."),
        ("cursor" = inline(Option<leaves::CursorText>), Query, description = "Where the page begins: `nextCursor` of the one before."),
    ),
    responses(
        (status = 200, description = "A page.", body = PageBody, example = json!(examples::page())),
        refusals::Pages,
    ),
    security(("token" = ["media:read"]), ("apiKey" = [])),
)]
/// A page of the caller's assets, newest first.
/// `?visibility=&contentType=&status=&limit=&cursor=`
pub(super) async fn list(
    State(api): State<Api>,
    caller: May<Read>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut params = Params::of(query.as_deref())?;
    let filter = filter(&mut params)?;
    let limit = limit(&mut params)?;
    let cursor = params.take("cursor")?;
    params.finish()?;
    let page = api.in_time(api.services.assets.list(&caller, filter, cursor.as_deref(), limit)).await?;
    let caching = Caching::of_links(page.items.iter().flat_map(max_age));
    let items = page.items.iter().map(AssetBody::from).collect();
    json(StatusCode::OK, &PageBody { items, next_cursor: page.next_cursor }, caching)
}

#[utoipa::path(
    get,
    path = "/media/v1/assets/{id}",
    tag = "Files",
    operation_id = "getAsset",
    summary = "One asset",
    description = "With its link, once it is READY. `ETag` is of the whole answer, its link included.",
    params(
        ("id" = inline(leaves::AssetIdText), Path, description = "The asset."),
        ("If-None-Match" = inline(Option<leaves::EntityTags>), Header, description = "304 where the answer is still the same."),
    ),
    responses(
        (
            status = 200,
            description = "The asset.",
            body = AssetBody,
            headers(("ETag" = String, description = "For `If-Match` and `If-None-Match`.")),
            example = json!(examples::asset()),
        ),
        (status = 304, description = "It is what `If-None-Match` names.", headers(("ETag" = String, description = "Its tag."))),
        refusals::Assets,
    ),
    security(("token" = ["media:read"]), ("apiKey" = [])),
)]
/// One asset with its link.
pub(super) async fn find(
    State(api): State<Api>,
    caller: May<Read>,
    PathId(id): PathId,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Params::of(query.as_deref())?.finish()?;
    let view = api.in_time(api.services.assets.find(&caller, id)).await?;
    let tagged = answer_with(&view, Caching::of_links(max_age(&view).into_iter()))?;
    let tag = tagged.headers().get(ETAG).and_then(|tag| tag.to_str().ok());
    let known = tag.is_some_and(|tag| conditions::none_match_names(&headers, tag));
    Ok(if known { not_modified(tagged) } else { tagged })
}

#[utoipa::path(
    post,
    path = "/media/v1/assets/{id}/restore",
    tag = "Files",
    operation_id = "restoreAsset",
    summary = "Bring a deleted asset back",
    description = "As it was, within the days that deleted assets are kept.",
    params(("id" = inline(leaves::AssetIdText), Path, description = "The asset.")),
    responses(
        (
            status = 200,
            description = "The asset.",
            body = AssetBody,
            headers(("ETag" = String, description = "For `If-Match` and `If-None-Match`.")),
            example = json!(examples::asset()),
        ),
        refusals::Restorations,
    ),
    security(("token" = ["media:write"]), ("apiKey" = [])),
)]
/// Brings a deleted asset back. A body isn't needed and isn't read.
pub(super) async fn restore(
    State(api): State<Api>,
    caller: May<Write>,
    PathId(id): PathId,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Params::of(query.as_deref())?.finish()?;
    let view = api.in_time(api.services.assets.restore(&caller, id)).await?;
    answer_with(&view, Caching::No)
}

#[utoipa::path(
    patch,
    path = "/media/v1/assets/{id}",
    tag = "Files",
    operation_id = "changeAsset",
    summary = "Change metadata and visibility",
    description = "Metadata as a merge patch (RFC 7396): null removes a member. A change of visibility moves the file before it answers; only a READY asset can be moved.",
    params(
        ("id" = inline(leaves::AssetIdText), Path, description = "The asset."),
        ("If-Match" = inline(Option<leaves::EntityTags>), Header, description = "Only if the asset is still of this revision: 412 otherwise."),
    ),
    request_body(content = PatchBody, example = json!(examples::change())),
    responses(
        (
            status = 200,
            description = "The asset, changed.",
            body = AssetBody,
            headers(("ETag" = String, description = "For `If-Match` and `If-None-Match`.")),
            example = json!(examples::asset()),
        ),
        refusals::Changes,
    ),
    security(("token" = ["media:write"]), ("apiKey" = [])),
)]
/// Changes metadata (as a JSON merge patch) and visibility.
pub(super) async fn patch(
    State(api): State<Api>,
    caller: May<Write>,
    PathId(id): PathId,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    Json(body): Json<PatchBody>,
) -> Result<Response, Problem> {
    Params::of(query.as_deref())?.finish()?;
    let patch = AssetPatch { visibility: body.visibility, metadata: body.metadata };
    let expected = conditions::if_match(&headers, id);
    let view = api.in_time(api.services.assets.patch(&caller, id, &expected, patch)).await?;
    answer_with(&view, Caching::No)
}

#[utoipa::path(
    delete,
    path = "/media/v1/assets/{id}",
    tag = "Files",
    operation_id = "deleteAsset",
    summary = "Delete an asset",
    description = "Softly: it is gone for everybody, and can be restored for a while. Its files are moved to where no link leads before the answer; where that takes long, the answer is 202, the work goes on, and GET of the asset says `deleting` until it is done.",
    params(
        ("id" = inline(leaves::AssetIdText), Path, description = "The asset."),
        ("If-Match" = inline(Option<leaves::EntityTags>), Header, description = "Only if the asset is still of this revision: 412 otherwise."),
    ),
    responses(
        (
            status = 204,
            description = "It is deleted.",
            links(("restore" = (operation_id = "restoreAsset", parameters(("id" = "$request.path.id"))))),
        ),
        (
            status = 202,
            description = "It is deleted, and its files are still on their way out of reach. GET of the asset is a 404 once they are.",
            body = DeletingBody,
            example = json!(examples::deleting()),
        ),
        refusals::Deletions,
    ),
    security(("token" = ["media:write"]), ("apiKey" = [])),
)]
/// Deletes softly: 204, and 404 from then on. 202 where moving its files takes longer than an answer should.
pub(super) async fn delete(
    State(api): State<Api>,
    caller: May<Write>,
    PathId(id): PathId,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Params::of(query.as_deref())?.finish()?;
    let expected = conditions::if_match(&headers, id);
    let deletion = api.in_time(api.services.assets.delete(&caller, id, &expected)).await?;
    if !deletion.finished(DELETION_PATIENCE.min(api.limits.answer_time / 2)).await? {
        return json(StatusCode::ACCEPTED, &DeletingBody { asset_id: id, deleting: true }, Caching::No);
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Caching::No.apply(response.headers_mut());
    Ok(response)
}

#[utoipa::path(
    get,
    path = "/media/v1/usage",
    tag = "Files",
    operation_id = "getUsage",
    summary = "What the tenant stores",
    description = "READY assets, PENDING ones, and the most that both may be together.",
    responses(
        (status = 200, description = "The counts.", body = UsageBody, example = json!(examples::usage())),
        refusals::Usage,
    ),
    security(("token" = ["media:read"]), ("apiKey" = [])),
)]
/// What the caller has, and how much it may.
pub(super) async fn usage(
    State(api): State<Api>,
    caller: May<Read>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Params::of(query.as_deref())?.finish()?;
    let (usage, quota) = api.in_time(api.services.assets.usage(&caller)).await?;
    let body = UsageBody {
        count: usage.ready.count,
        bytes: usage.ready.bytes,
        pending: usage.pending.into(),
        quota: QuotaBody { count: quota.count, bytes: quota.bytes },
    };
    json(StatusCode::OK, &body, Caching::No)
}

/// An answer without its body: tag and caching stay.
fn not_modified(mut response: Response) -> Response {
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    *response.body_mut() = Body::empty();
    response.headers_mut().remove(CONTENT_TYPE);
    response
}

fn filter(params: &mut Params) -> Result<AssetFilter, Problem> {
    let visibility = match params.take("visibility")?.as_deref() {
        None => None,
        Some("PUBLIC") => Some(Visibility::Public),
        Some("PRIVATE") => Some(Visibility::Private),
        Some(_) => return Err(params::invalid("visibility", "must be PUBLIC or PRIVATE")),
    };
    let status = match params.take("status")?.as_deref() {
        None => None,
        Some("PENDING") => Some(Status::Pending),
        Some("READY") => Some(Status::Ready),
        Some("REJECTED") => Some(Status::Rejected),
        Some("EXPIRED") => Some(Status::Expired),
        Some(_) => return Err(params::invalid("status", "must be PENDING, READY, REJECTED or EXPIRED")),
    };
    let content_type = match params.take("contentType")? {
        None => None,
        Some(text) => Some(
            ContentType::parse(&text)
                .ok_or_else(|| params::invalid("contentType", "must be type/subtype, without parameters"))?,
        ),
    };
    Ok(AssetFilter { visibility, content_type, status })
}

fn limit(params: &mut Params) -> Result<usize, Problem> {
    let rule = "must be a number from 1 to 200";
    let limit = params.parse("limit", rule)?.unwrap_or(Assets::DEFAULT_PAGE);
    if !(1..=Assets::MAX_PAGE).contains(&limit) {
        return Err(params::invalid("limit", rule));
    }
    Ok(limit)
}

fn max_age(view: &AssetView) -> Option<u64> {
    view.link.as_ref().map(|link| link.max_age)
}

/// A body of PATCH.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = AssetChange)]
pub(super) struct PatchBody {
    #[schema(schema_with = leaves::visibility_or_null)]
    visibility: Option<Visibility>,
    #[schema(schema_with = leaves::metadata_or_null)]
    metadata: Option<Map<String, Value>>,
}

impl JsonRequest for PatchBody {}

/// A page of assets.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AssetPage)]
struct PageBody<'a> {
    items: Vec<AssetBody<'a>>,
    /// `cursor` of the next page; null on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// An asset that is deleted, and whose files are still on their way out of reach.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DeletingAsset)]
struct DeletingBody {
    #[schema(schema_with = leaves::asset_id)]
    asset_id: AssetId,
    deleting: bool,
}

/// READY files, PENDING ones, and the most that both may be together.
#[derive(Serialize, ToSchema)]
#[schema(as = Usage)]
struct UsageBody {
    count: u64,
    bytes: u64,
    pending: TallyBody,
    quota: QuotaBody,
}

/// Files, and their bytes.
#[derive(Serialize, ToSchema)]
#[schema(as = Tally)]
struct TallyBody {
    count: u64,
    bytes: u64,
}

impl From<Tally> for TallyBody {
    fn from(Tally { count, bytes }: Tally) -> Self {
        Self { count, bytes }
    }
}

/// The most; null is no bound.
#[derive(Serialize, ToSchema)]
#[schema(as = Quota)]
struct QuotaBody {
    #[schema(required)]
    count: Option<u64>,
    #[schema(required)]
    bytes: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_and_limits_are_read() {
        let mut params =
            Params::of(Some("visibility=PUBLIC&status=READY&contentType=Image/png&limit=200")).unwrap();
        let filter = filter(&mut params).unwrap();
        assert_eq!(filter.visibility, Some(Visibility::Public));
        assert_eq!(filter.status, Some(Status::Ready));
        assert_eq!(filter.content_type.unwrap().as_str(), "image/png");
        assert_eq!(limit(&mut params).unwrap(), 200);
        assert_eq!(limit(&mut Params::of(None).unwrap()).unwrap(), 50);
    }

    #[test]
    fn wrong_filters_and_limits_are_refused() {
        for query in ["visibility=public", "status=", "contentType=png"] {
            assert!(filter(&mut Params::of(Some(query)).unwrap()).is_err(), "{query}");
        }
        for query in ["limit=0", "limit=201", "limit=-1", "limit=x", "limit="] {
            assert!(limit(&mut Params::of(Some(query)).unwrap()).is_err(), "{query}");
        }
    }
}
