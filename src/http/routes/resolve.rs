//! GET, HEAD `/m/{id}`: the permalink.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderValue, LOCATION, VARY};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::Api;
use crate::http::answer::{Caching, json, mark, time};
use crate::http::caller::Guest;
use crate::http::extract::PathId;
use crate::http::media_type::prefers_json;
use crate::http::openapi::{examples, leaves, refusals};
use crate::http::params::{self, Params};
use crate::http::problem::{Kind, Problem};
use crate::media::{AssetId, Derivatives, Visibility};

#[utoipa::path(
    method(get, head),
    path = "/m/{id}",
    tag = "Links",
    operation_id = "permalink",
    summary = "The permalink of an asset",
    description = "Leads to the asset's link, for as long as the asset is there. PUBLIC assets need no \
        credentials; PRIVATE ones aren't there for anybody but their tenant, who needs `media:read` or \
        `media:sign`. Unknown query parameters are ignored.",
    params(
        ("id" = inline(leaves::AssetIdText), Path, description = "The asset."),
        ("w" = inline(Option<leaves::WidthInPixels>), Query, description = "How wide it should be, at least, in pixels."),
        ("format" = inline(Option<leaves::FormatName>), Query, description = "As `Accept: application/json`."),
    ),
    responses(
        (
            status = 200,
            description = "The link as JSON, where `Accept` or `format` ask for it.",
            body = LinkBody,
            headers(("Signet-Stale" = String, description = "`true` where the store is down and the asset is answered as it was known.")),
            example = json!(examples::link()),
        ),
        (
            status = 302,
            description = "To the link.",
            headers(
                ("Location" = String, description = "The link."),
                ("Signet-Stale" = String, description = "`true` where the store is down and the asset is answered as it was known."),
            ),
        ),
        refusals::Permalink,
    ),
    security((), ("token" = ["media:read"]), ("token" = ["media:sign"]), ("apiKey" = [])),
)]
/// 302 to the link, or the link as JSON. Unknown parameters are ignored: permalinks get them
/// appended by those who pass them on.
pub(super) async fn resolve(
    State(api): State<Api>,
    PathId(id): PathId,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    Guest(caller): Guest,
) -> Result<Response, Problem> {
    let Wish { width, as_json } = Wish::of(query.as_deref())?;
    let resolved = api.in_time(api.services.resolver.resolve(id, width, caller.as_ref())).await?;
    let link = &resolved.link;
    let caching = match resolved.visibility {
        Visibility::Public => Caching::Public(link.max_age),
        Visibility::Private => Caching::Private(link.max_age),
    };
    let mut response = if as_json || prefers_json(&headers) {
        let body = LinkBody { id: resolved.id, link: &link.url, expires_at: link.expires.map(time) };
        json(StatusCode::OK, &body, caching)?
    } else {
        redirect(&link.url, caching)?
    };
    let vary = match resolved.visibility {
        Visibility::Public => "Accept",
        Visibility::Private => "Accept, Authorization",
    };
    response.headers_mut().insert(VARY, HeaderValue::from_static(vary));
    mark(&mut response, resolved.stale);
    Ok(response)
}

fn redirect(url: &str, caching: Caching) -> Result<Response, Problem> {
    let location = HeaderValue::from_str(url)
        .map_err(|error| Problem::new(Kind::Internal, "the link isn't a header").caused_by(&error))?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(LOCATION, location);
    caching.apply(response.headers_mut());
    Ok(response)
}

/// What the query asks for.
#[derive(Debug, PartialEq, Eq)]
struct Wish {
    /// Pixels, at least.
    width: Option<u32>,
    as_json: bool,
}

impl Wish {
    fn of(query: Option<&str>) -> Result<Self, Problem> {
        let mut params = Params::lenient(query);
        let rule = "must be a whole number of pixels from 1 to 16384";
        let width = params.parse("w", rule)?;
        if width.is_some_and(|width| !(1..=Derivatives::MAX_WIDTH).contains(&width)) {
            return Err(params::invalid("w", rule));
        }
        let as_json = match params.take("format")?.as_deref() {
            None => false,
            Some("json") => true,
            Some(_) => return Err(params::invalid("format", "must be json")),
        };
        Ok(Self { width, as_json })
    }
}

/// A link as JSON.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Link)]
struct LinkBody<'a> {
    #[schema(schema_with = leaves::asset_id)]
    id: AssetId,
    #[schema(format = "uri")]
    link: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = leaves::time)]
    expires_at: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_read_and_strange_parameters_ignored() {
        let wish = Wish::of(Some("utm_source=%ff&w=640&format=json&fbclid=y")).unwrap();
        assert_eq!(wish, Wish { width: Some(640), as_json: true });
        assert_eq!(Wish::of(None).unwrap(), Wish { width: None, as_json: false });
        assert!(Wish::of(Some("w=16384")).is_ok());
    }

    #[test]
    fn wrong_wishes_are_refused() {
        for query in ["w=0", "w=16385", "w=-1", "w=1.5", "w=", "w=1&w=2", "format=xml", "format="] {
            assert!(Wish::of(Some(query)).is_err(), "{query}");
        }
    }
}
