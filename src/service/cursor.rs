//! Pages of a list: a position that its holder can neither read as anything else nor change.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::ports::ListPosition;
use crate::media::{AssetId, TenantId, Timestamp};

const TAG: usize = 16;
const POSITION: usize = 8 + 16;

/// Why a cursor can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrongCursor {
    /// It isn't a cursor at all.
    Malformed,
    /// It looks like one, and wasn't written for this tenant.
    Unknown,
}

/// Writes and reads cursors: base64url of the position and 16 bytes of an HMAC over the tenant and
/// the position.
pub struct Cursors {
    key: hmac::Key,
}

impl Cursors {
    /// How many characters a cursor has: base64url without padding.
    pub const LENGTH: usize = ((POSITION + TAG) * 4).div_ceil(3);

    /// Cursors under a secret, the same on all nodes.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret) }
    }

    /// The cursor of a position.
    #[must_use]
    pub fn write(&self, tenant: &TenantId, position: ListPosition) -> String {
        let mut bytes = Vec::with_capacity(POSITION + TAG);
        bytes.extend_from_slice(&position.created_at.millis().to_be_bytes());
        bytes.extend_from_slice(&position.id.to_bytes());
        let tag = hmac::sign(&self.key, &message(tenant, &bytes));
        bytes.extend(tag.as_ref().iter().take(TAG));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The position of a cursor.
    ///
    /// # Errors
    /// Where it wasn't written for this tenant, or isn't a cursor at all.
    pub fn read(&self, tenant: &TenantId, cursor: &str) -> Result<ListPosition, WrongCursor> {
        if cursor.len() != Self::LENGTH {
            return Err(WrongCursor::Malformed);
        }
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| WrongCursor::Malformed)?;
        self.position(tenant, &bytes).ok_or(WrongCursor::Unknown)
    }

    fn position(&self, tenant: &TenantId, bytes: &[u8]) -> Option<ListPosition> {
        let (position, tag) = bytes.split_at_checked(POSITION)?;
        let expected = hmac::sign(&self.key, &message(tenant, position));
        let expected = expected.as_ref().get(..TAG)?;
        aws_lc_rs::constant_time::verify_slices_are_equal(expected, tag).ok()?;
        let (created_at, id) = position.split_first_chunk::<8>()?;
        Some(ListPosition {
            created_at: Timestamp::from_millis(u64::from_be_bytes(*created_at)),
            id: AssetId::from_bytes(id.try_into().ok()?),
        })
    }
}

fn message(tenant: &TenantId, position: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(tenant.as_str().len() + 1 + position.len());
    message.extend_from_slice(tenant.as_str().as_bytes());
    message.push(0);
    message.extend_from_slice(position);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_bound_to_its_tenant_and_can_not_be_changed() {
        let cursors = Cursors::new(b"secret");
        let (mine, other): (TenantId, TenantId) = ("a".parse().unwrap(), "b".parse().unwrap());
        let position = ListPosition { created_at: Timestamp::from_millis(7), id: AssetId::generate() };
        let cursor = cursors.write(&mine, position);
        assert_eq!(cursor.len(), Cursors::LENGTH);
        assert_eq!(cursors.read(&mine, &cursor), Ok(position));
        assert_eq!(cursors.read(&other, &cursor), Err(WrongCursor::Unknown));
        assert_eq!(Cursors::new(b"other").read(&mine, &cursor), Err(WrongCursor::Unknown));
        for index in 0..cursor.len() {
            let mut changed = cursor.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            assert!(cursors.read(&mine, &String::from_utf8(changed).unwrap()).is_err(), "{index}");
        }
        for text in ["", "x", "é", &cursor[1..]] {
            assert_eq!(cursors.read(&mine, text), Err(WrongCursor::Malformed));
        }
    }
}
