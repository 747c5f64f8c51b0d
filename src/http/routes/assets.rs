//! GET `/media/v1/assets`, GET, PATCH, DELETE `/media/v1/assets/{id}`,
//! POST `/media/v1/assets/{id}/restore`, GET `/media/v1/usage`.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use futures_util::TryFutureExt;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::asset_body::AssetBody;
use crate::http::Api;
use crate::http::answer::{self, Caching, json};
use crate::http::caller::{May, Read, Write};
use crate::http::conditions;
use crate::http::extract::{Json, JsonRequest, PathId};
use crate::http::params::{self, Params};
use crate::http::problem::{Kind, Problem};
use crate::media::{ContentType, InvalidField, Status, Tally, Visibility};
use crate::service::ports::AssetFilter;
use crate::service::{AssetError, AssetPatch, AssetView, Assets};

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
    let page = api
        .in_time(api.services.assets.list(&caller, filter, cursor.as_deref(), limit).map_err(cursor_problem))
        .await?;
    let caching = Caching::of_links(page.items.iter().flat_map(max_age));
    let items = page.items.iter().map(AssetBody::from).collect();
    json(StatusCode::OK, &PageBody { items, next_cursor: page.next_cursor }, caching)
}

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
    let tagged = asset(&view, Caching::of_links(max_age(&view).into_iter()))?;
    let tag = tagged.headers().get(ETAG).and_then(|tag| tag.to_str().ok());
    let known = tag.is_some_and(|tag| conditions::none_match_names(&headers, tag));
    Ok(if known { not_modified(tagged) } else { tagged })
}

/// Brings a deleted asset back. A body isn't needed and isn't read.
pub(super) async fn restore(
    State(api): State<Api>,
    caller: May<Write>,
    PathId(id): PathId,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Params::of(query.as_deref())?.finish()?;
    let view = api.in_time(api.services.assets.restore(&caller, id)).await?;
    asset(&view, Caching::No)
}

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
    asset(&view, Caching::No)
}

/// Deletes softly: 204, and 404 from then on.
pub(super) async fn delete(
    State(api): State<Api>,
    caller: May<Write>,
    PathId(id): PathId,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Params::of(query.as_deref())?.finish()?;
    let expected = conditions::if_match(&headers, id);
    api.in_time(api.services.assets.delete(&caller, id, &expected)).await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Caching::No.apply(response.headers_mut());
    Ok(response)
}

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

/// An answer with one asset and its tag.
fn asset(view: &AssetView, caching: Caching) -> Result<Response, Problem> {
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

/// The same without its body: tag and caching stay.
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

/// The cursor is a member of the query here, not of a body.
fn cursor_problem(error: AssetError) -> Problem {
    match error {
        AssetError::Field(InvalidField { pointer, detail, .. }) if pointer == "/cursor" => {
            Problem::new(Kind::InvalidQuery, detail).with("parameter", "cursor")
        }
        error => error.into(),
    }
}

fn max_age(view: &AssetView) -> Option<u64> {
    view.link.as_ref().map(|link| link.max_age)
}

/// A body of PATCH.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PatchBody {
    visibility: Option<Visibility>,
    metadata: Option<Map<String, Value>>,
}

impl JsonRequest for PatchBody {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PageBody<'a> {
    items: Vec<AssetBody<'a>>,
    next_cursor: Option<String>,
}

/// READY files, PENDING ones, and the most that both may be together; null is no bound.
#[derive(Serialize)]
struct UsageBody {
    count: u64,
    bytes: u64,
    pending: TallyBody,
    quota: QuotaBody,
}

#[derive(Serialize)]
struct TallyBody {
    count: u64,
    bytes: u64,
}

impl From<Tally> for TallyBody {
    fn from(Tally { count, bytes }: Tally) -> Self {
        Self { count, bytes }
    }
}

#[derive(Serialize)]
struct QuotaBody {
    count: Option<u64>,
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
