//! POST `/media/v1/documents`.
//!
//! 1. Read the query, the media type and the content encoding.
//! 2. A document is read whole, within its limit; lines are streamed (`ndjson`).
//! 3. The service signs it; here its bytes are passed on as they are.

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use futures_util::stream;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};

use super::ndjson::LineSigner;
use crate::document::References;
use crate::http::Api;
use crate::http::admission::Room;
use crate::http::answer::{Caching, mark};
use crate::http::body::{self, Encoding, Pace};
use crate::http::caller::{May, Sign};
use crate::http::media_type::MediaType;
use crate::http::observe::RequestContext;
use crate::http::openapi::{examples, leaves, refusals};
use crate::http::params::{self, Params};
use crate::http::problem::{Kind, Problem};
use crate::service::{DocumentOptions, Profiles, SignedDocument};

#[utoipa::path(
    post,
    path = "/media/v1/documents",
    tag = "Documents",
    operation_id = "signDocument",
    summary = "Sign the media in a document",
    description = "The same document, byte for byte, with every piece of media in it signed. \
        `application/x-ndjson` is a document a line, answered a line each while the request is still coming in; a \
        line that can't be signed is answered in its place by a problem. `Content-Encoding` may be gzip, br or \
        zstd.",
    params(
        ("report" = Option<bool>, Query, description = "Wrap the answer: the document, and a row for each site in it."),
        ("strict" = Option<bool>, Query, description = "422 where something would stay unsigned."),
        ("profile" = Option<String>, Query, description = "What counts as media: a profile of this node. Otherwise the tenant's, otherwise the node's."),
        ("references" = inline(Option<leaves::ReferencesName>), Query, description = "What becomes of a string that is a `med_` id."),
        ("visibility" = inline(Option<leaves::PublicOnly>), Query, description = "`public`: what is PRIVATE stays unsigned, with the reason `private`."),
    ),
    request_body(
        description = "Any JSON (also any type that ends in `+json`), or lines of it.",
        content(
            (Value = "application/json", example = json!(examples::document())),
            (String = "application/x-ndjson", example = json!("{\"key\":\"a/b.jpg\",\"type\":\"image\"}\n{\"title\":\"none\"}\n")),
        ),
    ),
    responses(
        (
            status = 200,
            description = "The document, or `{\"document\":…,\"media\":[…]}` where a report was asked for.",
            content(
                (Value = "application/json", examples(
                    ("document" = (summary = "The document", value = json!(examples::signed()))),
                    ("report" = (summary = "With `report=true`", value = json!(examples::report()))),
                )),
                (String = "application/x-ndjson", example = json!("{\"title\":\"none\"}\n")),
            ),
            headers(
                ("Signet-Media" = String, description = "`found=12, signed=11, unsigned=1`: counts of sites. Not for lines."),
                ("Signet-Stale" = String, description = "`true` where the store is down and assets are answered as they were known. Not for lines."),
            ),
        ),
        refusals::Documents,
    ),
    security(("token" = ["media:sign"]), ("apiKey" = [])),
)]
/// A document, or lines of them, with the media in it signed.
pub(super) async fn sign(
    State(api): State<Api>,
    caller: May<Sign>,
    request: Request,
) -> Result<Response, Problem> {
    let options = options(request.uri().query(), api.services.documents.profiles())?;
    let media_type = MediaType::of(request.headers())
        .ok_or_else(|| MediaType::unsupported(&["application/json", "application/x-ndjson"]))?;
    let encoding = Encoding::of(request.headers())?;
    let (parts, body) = request.into_parts();
    let room = Room::of(&parts.extensions);
    if media_type == MediaType::Lines {
        let input = encoding.decode(body::stream(body, Pace::streaming(&api.limits), None));
        let context = parts.extensions.get().cloned();
        let context = context.unwrap_or_else(|| RequestContext::new(parts.uri.path(), "-"));
        return Ok(LineSigner { api, caller: caller.into_caller(), options, context, room }.answer(input));
    }
    let limit = api.limits.document_bytes;
    let input = encoding.decode(body::stream(body, Pace::at_once(&api.limits), Some(limit)));
    let input = body::collect(input, limit, &room).await?;
    let signed = api.in_time(api.services.documents.sign(&caller, input, options)).await?;
    let content_type = parts.headers.get(CONTENT_TYPE).filter(|_| !options.report).cloned();
    answer(signed, options, content_type)
}

/// What stands before and after a document in a report: `{"document":…,"media":[…]}`. The
/// document's bytes are as they are.
pub(super) fn wrapping(signed: &SignedDocument) -> Result<(&'static [u8], Vec<u8>), Problem> {
    let mut tail = b",\"media\":".to_vec();
    serde_json::to_writer(&mut tail, &signed.rows)
        .map_err(|error| Problem::new(Kind::Internal, "the report can't be written").caused_by(&error))?;
    tail.push(b'}');
    Ok((b"{\"document\":", tail))
}

