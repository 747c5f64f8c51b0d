//! Every kind of problem, in one table: documentation and OpenAPI list it, tests produce it.

use hyper::StatusCode;

macro_rules! catalogue {
    ($($(#[doc = $doc:literal])+ $name:ident = $status:ident $slug:literal $title:literal,)+) => {
        /// A kind of problem. Its `type` is `urn:signet:problem:{slug}` and never changes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kind {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Kind {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The last part of the type URI.
            #[must_use]
            pub const fn slug(self) -> &'static str {
                match self {
                    $(Self::$name => $slug,)+
                }
            }

            /// The whole type URI.
            #[must_use]
            pub const fn type_uri(self) -> &'static str {
                match self {
                    $(Self::$name => concat!("urn:signet:problem:", $slug),)+
                }
            }

            /// The HTTP status.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self {
                    $(Self::$name => StatusCode::$status,)+
                }
            }

            /// When it is the answer, and which further members it has, in Markdown.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),+).trim_ascii(),)+
                }
            }

            /// A short summary, the same for every problem of this kind.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$name => $title,)+
                }
            }
        }
    };
}

catalogue! {
    /// The body isn't JSON. Members `offset` (bytes), `line`, `column`.
    MalformedJson = BAD_REQUEST "malformed-json" "The body isn't valid JSON",
    /// The body can't be decompressed.
    CorruptBody = BAD_REQUEST "corrupt-body" "The body can't be decompressed",
    /// The body ended early.
    CutOffBody = BAD_REQUEST "cut-off-body" "The body ended early",
    /// A query parameter is unknown, doubled or wrong. Member `parameter`.
    InvalidQuery = BAD_REQUEST "invalid-query" "A query parameter is wrong",
    /// A request header is doubled or wrong. Member `header`.
    InvalidHeader = BAD_REQUEST "invalid-header" "A request header is wrong",
    /// No credentials were given.
    CredentialsMissing = UNAUTHORIZED "credentials-missing" "Credentials are needed",
    /// The API key or token isn't accepted.
    CredentialsInvalid = UNAUTHORIZED "credentials-invalid" "The credentials aren't accepted",
    /// The tenant is frozen.
    TenantFrozen = FORBIDDEN "tenant-frozen" "The tenant is frozen",
    /// The token lacks a scope. Member `required`; header `WWW-Authenticate`.
    InsufficientScope = FORBIDDEN "insufficient-scope" "The token lacks a scope",
    /// There is nothing at this path.
    NotFound = NOT_FOUND "not-found" "There is nothing here",
    /// There is no such asset, or it isn't the caller's.
    AssetNotFound = NOT_FOUND "asset-not-found" "There is no such asset",
    /// The cursor names no page of this list: it was made for another tenant, or changed.
    PageNotFound = NOT_FOUND "page-not-found" "There is no such page",
    /// The path doesn't take this method. Header `Allow`.
    MethodNotAllowed = METHOD_NOT_ALLOWED "method-not-allowed" "The method isn't allowed here",
    /// The body came too slowly.
    SlowBody = REQUEST_TIMEOUT "slow-body" "The body came too slowly",
    /// Nothing has been uploaded yet.
    NotUploaded = CONFLICT "not-uploaded" "Nothing has been uploaded yet",
    /// The file isn't sent in parts.
    SentWhole = CONFLICT "sent-whole" "The file is sent whole",
    /// What was uploaded isn't what the ticket was for. Members `what`, `expected`, `found`.
    UploadRejected = CONFLICT "upload-rejected" "The upload was rejected",
    /// The upload ticket has expired.
    TicketExpired = CONFLICT "ticket-expired" "The upload ticket has expired",
    /// The asset's state doesn't allow this. Member `assetStatus`.
    StatusConflict = CONFLICT "status-conflict" "The asset's state doesn't allow this",
    /// The tenant has no room for the file. Members `usage`, `quota` (each `count`, `bytes`; null is no bound).
    QuotaExceeded = CONFLICT "quota-exceeded" "The tenant's quota is used up",
    /// The asset can't be restored: it isn't deleted.
    NotDeleted = CONFLICT "not-deleted" "The asset isn't deleted",
    /// The asset was deleted too long ago to be restored. Member `deletedAt`.
    RestoreExpired = GONE "restore-expired" "The asset can't be restored any more",
    /// The asset isn't what `If-Match` says any more.
    PreconditionFailed = PRECONDITION_FAILED "precondition-failed" "The asset has been changed",
    /// The body, or a line of it, is too large. Member `limit` (bytes).
    BodyTooLarge = PAYLOAD_TOO_LARGE "body-too-large" "The body is too large",
    /// The body's type isn't taken here. Member `supported`.
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE "unsupported-media-type" "The media type isn't supported",
    /// The body's content encoding isn't known. Member `supported`.
    UnsupportedEncoding = UNSUPPORTED_MEDIA_TYPE "unsupported-encoding" "The content encoding isn't supported",
    /// A member is missing, unknown or wrong. Members `pointer` (RFC 6901), `limit` where it passed one.
    InvalidField = UNPROCESSABLE_ENTITY "invalid-field" "A member is wrong",
    /// The idempotency key was used for a call that asked for something else.
    IdempotencyMismatch = UNPROCESSABLE_ENTITY "idempotency-mismatch" "The key belongs to another request",
    /// Too many items in one call. Members `limit`, `found`.
    TooManyItems = UNPROCESSABLE_ENTITY "too-many-items" "There are too many items",
    /// The document is nested too deep. Members `limit`, `offset`.
    TooDeep = UNPROCESSABLE_ENTITY "too-deep" "The document is nested too deep",
    /// The document holds too many links. Member `limit`.
    TooManyLinks = UNPROCESSABLE_ENTITY "too-many-links" "The document holds too many links",
    /// Strict mode: some media stayed unsigned. Members `unsigned`, `found`, `signed`.
    UnsignedMedia = UNPROCESSABLE_ENTITY "unsigned-media" "Some media can't be signed",
    /// The tenant, or the client's address, asks too often, or too much at a time. Headers `Retry-After`, `RateLimit`,
    /// `RateLimit-Policy`.
    TooManyRequests = TOO_MANY_REQUESTS "too-many-requests" "Too many requests",
    /// The tenant's profile of documents isn't among the settings' any more.
    ProfileMissing = INTERNAL_SERVER_ERROR "profile-missing" "The tenant's profile isn't there",
    /// A defect of Signet.
    Internal = INTERNAL_SERVER_ERROR "internal" "Something went wrong inside Signet",
    /// Links can't be signed now.
    SigningUnavailable = SERVICE_UNAVAILABLE "signing-unavailable" "Links can't be signed now",
    /// The store, or the token issuer's keys, can't be reached now.
    StoreUnavailable = SERVICE_UNAVAILABLE "store-unavailable" "A store can't be reached now",
    /// Another call is still changing or moving the asset. This one has waited for it as long as it may.
    ConcurrentChange = SERVICE_UNAVAILABLE "concurrent-change" "The asset is being changed by others",
    /// The node has as much to do as it takes on.
    Overloaded = SERVICE_UNAVAILABLE "overloaded" "There is too much to do now",
    /// The answer wasn't ready in time.
    TimedOut = SERVICE_UNAVAILABLE "timed-out" "The answer took too long",
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_kind_has_its_own_slug_and_an_error_status() {
        let slugs: HashSet<_> = Kind::ALL.iter().map(|kind| kind.slug()).collect();
        assert_eq!(slugs.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            assert!(kind.status().is_client_error() || kind.status().is_server_error());
            assert!(kind.slug().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
            assert!(kind.type_uri().ends_with(kind.slug()));
        }
    }
}
