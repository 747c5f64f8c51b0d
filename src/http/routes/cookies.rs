//! POST `/media/v1/cookies`.

use std::net::IpAddr;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{HeaderValue, SET_COOKIE};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::http::Api;
use crate::http::answer::{Caching, json, time};
use crate::http::caller::{May, Sign};
use crate::http::extract::{Json, JsonRequest};
use crate::http::openapi::{examples, leaves, refusals};
use crate::http::params::Params;
use crate::http::problem::{Kind, Problem};
use crate::service::CookieGrant;

#[utoipa::path(
    post,
    path = "/media/v1/cookies",
    tag = "Links",
    operation_id = "signCookies",
    summary = "Cookies for a folder",
    description = "Cookies that open everything under a folder, as JSON and as `Set-Cookie`. Not for the root, nor \
        for `private/`, nor for the folder of an asset that has no link.",
    request_body(content = FolderBody, example = json!({"folder": "groupObjects/"})),
    responses(
        (
            status = 200,
            description = "The cookies, and where they belong.",
            body = GrantBody,
            headers(("Set-Cookie" = String, description = "The same cookies, one header each.")),
            example = json!(examples::cookies()),
        ),
        refusals::Cookies,
    ),
    security(("token" = ["media:sign"]), ("apiKey" = [])),
)]
/// Cookies for a folder, in the body and as `Set-Cookie` headers.
pub(super) async fn grant(
    State(api): State<Api>,
    caller: May<Sign>,
    RawQuery(query): RawQuery,
    Json(body): Json<FolderBody>,
) -> Result<Response, Problem> {
    Params::of(query.as_deref())?.finish()?;
    let grant = api.in_time(api.services.cookies.grant(&caller, &body.folder)).await?;
    let shown = GrantBody {
        cookies: grant
            .cookies
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_str().into()))
            .collect(),
        domain: &grant.domain,
        path: &grant.path,
        expires_at: time(grant.expires),
    };
    let mut response = json(StatusCode::OK, &shown, Caching::No)?;
    for (name, value) in &grant.cookies {
        let header = HeaderValue::from_str(&set_cookie(&grant, name, value)).map_err(|error| {
            Problem::new(Kind::Internal, "the cookies can't be written").caused_by(&error)
        })?;
        response.headers_mut().append(SET_COOKIE, header);
    }
    Ok(response)
}

/// One `Set-Cookie` header.
///
/// - No `Expires`, no `Max-Age`: the policy says when it ends, and the browser forgets it with the
///   session.
/// - `SameSite=None`: the page that shows the media is often of another site than the media host
///   (a customer's own domain). Browsers demand `Secure` with it; over plain HTTP (development)
///   `Lax` is what works.
/// - No `Domain` for addresses and single names such as `localhost`: browsers refuse it there.
fn set_cookie(grant: &CookieGrant, name: &str, value: &str) -> String {
    let domain = if has_domain(&grant.domain) { format!("; Domain={}", grant.domain) } else { String::new() };
    let site = if grant.secure { "; Secure; HttpOnly; SameSite=None" } else { "; HttpOnly; SameSite=Lax" };
    format!("{name}={value}{domain}; Path={}{site}", grant.path)
}

fn has_domain(domain: &str) -> bool {
    let host = domain.trim_start_matches('.');
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.contains('.') && bare.parse::<IpAddr>().is_err()
}

/// A body of POST `/media/v1/cookies`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CookiesRequest)]
pub(super) struct FolderBody {
    #[schema(schema_with = leaves::folder)]
    folder: String,
}

impl JsonRequest for FolderBody {}

/// Cookies, and where they belong.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Cookies)]
struct GrantBody<'a> {
    #[schema(value_type = HashMap<String, String>)]
    cookies: Map<String, Value>,
    domain: &'a str,
    path: &'a str,
    #[schema(schema_with = leaves::time)]
    expires_at: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(domain: &str, secure: bool) -> CookieGrant {
        CookieGrant { cookies: vec![], domain: domain.into(), path: "/vivreal-a/".into(), expires: 0, secure }
    }

    #[test]
    fn cookies_work_across_sites_where_the_media_host_has_tls() {
        assert_eq!(
            set_cookie(&grant("media.vivreal.io", true), "CloudFront-Policy", "e30_"),
            "CloudFront-Policy=e30_; Domain=media.vivreal.io; Path=/vivreal-a/; Secure; HttpOnly; SameSite=None"
        );
    }

    #[test]
    fn cookies_work_on_plain_local_hosts() {
        for host in ["localhost", "127.0.0.1", "[::1]"] {
            assert_eq!(
                set_cookie(&grant(host, false), "a", "b"),
                "a=b; Path=/vivreal-a/; HttpOnly; SameSite=Lax"
            );
        }
    }
}
