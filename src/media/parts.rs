//! Files that are sent in parts: which, and how they are cut.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The least that a part has, all but the last; S3's rule.
pub const MIN_PART_BYTES: u64 = 5 * MIB;
/// The most that a part has, and a file that is sent whole; S3's rule.
pub const MAX_PART_BYTES: u64 = 5 * 1024 * MIB;
/// The most parts that a file has; S3's rule.
pub const MAX_PARTS: u16 = 10_000;
/// The largest file; S3's rule.
pub const MAX_FILE_BYTES: u64 = 5 * 1024 * 1024 * MIB;

const MIB: u64 = 1024 * 1024;

/// How a file comes in parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// The upload, as the object store calls it.
    pub upload: PartsId,
    /// The length of each part but the last, in bytes.
    pub part_bytes: u64,
}

/// The object store's name of an upload in parts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartsId(String);

impl PartsId {
    /// The name as the store says it.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PartsId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which files are sent in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartsPolicy {
    /// The largest file that is sent whole, in bytes.
    pub threshold_bytes: u64,
    /// The least that parts have, in bytes: [`MIN_PART_BYTES`] to [`MAX_PART_BYTES`].
    pub part_bytes: u64,
    /// How long an upload in parts may take, in seconds.
    pub seconds: u64,
}

impl PartsPolicy {
    /// How a file is cut; `None` where it is sent whole.
    #[must_use]
    pub fn plan(&self, size_bytes: u64) -> Option<PartPlan> {
        (size_bytes > self.threshold_bytes).then(|| PartPlan::new(size_bytes, self.part_bytes))
    }
}

/// How a file is cut: into parts of one length, whole MiB, and a last one that has the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartPlan {
    size_bytes: u64,
    part_bytes: u64,
}

impl PartPlan {
    /// The plan for a file of 1 to [`MAX_FILE_BYTES`], with parts of at least so many bytes and as many
    /// more as it takes to need no more than [`MAX_PARTS`].
    #[must_use]
    pub fn new(size_bytes: u64, least: u64) -> Self {
        let part_bytes = least.max(size_bytes.div_ceil(u64::from(MAX_PARTS))).max(MIB);
        Self { size_bytes, part_bytes: part_bytes.div_ceil(MIB) * MIB }
    }

    /// The plan by which a file is sent already.
    #[must_use]
    pub fn of(size_bytes: u64, parts: &Parts) -> Self {
        Self { size_bytes, part_bytes: parts.part_bytes.max(1) }
    }

    /// The length of each part but the last, in bytes.
    #[must_use]
    pub fn part_bytes(&self) -> u64 {
        self.part_bytes
    }

    /// How many parts there are; they are numbered from 1.
    #[must_use]
    pub fn count(&self) -> u16 {
        u16::try_from(self.size_bytes.div_ceil(self.part_bytes)).unwrap_or(u16::MAX)
    }

    /// The length of a part, in bytes; 0 where there is none of this number.
    #[must_use]
    pub fn size_of(&self, number: u16) -> u64 {
        let before = u64::from(number).checked_sub(1).map(|parts| parts.saturating_mul(self.part_bytes));
        before.map_or(0, |before| self.size_bytes.saturating_sub(before).min(self.part_bytes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_file_is_sent_whole_up_to_the_threshold() {
        let policy = PartsPolicy { threshold_bytes: 100, part_bytes: 16 * MIB, seconds: 1 };
        assert_eq!(policy.plan(100), None);
        let plan = policy.plan(101).unwrap();
        assert_eq!((plan.part_bytes(), plan.count(), plan.size_of(1)), (16 * MIB, 1, 101));
    }

    #[test]
    fn parts_grow_with_the_file() {
        for (size, least, part, count, last) in [
            (1, MIN_PART_BYTES, MIN_PART_BYTES, 1, 1),
            (32 * MIB, 16 * MIB, 16 * MIB, 2, 16 * MIB),
            (32 * MIB + 1, 16 * MIB, 16 * MIB, 3, 1),
            (10 * MIB, MIN_PART_BYTES + 1, 6 * MIB, 2, 4 * MIB),
            (160_000 * MIB, 16 * MIB, 16 * MIB, 10_000, 16 * MIB),
            (160_000 * MIB + 1, 16 * MIB, 17 * MIB, 9_412, 13 * MIB + 1),
            (MAX_FILE_BYTES, 16 * MIB, 525 * MIB, 9_987, 230 * MIB),
        ] {
            let plan = PartPlan::new(size, least);
            assert_eq!((plan.part_bytes(), plan.count()), (part, count), "{size}");
            assert_eq!(plan.size_of(count), last, "{size}");
        }
    }

    proptest! {
        #[test]
        fn the_parts_are_the_file_and_each_is_one_that_s3_takes(
            size in 1..=MAX_FILE_BYTES,
            least in MIN_PART_BYTES..=MAX_PART_BYTES,
        ) {
            let plan = PartPlan::new(size, least);
            let count = plan.count();
            prop_assert!((1..=MAX_PARTS).contains(&count));
            prop_assert!(plan.part_bytes() % MIB == 0 && plan.part_bytes() >= least);
            prop_assert!(plan.part_bytes() <= MAX_PART_BYTES);
            prop_assert!((1..count).all(|number| plan.size_of(number) == plan.part_bytes()));
            prop_assert!((1..=plan.part_bytes()).contains(&plan.size_of(count)));
            prop_assert_eq!((1..=count).map(|number| plan.size_of(number)).sum::<u64>(), size);
            prop_assert_eq!((plan.size_of(0), plan.size_of(count + 1)), (0, 0));
            let parts = Parts { upload: PartsId::new("x"), part_bytes: plan.part_bytes() };
            prop_assert_eq!(PartPlan::of(size, &parts), plan);
        }
    }
}
