//! GET, HEAD `/m/{id}`: the permalink.

use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::{RawQuery, State};
use axum::response::Response;
use hyper::header::{CONTENT_LENGTH, HeaderMap, HeaderValue, LOCATION, VARY};
use hyper::{Method, StatusCode, Uri};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::answer::{Caching, json, mark, time};
use crate::http::caller::Guest;
use crate::http::extract::PathId;
use crate::http::look::Look;
use crate::http::media_type::prefers_json;
use crate::http::observe::REQUEST_ID;
use crate::http::openapi::{examples, leaves, refusals};
use crate::http::params::{self, Params};
use crate::http::problem::{Kind, Problem};
use crate::http::{Api, Cors};
use crate::media::{AssetId, Derivatives, Visibility};
use crate::service::hot_links::HotLinks;
use crate::service::resolve::{Grounds, Ready};
use crate::service::{Resolved, Services};

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
    let mut response =
        if as_json || prefers_json(&headers) { as_body(&resolved)? } else { redirect(&resolved)? };
    mark(&mut response, resolved.stale);
    Ok(response)
}

/// Permalinks that are answered before a route is looked for: by whoever asks for a PUBLIC asset's redirect, and
/// brings nothing that would have to be looked at.
pub(in crate::http) struct Permalinks {
    services: Arc<Services>,
    /// What [`Cors`] adds to answers.
    open: HeaderMap,
    hot: HotLinks<Prepared>,
}

/// The headers of an answer, and what they hold for.
struct Prepared {
    headers: HeaderMap,
    /// Seconds, as they say.
    max_age: u64,
    grounds: Grounds,
}

impl Permalinks {
    /// The route that they are of.
    pub(in crate::http) const ROUTE: &'static str = "/m/{id}";

    /// The permalinks of these services.
    pub(in crate::http) fn new(services: Arc<Services>, cors: &Cors) -> Self {
        Self { services, open: cors.common_headers(), hot: HotLinks::default() }
    }

    /// What [`resolve`] would answer, where nothing has to be waited for.
    pub(in crate::http) fn ready<B: HttpBody>(
        &self,
        request: &hyper::Request<B>,
        look: Look<'_>,
    ) -> Option<Response> {
        let target = request.uri().path_and_query()?.as_str();
        if !target.starts_with("/m/") {
            return None;
        }
        let plain = matches!(*request.method(), Method::GET | Method::HEAD) && request.body().is_end_stream();
        if !plain || look.authorization || look.origin {
            return None;
        }
        if look.may_name_json && prefers_json(request.headers()) {
            return None;
        }
        let hot = self.hot.get(target, |prepared| self.again(prepared));
        let mut response = hot.or_else(|| self.ready_redirect(target, request.uri()))?;
        if *request.method() == Method::HEAD {
            // As the routes say it; after GET the connection does.
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        Some(response)
    }

    /// A redirect that was answered before, where the same would be answered again.
    fn again(&self, prepared: &mut Prepared) -> Option<Response> {
        let max_age = self.services.resolver.still(&prepared.grounds)?;
        if max_age != prepared.max_age {
            Caching::Public(max_age).apply(&mut prepared.headers);
            prepared.max_age = max_age;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::FOUND;
        *response.headers_mut() = prepared.headers.clone();
        Some(response)
    }

    fn ready_redirect(&self, target: &str, uri: &Uri) -> Option<Response> {
        let id = uri.path().strip_prefix("/m/")?.parse().ok()?;
        let Wish { width, as_json: false } = Wish::of(uri.query()).ok()? else { return None };
        let Ready { resolved, grounds } = self.services.resolver.ready(id, width)?;
        let mut response = redirect(&resolved).ok()?;
        for (name, value) in &self.open {
            response.headers_mut().append(name, value.clone());
        }
        // Each answer has its own, in this place.
        response.headers_mut().insert(REQUEST_ID, HeaderValue::from_static(""));
        let (headers, max_age) = (response.headers(), resolved.link.max_age);
        self.hot.keep(target, || Prepared { headers: headers.clone(), max_age, grounds });
        Some(response)
    }
}

fn redirect(resolved: &Resolved) -> Result<Response, Problem> {
    let location = HeaderValue::from_str(&resolved.link.url)
        .map_err(|error| Problem::new(Kind::Internal, "the link isn't a header").caused_by(&error))?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(LOCATION, location);
    caching(resolved).apply(response.headers_mut());
    response.headers_mut().insert(VARY, vary(resolved));
    Ok(response)
}

fn as_body(resolved: &Resolved) -> Result<Response, Problem> {
    let link = &resolved.link;
    let body = LinkBody { id: resolved.id, link: &link.url, expires_at: link.expires.map(time) };
    let mut response = json(StatusCode::OK, &body, caching(resolved))?;
    response.headers_mut().insert(VARY, vary(resolved));
    Ok(response)
}

fn caching(resolved: &Resolved) -> Caching {
    match resolved.visibility {
        Visibility::Public => Caching::Public(resolved.link.max_age),
        Visibility::Private => Caching::Private(resolved.link.max_age),
    }
}

fn vary(resolved: &Resolved) -> HeaderValue {
    HeaderValue::from_static(match resolved.visibility {
        Visibility::Public => "Accept",
        Visibility::Private => "Accept, Authorization",
    })
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
        if query.is_none() {
            return Ok(Self { width: None, as_json: false });
        }
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
