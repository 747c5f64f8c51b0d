//! What each operation may be refused for.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::schema::AllOfBuilder;
use utoipa::openapi::{
    ContentBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Schema, schema::Type,
};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

use super::examples;
use crate::http::problem::Kind;

/// Lists of kinds, by what a handler is given.
macro_rules! refusals {
    ($($(#[doc = $doc:literal])+ $name:ident = [$($list:expr),+ $(,)?];)+) => {$(
        $(#[doc = $doc])+
        pub(in crate::http) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                responses(&[$($list),+])
            }
        }
    )+};
}

refusals! {
    /// Of a permalink.
    Permalink = [QUERY, ASSET, SIGNING, &[Kind::CredentialsInvalid, Kind::TenantFrozen, Kind::InsufficientScope]];
    /// Of a batch of links.
    Links = [CALLER, QUERY, BODY, MEMBERS, SIGNING, &[Kind::TooManyItems]];
    /// Of a document.
    Documents = [
        CALLER, QUERY, BODY, SIGNING,
        &[Kind::TooDeep, Kind::TooManyLinks, Kind::UnsignedMedia, Kind::ProfileMissing],
    ];
    /// Of cookies.
    Cookies = [CALLER, QUERY, BODY, MEMBERS, SIGNING];
    /// Of a ticket.
    Tickets = [CALLER, QUERY, BODY, MEMBERS, &[Kind::InvalidHeader, Kind::IdempotencyMismatch, Kind::QuotaExceeded]];
    /// Of a look at what was uploaded.
    Finalize = [
        CALLER, QUERY, ASSET, SIGNING, &[Kind::NotUploaded, Kind::UploadRejected, Kind::TicketExpired],
    ];
    /// Of a page of parts.
    Parts = [CALLER, QUERY, ASSET, &[Kind::SentWhole, Kind::TicketExpired, Kind::StatusConflict]];
    /// Of a look at a file that came in parts.
    Complete = [
        CALLER, QUERY, BODY, MEMBERS, ASSET, SIGNING,
        &[
            Kind::TooManyItems, Kind::SentWhole, Kind::NotUploaded, Kind::UploadRejected, Kind::TicketExpired,
            Kind::StatusConflict,
        ],
    ];
    /// Of an upload that is given up.
    GiveUp = [CALLER, QUERY, ASSET, &[Kind::TicketExpired, Kind::StatusConflict, Kind::UploadRejected]];
    /// Of a page of assets.
    Pages = [CALLER, QUERY, SIGNING, &[Kind::PageNotFound]];
    /// Of one asset.
    Assets = [CALLER, QUERY, ASSET, SIGNING];
    /// Of a change.
    Changes = [
        CALLER, QUERY, BODY, MEMBERS, ASSET, SIGNING,
        &[Kind::StatusConflict, Kind::ConcurrentChange, Kind::PreconditionFailed],
    ];
    /// Of a deletion.
    Deletions = [CALLER, QUERY, ASSET, &[Kind::ConcurrentChange, Kind::PreconditionFailed]];
    /// Of a restoration.
    Restorations = [
        CALLER, QUERY, ASSET, SIGNING, &[Kind::NotDeleted, Kind::RestoreExpired, Kind::ConcurrentChange],
    ];
    /// Of counts.
    Usage = [CALLER, QUERY];
}

/// Of every operation that wants to know its caller.
const CALLER: &[Kind] =
    &[Kind::CredentialsMissing, Kind::CredentialsInvalid, Kind::TenantFrozen, Kind::InsufficientScope];
/// Of every operation that reads its query.
const QUERY: &[Kind] = &[Kind::InvalidQuery];
/// Of every operation that reads a body.
const BODY: &[Kind] = &[
    Kind::MalformedJson,
    Kind::CorruptBody,
    Kind::CutOffBody,
    Kind::SlowBody,
    Kind::BodyTooLarge,
    Kind::UnsupportedMediaType,
    Kind::UnsupportedEncoding,
];
/// Of every operation whose body has members.
const MEMBERS: &[Kind] = &[Kind::InvalidField];
/// Of every operation on one asset.
const ASSET: &[Kind] = &[Kind::AssetNotFound];
/// Of every operation that answers with links.
const SIGNING: &[Kind] = &[Kind::SigningUnavailable];
/// Of every operation.
const ALWAYS: &[Kind] =
    &[Kind::TooManyRequests, Kind::Internal, Kind::StoreUnavailable, Kind::Overloaded, Kind::TimedOut];

