//! Schemas of single values: each says as much of its rule as a schema can, so that what it allows is
//! accepted, and what it doesn't allow isn't.

use serde_json::Value;
use utoipa::openapi::schema::{
    AdditionalProperties, AnyOfBuilder, ArrayBuilder, KnownFormat, Object, ObjectBuilder, SchemaFormat,
    SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr, Schema};

use super::{examples, filename};
use crate::document::Reason;
use crate::http::routes::MAX_ETAG;
use crate::media::{Derivatives, Filename, MAX_PARTS, Metadata, Status, Visibility};
use crate::service::cookies::MAX_FOLDER;
use crate::service::cursor::Cursors;
use crate::service::{Assets, BatchLinks, PartsQuery};

/// Makes of functions that give a schema types that parameters can name.
macro_rules! named {
    ($($name:ident = $schema:ident,)+) => {$(
        /// As the function of the same name.
        pub(in crate::http) struct $name;

        impl utoipa::PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                RefOr::T(Schema::Object($schema()))
            }
        }

        impl utoipa::ToSchema for $name {}
    )+};
}

named! {
    AssetIdText = asset_id,
    ContentTypeText = any_content_type,
    CursorText = cursor,
    EntityTags = entity_tags,
    FormatName = format_name,
    IdempotencyKeyText = idempotency_key,
    PageLength = page_length,
    PartsAfter = parts_after,
    PartsLength = parts_length,
    PublicOnly = public_only,
    ReferencesName = references,
    StatusName = status,
    VisibilityName = visibility,
    WidthInPixels = width,
}

/// An asset's id: `med_` and a ULID.
pub(in crate::http) fn asset_id() -> Object {
    text("^med_[0-7][0-9A-HJKMNP-TV-Z]{25}$", "`med_` and 26 characters of a ULID, in upper case.")
        .examples([examples::ID])
        .build()
}

/// A file's name as a client writes it: something of its last segment must be left once it is cleaned.
pub(in crate::http) fn file_name() -> Object {
    text(
        filename::pattern(),
        "The file's name. What stands before the last `/` or `\\` is dropped, so are characters that nobody sees, \
         and dots and spaces at the ends; one character at least must be left.",
    )
    .max_length(Some(Filename::MAX_GIVEN))
    .examples(["harbour.jpg"])
    .build()
}

/// A MIME type to look for.
pub(in crate::http) fn any_content_type() -> Object {
    text(
        "^[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}$",
        "`type/subtype`, without parameters; case doesn't matter.",
    )
    .examples(["image/jpeg"])
    .build()
}

/// One of the types of the settings, which are put in when the document is finished.
pub(in crate::http) fn upload_content_type() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("The file's type: one that this node takes. The first bytes must show it."))
        .build()
}

/// A file's length; the limits of the settings are put in when the document is finished.
pub(in crate::http) fn size_bytes() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(1))
        .description(Some("The exact length in bytes."))
        .build()
}

/// A SHA-256.
pub(in crate::http) fn checksum() -> Object {
    text(
        "^(?:[0-9A-Fa-f]{64}|[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)$",
        "SHA-256 of the content, in base64 or as 64 hexadecimal digits.",
    )
    .schema_type(nullable(Type::String))
    .examples([examples::CHECKSUM])
    .build()
}

/// Who may read an asset.
pub(in crate::http) fn visibility() -> Object {
    words(Visibility::ALL.map(Visibility::as_str), "PUBLIC: anybody. PRIVATE: its tenant, by links.").build()
}

/// The same, or nothing.
pub(in crate::http) fn visibility_or_null() -> Object {
    let words = Visibility::ALL.map(Visibility::as_str).map(Value::from);
    ObjectBuilder::new()
        .schema_type(nullable(Type::String))
        .enum_values(Some(words.into_iter().chain([Value::Null])))
        .description(Some("PUBLIC: anybody may read it. PRIVATE: its tenant, by links."))
        .build()
}

/// Where an asset is on its way.
pub(in crate::http) fn status() -> Object {
    words(
        Status::ALL.map(Status::as_str),
        "PENDING until it is finalized, then READY or REJECTED; EXPIRED where nothing was uploaded in time.",
    )
    .build()
}

/// Why something stays unsigned.
pub(in crate::http) fn reason() -> Object {
    words(Reason::ALL.map(Reason::as_str), "Why it stays unsigned.").build()
}

/// Free members, bounded in depth; no schema can bound their bytes.
pub(in crate::http) fn metadata() -> RefOr<Schema> {
    metadata_of(SchemaType::new(Type::Object))
}

/// The same, or nothing.
pub(in crate::http) fn metadata_or_null() -> RefOr<Schema> {
    metadata_of(nullable(Type::Object))
}

fn metadata_of(kind: SchemaType) -> RefOr<Schema> {
    let description = format!(
        "Free members: alt text, caption, `derivatives` and `derivativeFormat`, anything. Nested at most {} \
         deep, at most {} bytes as JSON.",
        Metadata::MAX_DEPTH,
        Metadata::MAX_BYTES
    );
    let inner = level_name(Metadata::MAX_DEPTH - 1);
    let object = ObjectBuilder::new()
        .schema_type(kind)
        .description(Some(description))
        .additional_properties(Some(AdditionalProperties::RefOr(Ref::from_schema_name(inner).into())))
        .examples([examples::metadata()]);
    RefOr::T(Schema::Object(object.build()))
}

