//! Request headers that say under which conditions a call is made.

use hyper::header::HeaderMap;

use super::problem::{Kind, Problem};
use crate::media::IdempotencyKey;

/// `Idempotency-Key`, where it is given.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    const NAME: &str = "idempotency-key";
    let mut values = headers.get_all(NAME).iter();
    let key = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => IdempotencyKey::parse(value.as_bytes()),
        _ => None,
    };
    let wrong = || {
        let detail = "Idempotency-Key must be there once, with 1 to 255 visible ASCII characters";
        Problem::new(Kind::InvalidHeader, detail).with("header", "Idempotency-Key")
    };
    key.ok_or_else(wrong).map(Some)
}
