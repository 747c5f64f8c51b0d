//! The services' errors, as their callers see them.

use hyper::header::{HeaderValue, WWW_AUTHENTICATE};
use serde_json::json;

use super::{Kind, Problem};
use crate::document::ScanError;
use crate::media::{InvalidField, Rejection, StatusConflict};
use crate::service::cursor::WrongCursor;
use crate::service::ports::{Limit, StoreError, TokenError};
use crate::service::{
    AssetError, AuthError, CookieError, DocumentError, FinalizeError, InsufficientScope, LinkError,
    PartsError, ResolveError, UploadError,
};

impl Problem {
    /// An asset that isn't there, isn't the caller's, or can't be named like this.
    #[must_use]
    pub fn asset_not_found() -> Self {
        Self::new(
            Kind::AssetNotFound,
            "no asset of this id can be had with these credentials; \
             an id is med_ and 26 characters of a ULID in upper case",
        )
    }

    fn frozen() -> Self {
        Self::new(Kind::TenantFrozen, "the tenant is frozen; nothing is signed or stored for it")
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Missing => Self::new(
                Kind::CredentialsMissing,
                "send Authorization: Bearer with a token, or Authorization with the tenant's API key",
            ),
            AuthError::Invalid => Self::new(Kind::CredentialsInvalid, "the credentials aren't valid"),
            AuthError::Token(TokenError::Unavailable(source)) => {
                Self::new(Kind::StoreUnavailable, "tokens can't be checked now; try again")
                    .caused_by(source.as_ref())
            }
            AuthError::Token(error) => Self::new(Kind::CredentialsInvalid, error.to_string()),
            AuthError::Busy(_) => Self::new(
                Kind::Overloaded,
                "too many unknown API keys are being looked up; known ones go on; try again",
            )
            .at(Limit::KeyLookups),
            AuthError::Frozen => Self::frozen(),
            AuthError::Store(error) => error.into(),
        }
    }
}

impl From<InsufficientScope> for Problem {
    fn from(error: InsufficientScope) -> Self {
        let required = error.required.as_str();
        let problem = Self::new(Kind::InsufficientScope, error.to_string()).with("required", required);
        let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{required}\"");
        match HeaderValue::from_str(&challenge) {
            Ok(challenge) => problem.with_header(WWW_AUTHENTICATE, challenge),
            Err(_) => problem,
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let problem = match &error {
            StoreError::Unavailable(_) => {
                Self::new(Kind::StoreUnavailable, "what is needed for the answer can't be had now; try again")
            }
            StoreError::Refused(_) => Self::new(
                Kind::Internal,
                "the store refuses an operation that this request needs; the operator has to fix that",
            ),
            StoreError::Corrupt(_) => Self::new(Kind::Internal, "a stored record can't be read"),
        };
        problem.caused_by(&error)
    }
}

impl From<LinkError> for Problem {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Store(error) => error.into(),
            LinkError::Full(_) => Self::new(
                Kind::Overloaded,
                "too many links are waited for; those that are ready go on; try again",
            ),
            LinkError::NoKey
            | LinkError::Signing(_)
            | LinkError::Pool(_)
            | LinkError::Policy(_)
            | LinkError::Grant(_) => {
                Self::new(Kind::SigningUnavailable, "no link can be signed now; try again").caused_by(&error)
            }
        }
    }
}

impl From<ResolveError> for Problem {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::NotFound => Self::asset_not_found(),
            ResolveError::Frozen => Self::frozen(),
            ResolveError::Scope(error) => error.into(),
            ResolveError::Link(error) => error.into(),
        }
    }
}

impl From<InvalidField> for Problem {
    fn from(error: InvalidField) -> Self {
        let problem = Self::new(Kind::InvalidField, error.detail).with("pointer", error.pointer);
        match error.limit {
            Some(limit) => problem.with("limit", limit),
            None => problem,
        }
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        let Rejection { what, expected, found } = rejection;
        let detail = format!(
            "{what} of what was uploaded isn't what the ticket was for; the upload was removed, \
             ask for a new ticket"
        );
        Self::new(Kind::UploadRejected, detail)
            .with("what", what)
            .with("expected", expected)
            .with("found", found)
    }
}

impl From<StatusConflict> for Problem {
    fn from(error: StatusConflict) -> Self {
        Self::new(Kind::StatusConflict, error.to_string()).with("assetStatus", error.status.as_str())
    }
}

impl From<CookieError> for Problem {
    fn from(error: CookieError) -> Self {
        match error {
            CookieError::Folder(error) => error.into(),
            CookieError::Link(error) => error.into(),
        }
    }
}

impl From<UploadError> for Problem {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::Field(error) => error.into(),
            UploadError::OtherCall => Self::new(
                Kind::IdempotencyMismatch,
                "the Idempotency-Key was used for a call with another body; use a new key for a new call",
            ),
            UploadError::OverQuota { usage, quota } => {
                let taken = usage.ready.plus(usage.pending);
                let detail = "the file doesn't fit beside what the tenant has; tickets that aren't used \
                              count until they are swept, deleted files don't";
                Self::new(Kind::QuotaExceeded, detail)
                    .with("usage", json!({ "count": taken.count, "bytes": taken.bytes }))
                    .with("quota", json!({ "count": quota.count, "bytes": quota.bytes }))
            }
            UploadError::Store(error) => error.into(),
        }
    }
}

