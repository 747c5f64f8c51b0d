//! GET `/media/v1/uploads/{id}/parts`, POST `/media/v1/uploads/{id}/complete`, DELETE `/media/v1/uploads/{id}`.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::asset_body::AssetBody;
use crate::http::Api;
use crate::http::answer::{Caching, json};
use crate::http::caller::{May, Write};
use crate::http::extract::{Json, JsonRequest, PathId};
use crate::http::limits::HttpLimits;
use crate::http::params::{self, Params};
use crate::http::problem::{Kind, Problem};
use crate::media::{InvalidField, MAX_PARTS, PartPlan};
use crate::service::ports::{PartTag, Presigned};
use crate::service::{Part, PartsPage, PartsQuery};

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
    json(StatusCode::OK, &AssetBody::from(&view), Caching::No)
}

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
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CompleteBody {
    parts: Vec<TagBody>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TagBody {
    part_number: u16,
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
            if part.etag.is_empty() || part.etag.len() > MAX_ETAG {
                let detail =
                    format!("must be an ETag of 1 to {MAX_ETAG} bytes, as the part was answered with");
                return Err(InvalidField::new(format!("/parts/{index}/etag"), detail).into());
            }
            Ok(PartTag { number: part.part_number, etag: part.etag })
        };
        self.parts.into_iter().enumerate().map(tag).collect()
    }
}

/// How a file is sent in parts, in its ticket.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PageBody {
    parts: Vec<PartBody>,
    next_after: Option<u16>,
}

impl From<PartsPage> for PageBody {
    fn from(page: PartsPage) -> Self {
        Self { parts: page.parts.into_iter().map(PartBody::from).collect(), next_after: page.next_after }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PartBody {
    part_number: u16,
    size_bytes: u64,
    uploaded: bool,
    etag: Option<String>,
    /// Left out where the part needn't be sent.
    #[serde(flatten)]
    request: Option<RequestBody>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestBody {
    upload_url: String,
    method: &'static str,
    headers: Map<String, Value>,
}

impl From<Part> for PartBody {
    fn from(part: Part) -> Self {
        let request = part.presigned.map(|presigned| RequestBody {
            headers: headers(&presigned),
            method: presigned.method,
            upload_url: presigned.url,
        });
        Self {
            part_number: part.number,
            size_bytes: part.size_bytes,
            uploaded: part.etag.is_some(),
            etag: part.etag,
            request,
        }
    }
}

/// More than the ETag of any store's part has.
const MAX_ETAG: usize = 128;

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
