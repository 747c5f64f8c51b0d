//! How long the stages of a file's life take, and when somebody has to look at it.
//!
//! | asset | is looked at |
//! |---|---|
//! | PENDING | a grace after its ticket has run out |
//! | REJECTED, EXPIRED | the same, then after a 24th, a fourth and all of the time in which an upload that began in time may end; at last when its record is to go |
//! | deleted | at once, until its objects are out of reach; when nothing can arrive any more; when it can't be restored any more |
//! | held | when the hold is over |
//! | READY and moved | when nothing can arrive any more where it was |
//! | READY | never |

use serde::{Deserialize, Serialize};

use super::{Asset, Placement, Status, Timestamp};

/// The stages of a file's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Periods {
    /// How long a ticket is good, in seconds.
    pub ticket_seconds: u64,
    /// How long after its ticket's end a PENDING asset is left alone, in seconds.
    pub grace_seconds: u64,
    /// How long after that an upload that began in time may end, in seconds.
    pub late_seconds: u64,
    /// How long a deleted asset can be restored, in seconds.
    pub retention_seconds: u64,
    /// How long the record of a REJECTED or EXPIRED asset is kept after nothing can arrive any more, in seconds.
    pub record_seconds: u64,
}

impl Default for Periods {
    fn default() -> Self {
        Self {
            ticket_seconds: 900,
            grace_seconds: 900,
            late_seconds: 86_400,
            retention_seconds: 30 * 86_400,
            record_seconds: 30 * 86_400,
        }
    }
}

impl Periods {
    /// When an asset is to be looked at first after `now`; `None` is never.
    #[must_use]
    pub fn due_after(&self, asset: &Asset, now: Timestamp) -> Option<Timestamp> {
        if let Some(hold) = &asset.hold {
            return Some(hold.until);
        }
        if asset.deleted_at.is_some() {
            return match asset.placement {
                Placement::Moving | Placement::Hiding => Some(now),
                // Tombstones go first.
                _ if self.may_arrive(asset, now) => Some(self.last_look(asset)),
                Placement::Key | Placement::Trash | Placement::Hidden => self.purge_at(asset),
            };
        }
        match asset.status {
            Status::Ready => Some(self.last_look(asset)).filter(|look| asset.moved && *look > now),
            Status::Pending => Some(self.looks(asset)[0]),
            Status::Rejected | Status::Expired => {
                self.looks(asset).into_iter().find(|look| *look > now).or_else(|| self.forget_at(asset))
            }
        }
    }

    /// From when on a deleted asset can't be restored; `None` where it isn't deleted.
    #[must_use]
    pub fn restorable_until(&self, asset: &Asset) -> Option<Timestamp> {
        asset.deleted_at.map(|deleted_at| deleted_at.plus_seconds(self.retention_seconds))
    }

    /// When a deleted asset's objects go: not before the last upload that its ticket allows has ended.
    #[must_use]
    pub fn purge_at(&self, asset: &Asset) -> Option<Timestamp> {
        Some(self.restorable_until(asset)?.max(self.last_look(asset)))
    }

    /// When the record of an asset goes that never became a file; `None` for others.
    #[must_use]
    pub fn forget_at(&self, asset: &Asset) -> Option<Timestamp> {
        let never = matches!(asset.status, Status::Rejected | Status::Expired);
        never.then(|| self.last_look(asset).plus_seconds(self.record_seconds))
    }

    /// Whether an upload that the asset's ticket allows may still arrive. Until then the places that the asset has
    /// left hold tombstones.
    #[must_use]
    pub fn may_arrive(&self, asset: &Asset, now: Timestamp) -> bool {
        now < self.last_look(asset)
    }

    fn last_look(&self, asset: &Asset) -> Timestamp {
        let [.., last] = self.looks(asset);
        last
    }

    fn looks(&self, asset: &Asset) -> [Timestamp; 4] {
        let first = asset.ticket_expires_at.plus_seconds(self.grace_seconds);
        [0, self.late_seconds / 24, self.late_seconds / 4, self.late_seconds]
            .map(|seconds| first.plus_seconds(seconds))
    }
}