impl From<FinalizeError> for Problem {
    fn from(error: FinalizeError) -> Self {
        match error {
            FinalizeError::NotFound => Self::asset_not_found(),
            FinalizeError::NotUploaded => Self::new(
                Kind::NotUploaded,
                "send the bytes to the ticket's uploadUrl first, then finalize again",
            ),
            FinalizeError::NotCompleted => Self::new(
                Kind::NotUploaded,
                "the file is sent in parts: send those that GET /media/v1/uploads/{id}/parts shows as missing, \
                 then POST /media/v1/uploads/{id}/complete",
            ),
            FinalizeError::Rejected(rejection) => rejection.into(),
            FinalizeError::Expired => Self::new(
                Kind::TicketExpired,
                "nothing was uploaded in time, or the upload was given up; ask for a new ticket",
            ),
            FinalizeError::Link(error) => error.into(),
            FinalizeError::Store(error) => error.into(),
        }
    }
}

impl From<PartsError> for Problem {
    fn from(error: PartsError) -> Self {
        match error {
            PartsError::Whole => Self::new(
                Kind::SentWhole,
                "the file isn't sent in parts: send it to the ticket's uploadUrl, then finalize",
            ),
            PartsError::Gone => Self::new(
                Kind::TicketExpired,
                "the parts aren't there any more: they were given up, or are one file already; \
                 POST /media/v1/uploads/{id}/finalize says which",
            ),
            PartsError::Field(error) => error.into(),
            PartsError::Status(error) => error.into(),
            PartsError::Finalize(error) => error.into(),
            PartsError::Store(error) => error.into(),
        }
    }
}

impl From<AssetError> for Problem {
    fn from(error: AssetError) -> Self {
        match error {
            AssetError::Stale => Self::new(
                Kind::PreconditionFailed,
                "the asset isn't the one that If-Match names any more; read it again, then change it",
            ),
            AssetError::NotDeleted => Self::new(Kind::NotDeleted, "only a deleted asset can be restored"),
            AssetError::Gone { deleted_at } => {
                Self::new(Kind::RestoreExpired, "the asset was deleted too long ago to be restored")
                    .with("deletedAt", deleted_at.to_rfc3339())
            }
            AssetError::NotFound => Self::asset_not_found(),
            AssetError::Cursor(WrongCursor::Unknown) => Self::new(
                Kind::PageNotFound,
                "the cursor isn't a nextCursor that this list has given; begin again without one",
            ),
            AssetError::Cursor(WrongCursor::Malformed) => {
                Self::new(Kind::InvalidQuery, "the query parameter cursor must be a nextCursor of this list")
                    .with("parameter", "cursor")
            }
            AssetError::Field(error) => error.into(),
            AssetError::Status(error) => error.into(),
            AssetError::Contended => {
                Self::new(Kind::ConcurrentChange, "another call is changing or moving the asset; try again")
            }
            AssetError::Link(error) => error.into(),
            AssetError::Store(error) => error.into(),
        }
    }
}

impl From<DocumentError> for Problem {
    fn from(error: DocumentError) -> Self {
        match error {
            DocumentError::Scan(ScanError::Syntax { offset, line, column, expected }) => {
                let detail = format!("line {line}, column {column}: expected {expected}");
                Self::new(Kind::MalformedJson, detail)
                    .with("offset", offset)
                    .with("line", line)
                    .with("column", column)
            }
            DocumentError::Scan(ScanError::TooDeep { limit, offset, .. }) => {
                let detail = format!("arrays and objects are nested at most {limit} deep");
                Self::new(Kind::TooDeep, detail).with("limit", limit).with("offset", offset)
            }
            DocumentError::Scan(ScanError::TooLarge) => {
                Self::new(Kind::BodyTooLarge, "a document has less than 4 GiB")
            }
            DocumentError::Scan(ScanError::TooManyLinks { limit }) => {
                let detail = format!(
                    "a document holds at most {limit} links; media hosts that its texts name count too"
                );
                Self::new(Kind::TooManyLinks, detail).with("limit", limit)
            }
            DocumentError::Scan(ScanError::Cancelled) => {
                Self::new(Kind::TimedOut, "the answer wasn't ready in time; try again")
            }
            DocumentError::Profile { ref source, .. } => {
                let detail = format!(
                    "the tenant's profile {:?} isn't in the settings of this node; name another one by ?profile=",
                    source.name
                );
                Self::new(Kind::ProfileMissing, detail).caused_by(&error)
            }
            DocumentError::Unsigned { rows, found, signed } => {
                let detail =
                    format!("{} of {found} pieces of media can't be signed", found - signed.min(found));
                Self::new(Kind::UnsignedMedia, detail)
                    .with("found", found)
                    .with("signed", signed)
                    .with("unsigned", rows)
            }
            DocumentError::Link(error) => error.into(),
        }
    }
}
