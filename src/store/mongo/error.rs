//! How the driver's errors become a store's, and why a cluster can't be used at start.

use mongodb::bson::{Bson, Document, deserialize_from_document};
use mongodb::error::{
    Error, ErrorKind, RETRYABLE_ERROR, RETRYABLE_WRITE_ERROR, TRANSIENT_TRANSACTION_ERROR,
    UNKNOWN_TRANSACTION_COMMIT_RESULT, WriteFailure,
};

use crate::service::ports::StoreError;

/// The server's code for a value that a unique index holds already.
const DUPLICATE_KEY: i32 = 11_000;
/// The server's code for a document that another transaction is changing.
const WRITE_CONFLICT: i32 = 112;

/// Labels of errors after which the same operation may succeed.
const RETRYABLE_LABELS: [&str; 4] =
    [RETRYABLE_ERROR, RETRYABLE_WRITE_ERROR, TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT];

/// The server's error codes that a retry doesn't cure: the operation, the user's rights or the stored documents have to
/// change first. Any other code is taken to be temporary. Names are those of the server's `error_codes.yml`.
const REFUSALS: [i32; 35] = [
    2,             // BadValue
    9,             // FailedToParse
    13,            // Unauthorized
    14,            // TypeMismatch
    15,            // Overflow
    16,            // InvalidLength
    20,            // IllegalOperation
    22,            // InvalidBSON
    26,            // NamespaceNotFound
    27,            // IndexNotFound
    28,            // PathNotViable
    40,            // ConflictingUpdateOperators
    52,            // DollarPrefixedFieldName
    53,            // InvalidIdField
    54,            // NotSingleValueField
    56,            // EmptyFieldName
    57,            // DottedFieldName
    59,            // CommandNotFound
    66,            // ImmutableField
    67,            // CannotCreateIndex
    72,            // InvalidOptions
    73,            // InvalidNamespace
    85,            // IndexOptionsConflict
    86,            // IndexKeySpecsConflict
    115,           // CommandNotSupported
    121,           // DocumentValidationFailure
    146,           // ExceededMemoryLimit
    166,           // CommandNotSupportedOnView
    197,           // InvalidIndexSpecificationOption
    263,           // OperationNotSupportedInTransaction
    10_334,        // BSONObjectTooLarge
    DUPLICATE_KEY, // DuplicateKey, if the caller hasn't expected it
    17_280,        // KeyTooLong
    17_419,        // a document that an update makes too large
    17_420,        // the same, by another operator
];

/// Why the cluster can't be used, in one line that names the remedy and nothing secret.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The connection string isn't one.
    #[error("isn't a MongoDB connection string: {0}; the form is mongodb://… or mongodb+srv://…")]
    Uri(String),
    /// A limit can't be.
    #[error("{0}")]
    Limit(&'static str),
    /// The server doesn't answer.
    #[error("the cluster doesn't answer: {0}; check the address, the access list and the credentials")]
    Unreachable(#[source] StoreError),
    /// An index can't be made, or is another one than it should be.
    #[error(
        "the index {index} of {collection} can't be had: {source}; \
         let Signet's user create it, or drop the one that is in its place"
    )]
    Index {
        /// Database and collection.
        collection: String,
        /// The index's name.
        index: &'static str,
        /// What the server says.
        source: StoreError,
    },
}

/// What an operation of the driver's failed with.
pub fn store_error(error: Error) -> StoreError {
    match *error.kind {
        ErrorKind::BsonDeserialization(_) | ErrorKind::BsonSerialization(_) | ErrorKind::Bson(_) => {
            StoreError::corrupt(error)
        }
        _ if is_refusal(&error) => StoreError::refused(error),
        _ => StoreError::unavailable(error),
    }
}

/// Whether a unique index holds the value already.
pub fn is_duplicate(error: &Error) -> bool {
    code(error) == Some(DUPLICATE_KEY)
}

/// Whether a transaction was aborted by a conflict or by the server, and can be retried.
pub fn is_transient(error: &Error) -> bool {
    error.contains_label(TRANSIENT_TRANSACTION_ERROR) || is_conflict(error)
}

/// Whether the error is a write conflict with another transaction.
pub fn is_conflict(error: &Error) -> bool {
    code(error) == Some(WRITE_CONFLICT)
}

/// Returns the first write error of an `update` or a `delete`, which the server reports within a successful answer.
pub fn check_statements(answer: &Document) -> Result<(), Error> {
    let errors = answer.get_array("writeErrors").map(Vec::as_slice).unwrap_or_default();
    let Some(Bson::Document(error)) = errors.first() else { return Ok(()) };
    let error = deserialize_from_document(error.clone());
    Err(error.map_or_else(Error::custom, |error| ErrorKind::Command(error).into()))
}

/// Whether the server refuses the operation, and would do so again.
fn is_refusal(error: &Error) -> bool {
    code(error).is_some_and(|code| REFUSALS.contains(&code))
        && !RETRYABLE_LABELS.iter().any(|label| error.contains_label(label))
}

/// The server's error code for a command or a write.
fn code(error: &Error) -> Option<i32> {
    match &*error.kind {
        ErrorKind::Command(command) => Some(command.code),
        ErrorKind::Write(WriteFailure::WriteError(write)) => Some(write.code),
        ErrorKind::InsertMany(many) => Some(many.write_errors.as_ref()?.first()?.code),
        _ => None,
    }
}

/// Whether an error is the server's answer: the server was reached.
pub fn is_answer(error: &Error) -> bool {
    use ErrorKind::{BulkWrite, Command, Custom, InsertMany, Write};
    // Custom errors are this program's own, made from an answer.
    matches!(*error.kind, Command(_) | Write(_) | InsertMany(_) | BulkWrite(_) | Custom(_))
}

/// Whether no server could be selected in time.
pub fn is_selection(error: &Error) -> bool {
    matches!(*error.kind, ErrorKind::ServerSelection { .. })
}

/// What is wrong with a connection string, without what is secret in it.
pub fn without_secrets(text: &str, uri: &str) -> String {
    let authority = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let user_info = authority.rsplit_once('@').map_or("", |(user_info, _)| user_info);
    let parts = user_info.splitn(2, ':').chain([user_info]).filter(|part| !part.is_empty());
    parts.fold(text.to_owned(), |text, part| text.replace(part, "…"))
}

#[cfg(test)]
mod tests {
    use mongodb::bson::doc;

    use super::*;

    fn answered(code: i32) -> Error {
        let answer = doc! { "code": code, "codeName": "x", "errmsg": "x" };
        ErrorKind::Command(deserialize_from_document(answer).unwrap()).into()
    }

    #[test]
    fn what_the_server_would_refuse_again_is_no_outage() {
        // TypeMismatch, Unauthorized, BSONObjectTooLarge, DuplicateKey.
        for code in [14, 13, 10_334, 11_000] {
            assert!(matches!(store_error(answered(code)), StoreError::Refused(_)), "{code}");
        }
        // NotWritablePrimary, MaxTimeMSExpired, WriteConflict, InterruptedAtShutdown, one that nobody knows.
        for code in [10_107, 50, 112, 11_600, 987_654] {
            assert!(matches!(store_error(answered(code)), StoreError::Unavailable(_)), "{code}");
        }
        assert!(matches!(store_error(Error::custom("gone")), StoreError::Unavailable(_)));
    }

    #[test]
    fn a_password_is_not_shown() {
        let shown = without_secrets("bad sesame in alice:sesame@host", "mongodb://alice:sesame@host/x");
        assert_eq!(shown, "bad … in …:…@host");
        assert_eq!(without_secrets("no host", "mongodb://"), "no host");
    }
}