/// A claim on an asset's objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Whose it is: no two are alike.
    pub by: String,
    /// When it is over.
    pub until: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{
        AssetId, ContentType, Filename, Metadata, NewUpload, ObjectKey, Rejection, Visibility,
    };

    const PERIODS: Periods = Periods {
        ticket_seconds: 100,
        grace_seconds: 10,
        late_seconds: 86_400,
        retention_seconds: 1_000,
        record_seconds: 5_000,
    };

    fn pending() -> Asset {
        let upload = NewUpload {
            filename: Filename::clean("a.png").unwrap(),
            content_type: ContentType::parse("image/png").unwrap(),
            size_bytes: 10,
            visibility: Visibility::Public,
            checksum: None,
            metadata: Metadata::default(),
        };
        let key = ObjectKey::parse("a.png").unwrap();
        Asset::pending(AssetId::generate(), "t".parse().unwrap(), key, upload, at(0), &PERIODS)
    }

    fn at(second: u64) -> Timestamp {
        Timestamp::from_seconds(second)
    }

    #[test]
    fn a_ticket_is_looked_at_after_its_grace_and_a_late_upload_again_and_again() {
        assert_eq!(pending().due_at, Some(at(110)));
        let mut asset = pending().expired(&PERIODS, at(110)).unwrap();
        for look in [3_710, 21_710, 86_510] {
            assert_eq!(asset.due_at, Some(at(look)));
            asset = asset.attended(&PERIODS, at(look));
        }
        assert_eq!(asset.due_at, Some(at(91_510)), "its record goes");
        let late = pending().expired(&PERIODS, at(100_000)).unwrap();
        assert_eq!(late.due_at, Some(at(100_010)), "once at least");
        assert_eq!(late.attended(&PERIODS, at(100_010)).due_at, Some(at(91_510)));
        let nothing = Rejection { what: "content".into(), expected: "a".into(), found: "b".into() };
        let early = pending().rejected(nothing, &PERIODS, at(5)).unwrap();
        assert_eq!(early.due_at, Some(at(110)), "its ticket is still good: another file may come");
    }

    #[test]
    fn a_deleted_asset_is_purged_when_nothing_can_come_back_or_arrive() {
        let ready = pending().ready(None, at(50)).unwrap();
        assert_eq!(ready.due_at, None);
        let deleted = ready.clone().deleted(&PERIODS, at(100_000));
        assert_eq!(deleted.due_at, Some(at(100_000)), "its objects have to go out of reach");
        let deleted = deleted.discarded(&PERIODS, at(100_001), at(100_001));
        assert_eq!(deleted.due_at, Some(at(101_000)));
        assert_eq!(deleted.restored(&PERIODS, at(100_010)).due_at, None);
        for early in [ready, pending()] {
            let deleted = early.deleted(&PERIODS, at(60)).discarded(&PERIODS, at(61), at(61));
            assert_eq!(deleted.due_at, Some(at(86_510)));
        }
    }

    #[test]
    fn a_deletion_that_ends_after_the_last_look_is_looked_at_once_more_for_its_tombstones() {
        let periods = Periods { retention_seconds: 100_000, ..PERIODS };
        let deleted = pending().ready(None, at(50)).unwrap().deleted(&periods, at(60));
        let early = deleted.clone().discarded(&periods, at(86_509), at(86_511));
        assert_eq!(early.due_at, Some(at(86_510)), "at once");
        let looked_at = early.released(&periods, at(86_511), at(86_512));
        assert_eq!(looked_at.due_at, Some(at(100_060)), "then when it is purged");
        let after = deleted.discarded(&periods, at(86_510), at(86_511));
        assert_eq!(after.due_at, Some(at(100_060)), "no tombstone was left");
    }

    #[test]
    fn what_is_hidden_where_it_lies_is_looked_at_as_what_is_moved() {
        let deleted = pending().ready(None, at(50)).unwrap().deleted(&PERIODS, at(100_000));
        let hiding = deleted.hiding(at(100_001)).released(&PERIODS, at(100_001), at(100_002));
        assert_eq!((hiding.is_deleting(), hiding.due_at), (true, Some(at(100_001))), "at once");
        let hidden = hiding.discarded(&PERIODS, at(100_003), at(100_003));
        assert_eq!((hidden.placement, hidden.due_at), (Placement::Hidden, Some(at(101_000))));
        let returning = hidden.returning();
        assert!(returning.is_deleting() && returning.placement == Placement::Hiding);
        let restored = returning.restored(&PERIODS, at(100_004));
        assert_eq!((restored.placement, restored.due_at), (Placement::Key, None));
    }

    #[test]
    fn what_arrives_where_an_asset_was_is_looked_for_until_nothing_can() {
        let ready = pending().ready(None, at(50)).unwrap();
        let moved = Asset { moved: true, ..ready }.released(&PERIODS, at(60), at(60));
        assert_eq!(moved.due_at, Some(at(86_510)));
        assert_eq!(moved.clone().released(&PERIODS, at(86_510), at(86_510)).due_at, None);
        let late = moved.released(&PERIODS, at(86_509), at(86_511));
        assert_eq!(
            late.due_at,
            Some(at(86_510)),
            "at once: the move began before and may have left a tombstone"
        );
    }

    #[test]
    fn a_hold_is_looked_at_when_it_is_over() {
        let hold = Hold { by: "me".into(), until: at(80) };
        let held = pending().ready(None, at(50)).unwrap().held(hold, at(60));
        assert!(held.is_held(at(79)) && !held.is_held(at(80)));
        assert_eq!(held.due_at, Some(at(80)));
        assert_eq!(held.deleted(&PERIODS, at(61)).due_at, Some(at(80)), "the mover goes first");
    }
}
