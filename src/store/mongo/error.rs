//! How the driver's errors become a store's, and why a cluster can't be used at start.

use mongodb::error::{Error, ErrorKind, WriteFailure};

use crate::service::ports::StoreError;

/// The server's code for a value that a unique index holds already.
const DUPLICATE_KEY: i32 = 11_000;

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
        _ => StoreError::unavailable(error),
    }
}

/// Whether a unique index holds the value already.
pub fn is_duplicate(error: &Error) -> bool {
    match &*error.kind {
        ErrorKind::Write(WriteFailure::WriteError(write)) => write.code == DUPLICATE_KEY,
        ErrorKind::Command(command) => command.code == DUPLICATE_KEY,
        _ => false,
    }
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
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        let shown = without_secrets("bad sesame in alice:sesame@host", "mongodb://alice:sesame@host/x");
        assert_eq!(shown, "bad … in …:…@host");
        assert_eq!(without_secrets("no host", "mongodb://"), "no host");
    }
}