/// A response for each status of these kinds.
fn responses(lists: &[&[Kind]]) -> BTreeMap<String, RefOr<Response>> {
    let wanted = |kind: &Kind| lists.iter().chain([&ALWAYS]).any(|list| list.contains(kind));
    let mut by_status: BTreeMap<u16, Vec<Kind>> = BTreeMap::new();
    for kind in Kind::ALL.iter().copied().filter(wanted) {
        by_status.entry(kind.status().as_u16()).or_default().push(kind);
    }
    let of = |(status, kinds): (u16, Vec<Kind>)| (status.to_string(), response(status, &kinds).into());
    by_status.into_iter().map(of).collect()
}

fn response(status: u16, kinds: &[Kind]) -> Response {
    let types = kinds.iter().map(|kind| kind.type_uri());
    let narrower = ObjectBuilder::new()
        .property("type", ObjectBuilder::new().schema_type(Type::String).enum_values(Some(types)))
        .property("status", ObjectBuilder::new().schema_type(Type::Integer).enum_values(Some([status])));
    let schema = AllOfBuilder::new().item(Ref::from_schema_name("Problem")).item(narrower);
    let examples = kinds.iter().map(|kind| {
        let example = ExampleBuilder::new().summary(kind.title()).value(Some(example(*kind)));
        (kind.slug(), example.build())
    });
    let content =
        ContentBuilder::new().schema(Some(Schema::AllOf(schema.build()))).examples_from_iter(examples);
    let meanings: Vec<String> =
        kinds.iter().map(|kind| format!("- `{}`: {}", kind.slug(), kind.meaning())).collect();
    ResponseBuilder::new()
        .description(meanings.join("\n"))
        .content("application/problem+json", content.build())
        .build()
}

fn example(kind: Kind) -> Value {
    let detail = kind.meaning().split_inclusive(". ").next().unwrap_or_default().trim();
    json!({
        "type": kind.type_uri(),
        "title": kind.title(),
        "status": kind.status().as_u16(),
        "detail": detail,
        "instance": format!("/media/v1/assets/{}", examples::ID),
        "requestId": "01JC8Z3V5N7Q9R1T3W5Y7A9C1E",
    })
}

/// The schema of all problems.
pub(super) struct ProblemSchema;

impl PartialSchema for ProblemSchema {
    fn schema() -> RefOr<Schema> {
        let text = |description: &str| {
            ObjectBuilder::new().schema_type(Type::String).description(Some(description)).build()
        };
        let number = |description: &str| {
            ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).description(Some(description))
        };
        let types = Kind::ALL.iter().map(|kind| kind.type_uri());
        let types = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(types))
            .description(Some("Which problem it is. It never changes."));
        let mut object = ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some(
                "An error, as RFC 9457 has it. What each kind means, and which further members it has, is said \
                 where it is an answer.",
            ))
            .property("type", types)
            .property("title", text("The same for every problem of its type."))
            .property("status", number("The HTTP status.").minimum(Some(400)).maximum(Some(599)))
            .property("detail", text("What is wrong here, and what would be right."))
            .property("instance", text("The path of the request."))
            .property("requestId", text("The request's id, also in `x-request-id`; it is in the log."))
            .property("pointer", text("Where in the body, as a JSON pointer (RFC 6901)."))
            .property("parameter", text("Which query parameter."))
            .property("header", text("Which request header."))
            .property("required", text("The scope that would do."))
            .property("assetStatus", super::leaves::status())
            .property("deletedAt", super::leaves::time())
            .property("limit", number("The limit that was passed."))
            .property("offset", number("Where in the body, in bytes."))
            .property("line", number("Where in the body, from 1."))
            .property("column", number("Where in the line, from 1."));
        for member in ["type", "title", "status", "detail", "instance", "requestId"] {
            object = object.required(member);
        }
        object.build().into()
    }
}

impl ToSchema for ProblemSchema {
    fn name() -> std::borrow::Cow<'static, str> {
        "Problem".into()
    }
}