/// The schemas of JSON values of at most so many levels, by name: each has the one before inside.
pub(super) fn levels() -> impl Iterator<Item = (String, Schema)> {
    (0..Metadata::MAX_DEPTH).map(|levels| (level_name(levels), level(levels)))
}

fn level(levels: usize) -> Schema {
    let kinds = [Type::String, Type::Number, Type::Boolean, Type::Null];
    let scalar = ObjectBuilder::new().schema_type(SchemaType::from_iter(kinds)).build();
    let Some(inner) = levels.checked_sub(1).map(level_name) else { return Schema::Object(scalar) };
    let inner = || RefOr::from(Ref::from_schema_name(inner.clone()));
    let array = ArrayBuilder::new().items(inner()).build();
    let object = ObjectBuilder::new()
        .schema_type(Type::Object)
        .additional_properties(Some(AdditionalProperties::RefOr(inner())));
    Schema::AnyOf(AnyOfBuilder::new().item(scalar).item(array).item(object.build()).build())
}

fn level_name(levels: usize) -> String {
    format!("JsonOfDepth{levels}")
}

/// Texts of a batch, one kind of them.
pub(in crate::http) fn batch(description: &str, example: &str) -> RefOr<Schema> {
    let array = ArrayBuilder::new()
        .items(ObjectBuilder::new().schema_type(Type::String).build())
        .max_items(Some(BatchLinks::MAX))
        .description(Some(description))
        .examples([vec![example]]);
    RefOr::T(Schema::Array(array.build()))
}

/// A folder under the root.
pub(in crate::http) fn folder() -> Object {
    text(
        r"^(?!.*%[0-9A-Fa-f]{2})(?![Pp][Rr][Ii][Vv][Aa][Tt][Ee]/)(?:(?!\.{1,2}/)[^/\\\u0000-\u001f\u007f-\u009f]+/)+$",
        "A folder under the tenant's root, ending in `/`. Never the root itself, never `private/`; named as its \
         keys have it, not percent-encoded.",
    )
    .max_length(Some(MAX_FOLDER))
    .examples(["groupObjects/"])
    .build()
}

/// The place of the next page.
pub(in crate::http) fn cursor() -> Object {
    text(format!("^[A-Za-z0-9_-]{{{}}}[AQgw]$", Cursors::LENGTH - 1), "`nextCursor` of the page before.")
        .build()
}

/// How long a page is.
pub(in crate::http) fn page_length() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(Assets::MAX_PAGE))
        .default(Some(Assets::DEFAULT_PAGE.into()))
        .description(Some("Assets a page."))
        .build()
}

/// A part's number.
pub(in crate::http) fn part_number() -> Object {
    number(1, MAX_PARTS.into(), "From 1.").build()
}

/// What a part was answered with.
pub(in crate::http) fn part_etag() -> Object {
    let pattern = format!("^[!-~]{{1,{MAX_ETAG}}}$");
    text(pattern, "The ETag that the part was answered with, with its quotes.")
        .examples([examples::PART_ETAG])
        .build()
}

/// The part before the first one of a page.
pub(in crate::http) fn parts_after() -> Object {
    number(0, MAX_PARTS.into(), "A part's number; 0 is before the first one.").default(Some(0.into())).build()
}

/// How many parts a page has.
pub(in crate::http) fn parts_length() -> Object {
    let most = PartsQuery::MAX_PAGE.try_into().unwrap_or(u64::MAX);
    number(1, most, "Parts a page.").default(Some(PartsQuery::DEFAULT_PAGE.into())).build()
}

/// How wide a picture should be, at least.
pub(in crate::http) fn width() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(Derivatives::MAX_WIDTH))
        .description(Some("Pixels: the smallest derivative at least as wide, or the original."))
        .examples([640])
        .build()
}

/// What becomes of references.
pub(in crate::http) fn references() -> Object {
    words(["inline", "object", "leave"], "What becomes of a string that is a `med_` id.").build()
}

/// The one choice of what is signed.
pub(in crate::http) fn public_only() -> Object {
    words(["public"], "PUBLIC media alone is signed.").build()
}

/// The one format besides a redirect.
pub(in crate::http) fn format_name() -> Object {
    words(["json"], "The link as JSON instead of a redirect.").build()
}

/// A key of a call.
pub(in crate::http) fn idempotency_key() -> Object {
    text("^[!-~]{1,255}$", "1 to 255 visible ASCII characters of the client's choice.")
        .examples(["8e03978e-40d5-43dd-bc93-6894a57f9324"])
        .build()
}

/// Entity tags, or `*`.
pub(in crate::http) fn entity_tags() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("Entity tags, parted by commas, or `*` for any."))
        .examples(["*", examples::ETAG])
        .build()
}

/// A time.
pub(in crate::http) fn time() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .description(Some("RFC 3339, UTC."))
        .examples([examples::TIME])
        .build()
}

fn text(pattern: impl Into<String>, description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).description(Some(description))
}

fn number(least: u64, most: u64, description: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(least))
        .maximum(Some(most))
        .description(Some(description))
}

fn words<const N: usize>(words: [&'static str; N], description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).description(Some(description))
}

fn nullable(kind: Type) -> SchemaType {
    SchemaType::from_iter([kind, Type::Null])
}
