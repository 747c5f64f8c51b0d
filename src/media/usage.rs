//! What a tenant has stored, and how much it may.

use serde::{Deserialize, Serialize};

/// Files and their bytes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// How many files.
    pub count: u64,
    /// Their bytes together.
    pub bytes: u64,
}

impl Tally {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { count: self.count.saturating_add(other.count), bytes: self.bytes.saturating_add(other.bytes) }
    }

    /// This one without the other.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self { count: self.count.saturating_sub(other.count), bytes: self.bytes.saturating_sub(other.bytes) }
    }
}

/// What a tenant has stored, without what is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// READY files.
    pub ready: Tally,
    /// What tickets were given for that are neither used nor swept: room that is taken already.
    pub pending: Tally,
}

/// How much a tenant may store, READY and PENDING together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Quota {
    /// How many files; `None` is any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// How many bytes; `None` is any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

impl Quota {
    /// No bound.
    pub const NONE: Self = Self { count: None, bytes: None };

    /// Whether it bounds nothing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// This quota, with those of another where this one says nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { count: self.count.or(other.count), bytes: self.bytes.or(other.bytes) }
    }

    /// Whether one more file of this size fits.
    #[must_use]
    pub fn has_room(self, usage: &Usage, size_bytes: u64) -> bool {
        let after = usage.ready.plus(usage.pending).plus(Tally { count: 1, bytes: size_bytes });
        self.count.is_none_or(|most| after.count <= most) && self.bytes.is_none_or(|most| after.bytes <= most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_bounds_files_and_bytes_ready_and_pending_together() {
        let usage = Usage { ready: Tally { count: 2, bytes: 20 }, pending: Tally { count: 1, bytes: 30 } };
        let quota = |count, bytes| Quota { count, bytes };
        assert!(Quota::NONE.has_room(&usage, u64::MAX));
        assert!(quota(Some(4), Some(60)).has_room(&usage, 10));
        assert!(!quota(Some(3), None).has_room(&usage, 0));
        assert!(!quota(None, Some(60)).has_room(&usage, 11));
        assert_eq!(quota(Some(1), None).or(quota(Some(9), Some(9))), quota(Some(1), Some(9)));
    }
}