fn options(query: Option<&str>, profiles: &Profiles) -> Result<DocumentOptions, Problem> {
    let mut params = Params::of(query)?;
    let profile = params.take("profile")?.map(|name| {
        profiles
            .find(&name)
            .map_err(|unknown| params::invalid("profile", &format!("must be one of {}", unknown.known)))
    });
    let profile = profile.transpose()?;
    let references = match params.take("references")?.as_deref() {
        None => None,
        Some("inline") => Some(References::Inline),
        Some("object") => Some(References::Object),
        Some("leave") => Some(References::Leave),
        Some(_) => return Err(params::invalid("references", "must be inline, object or leave")),
    };
    let (report, strict) = (params.flag("report")?, params.flag("strict")?);
    let public_only = params.public_only()?;
    params.finish()?;
    Ok(DocumentOptions { profile, references, report, strict, public_only })
}

/// `content_type` is the request's: a document keeps its type.
fn answer(
    signed: SignedDocument,
    options: DocumentOptions,
    content_type: Option<HeaderValue>,
) -> Result<Response, Problem> {
    let (found, signed_sites, stale) = (signed.found, signed.signed, signed.stale);
    let counts =
        format!("found={found}, signed={signed_sites}, unsigned={}", found.saturating_sub(signed_sites));
    let caching = Caching::of_links(signed.max_age.into_iter());
    let (head, tail) = if options.report { wrapping(&signed)? } else { (&b""[..], Vec::new()) };
    let length = head.len() + signed.body.len() + tail.len();
    let around = |part: Bytes| (!part.is_empty()).then_some(part);
    let head = around(Bytes::from_static(head)).into_iter();
    let blocks = head.chain(signed.body.into_blocks()).chain(around(tail.into()));
    let body = Body::from_stream(stream::iter(blocks.map(Ok::<_, std::convert::Infallible>)));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    let json = HeaderValue::from_static("application/json");
    headers.insert(CONTENT_TYPE, content_type.unwrap_or(json));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    if let Ok(counts) = HeaderValue::from_str(&counts) {
        headers.insert(SIGNET_MEDIA, counts);
    }
    caching.apply(headers);
    mark(&mut response, stale);
    Ok(response)
}

const SIGNET_MEDIA: HeaderName = HeaderName::from_static("signet-media");

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use hyper::header::CACHE_CONTROL;
    use serde_json::json;

    use super::*;
    use crate::document::{Limits, Profile, Reason, Rules};
    use crate::service::DocumentBody;

    fn signed(bytes: &'static [u8]) -> SignedDocument {
        SignedDocument {
            body: DocumentBody::unchanged(Bytes::from_static(bytes)),
            found: 12,
            signed: 11,
            unsigned: vec![(Reason::Unknown, 1)],
            max_age: Some(90),
            rows: vec![json!({"pointer": "/a"})],
            stale: false,
        }
    }

    #[test]
    fn the_query_is_read_strictly() {
        let rules = Rules {
            profile: Profile::vivreal(),
            hosts: Vec::new(),
            references: References::Inline,
            limits: Limits::default(),
        };
        let profiles = Profiles::only("shop", rules);
        let options = |query| options(Some(query), &profiles);
        let read = options("references=object&report=true&strict=false").unwrap();
        assert_eq!((read.references, read.report, read.strict), (Some(References::Object), true, false));
        assert!(!read.public_only && options("visibility=public").unwrap().public_only);
        assert_eq!(
            (read.profile, options("profile=shop").unwrap().profile),
            (None, profiles.find("shop").ok())
        );
        let problem = options("profile=Shop").unwrap_err();
        assert_eq!(problem.detail(), "the query parameter profile must be one of shop");
        for query in [
            "references=all",
            "report=1",
            "strict=",
            "reprot=true",
            "report=true&report=true",
            "profile=",
            "visibility=",
            "visibility=PUBLIC",
            "visibility=private",
        ] {
            assert!(options(query).is_err(), "{query}");
        }
    }

    #[tokio::test]
    async fn a_report_holds_the_document_byte_for_byte() {
        let options = DocumentOptions { report: true, ..DocumentOptions::default() };
        let response = answer(signed(b" [1.0, 1e400]\n"), options, None).unwrap();
        assert_eq!(response.headers()["signet-media"], "found=12, signed=11, unsigned=1");
        assert_eq!(response.headers()[CACHE_CONTROL], "private, max-age=90");
        let length: usize = response.headers()[CONTENT_LENGTH].to_str().unwrap().parse().unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, &b"{\"document\": [1.0, 1e400]\n,\"media\":[{\"pointer\":\"/a\"}]}"[..]);
        assert_eq!(body.len(), length);
    }

    #[test]
    fn a_document_keeps_its_type() {
        let options = DocumentOptions::default();
        let ld = HeaderValue::from_static("application/ld+json");
        assert_eq!(answer(signed(b"1"), options, Some(ld.clone())).unwrap().headers()[CONTENT_TYPE], ld);
    }
}
