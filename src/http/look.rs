//! Headers looked up one after the other.
//!
//! A [`HeaderMap`] finds a header by a hash of its name. A request has a handful of them: going through all is cheaper
//! than one hash, and a ready permalink looks for five.

use hyper::header::{HeaderMap, HeaderName, HeaderValue};

/// Whether a header is there.
pub(super) fn has(headers: &HeaderMap, name: HeaderName) -> bool {
    headers.keys().any(|key| *key == name)
}

/// All values of a header.
pub(super) fn values(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &HeaderValue> {
    headers.iter().filter(move |(key, _)| **key == name).map(|(_, value)| value)
}
