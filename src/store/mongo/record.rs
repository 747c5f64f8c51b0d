//! How an asset is written.
//!
//! What is looked for or sorted by has a type of the server's: times are dates (to the millisecond), revision and
//! size 64-bit integers, `deleted` a flag. `groupID` is on every document.
//!
//! `metadata` is JSON, as text. Its members are anybody's: with `$`, `.` or a zero in their names they can't be
//! members of a document everywhere, numbers beyond 63 bits would change, and nothing is looked for in them.

use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};

use crate::media::{
    Asset, AssetId, Checksum, ContentType, Filename, Hold, ObjectKey, Parts, PartsId, Placement, Rejection,
    Status, TenantId, Timestamp, Visibility,
};
use crate::service::ports::StoreError;

/// A document of `media_assets`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssetRecord {
    #[serde(rename = "_id")]
    id: AssetId,
    #[serde(rename = "groupID")]
    group_id: TenantId,
    revision: i64,
    status: Status,
    visibility: Visibility,
    deleted: bool,
    content_type: ContentType,
    size_bytes: i64,
    created_at: DateTime,
    updated_at: DateTime,
    filename: Filename,
    key: ObjectKey,
    checksum: Option<Checksum>,
    width_px: Option<i64>,
    height_px: Option<i64>,
    metadata: String,
    ticket_expires_at: DateTime,
    deleted_at: Option<DateTime>,
    rejection: Option<Rejection>,
    #[serde(default)]
    purging: bool,
    #[serde(default)]
    hold: Option<HoldRecord>,
    #[serde(default)]
    due_at: Option<DateTime>,
    #[serde(default)]
    parts: Option<PartsRecord>,
    #[serde(default)]
    moved: bool,
    #[serde(default)]
    placement: Placement,
    #[serde(default)]
    former_derivatives: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PartsRecord {
    upload: PartsId,
    part_bytes: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct HoldRecord {
    by: String,
    until: DateTime,
}

/// A value that one side has no room for.
#[derive(Debug, thiserror::Error)]
#[error("the member {member} of the asset {id} is out of range")]
struct OutOfRange {
    id: AssetId,
    member: &'static str,
}

impl AssetRecord {
    /// Writes an asset.
    pub fn of(asset: &Asset) -> Result<Self, StoreError> {
        // Each member by its name: one that comes to be is an error here, not one that is forgotten.
        let Asset {
            id,
            tenant,
            status,
            visibility,
            filename,
            content_type,
            size_bytes,
            checksum,
            width_px,
            height_px,
            key,
            metadata,
            created_at,
            updated_at,
            ticket_expires_at,
            deleted_at,
            rejection,
            purging,
            hold,
            due_at,
            parts,
            moved,
            placement,
            former_derivatives,
            revision,
        } = asset.clone();
        let time = |member, time| date(time).ok_or_else(|| out_of_range(id, member));
        let number = |member, number| i64::try_from(number).map_err(|_| out_of_range(id, member));
        let maybe = |member, at: Option<Timestamp>| at.map(|at| time(member, at)).transpose();
        let hold = match hold {
            Some(Hold { by, until }) => Some(HoldRecord { by, until: time("hold.until", until)? }),
            None => None,
        };
        let parts = match parts {
            Some(Parts { upload, part_bytes }) => {
                Some(PartsRecord { upload, part_bytes: number("parts.partBytes", part_bytes)? })
            }
            None => None,
        };
        Ok(Self {
            id,
            group_id: tenant,
            revision: number("revision", revision)?,
            status,
            visibility,
            deleted: deleted_at.is_some(),
            content_type,
            size_bytes: number("sizeBytes", size_bytes)?,
            created_at: time("createdAt", created_at)?,
            updated_at: time("updatedAt", updated_at)?,
            filename,
            key,
            checksum,
            width_px: width_px.map(i64::from),
            height_px: height_px.map(i64::from),
            metadata: serde_json::to_string(&metadata).map_err(StoreError::corrupt)?,
            ticket_expires_at: time("ticketExpiresAt", ticket_expires_at)?,
            deleted_at: maybe("deletedAt", deleted_at)?,
            rejection,
            purging,
            hold,
            due_at: maybe("dueAt", due_at)?,
            parts,
            moved,
            placement,
            former_derivatives,
        })
    }

    /// Reads an asset.
    pub fn asset(self) -> Result<Asset, StoreError> {
        let id = self.id;
        let time = |member, date| timestamp(date).ok_or_else(|| out_of_range(id, member));
        let number = |member, number| u64::try_from(number).map_err(|_| out_of_range(id, member));
        let pixels = |member, pixels: Option<i64>| {
            pixels.map(u32::try_from).transpose().map_err(|_| out_of_range(id, member))
        };
        let maybe = |member, at: Option<DateTime>| at.map(|at| time(member, at)).transpose();
        let hold = match self.hold {
            Some(HoldRecord { by, until }) => Some(Hold { by, until: time("hold.until", until)? }),
            None => None,
        };
        let parts = match self.parts {
            Some(PartsRecord { upload, part_bytes }) => {
                Some(Parts { upload, part_bytes: number("parts.partBytes", part_bytes)? })
            }
            None => None,
        };
        Ok(Asset {
            id,
            tenant: self.group_id,
            status: self.status,
            visibility: self.visibility,
            filename: self.filename,
            content_type: self.content_type,
            size_bytes: number("sizeBytes", self.size_bytes)?,
            checksum: self.checksum,
            width_px: pixels("widthPx", self.width_px)?,
            height_px: pixels("heightPx", self.height_px)?,
            key: self.key,
            metadata: serde_json::from_str(&self.metadata).map_err(StoreError::corrupt)?,
            created_at: time("createdAt", self.created_at)?,
            updated_at: time("updatedAt", self.updated_at)?,
            ticket_expires_at: time("ticketExpiresAt", self.ticket_expires_at)?,
            deleted_at: maybe("deletedAt", self.deleted_at)?,
            rejection: self.rejection,
            purging: self.purging,
            hold,
            due_at: maybe("dueAt", self.due_at)?,
            parts,
            moved: self.moved,
            placement: self.placement,
            former_derivatives: self.former_derivatives,
            revision: number("revision", self.revision)?,
        })
    }
}

/// A time as the server has it; `None` after the year 9999, the last one that everybody can read.
pub fn date(time: Timestamp) -> Option<DateTime> {
    i64::try_from(time.millis()).ok().filter(|millis| *millis <= LAST_MILLI).map(DateTime::from_millis)
}

/// A time as the server has it; for a later one, the last one that it has.
pub fn date_or_last(time: Timestamp) -> DateTime {
    date(time).unwrap_or(DateTime::from_millis(LAST_MILLI))
}

/// A time of the server's.
pub fn timestamp(date: DateTime) -> Option<Timestamp> {
    u64::try_from(date.timestamp_millis()).ok().map(Timestamp::from_millis)
}

fn out_of_range(id: AssetId, member: &'static str) -> StoreError {
    StoreError::corrupt(OutOfRange { id, member })
}

/// The last millisecond of the year 9999.
const LAST_MILLI: i64 = 253_402_300_799_999;

#[cfg(test)]
mod tests {
    use mongodb::bson::{Bson, deserialize_from_document, serialize_to_document};
    use serde_json::json;

    use super::*;
    use crate::media::{Metadata, NewUpload, Periods};

    fn asset(metadata: serde_json::Value) -> Asset {
        let serde_json::Value::Object(members) = metadata else { panic!("an object") };
        let upload = NewUpload {
            filename: Filename::clean("a.png").unwrap(),
            content_type: ContentType::parse("image/png").unwrap(),
            size_bytes: 10,
            visibility: Visibility::Private,
            checksum: Checksum::parse(&"aB".repeat(32)),
            metadata: Metadata::new(members).unwrap(),
        };
        let (id, key) = (AssetId::generate(), ObjectKey::parse("private/a.png").unwrap());
        let now = Timestamp::from_millis(1_700_000_000_123);
        Asset::pending(id, "t".parse().unwrap(), key, upload, now, &Periods::default())
    }

    fn there_and_back(asset: &Asset) -> Asset {
        let document = serialize_to_document(&AssetRecord::of(asset).unwrap()).unwrap();
        deserialize_from_document::<AssetRecord>(document).unwrap().asset().unwrap()
    }

    #[test]
    fn an_asset_comes_back_as_it_was_with_whatever_metadata() {
        let odd = json!({
            "z": 1, "a": {"$set": {"x.y": [null, 1.5, 18_446_744_073_709_551_615_u64, -1]}},
            "": "", "nul\u{0}": "\u{0}", "$where": "1", "a.b": {"__proto__": 1e300},
        });
        let pending = asset(odd);
        let rejection = Rejection { what: "content".into(), expected: "a".into(), found: "b".into() };
        let hold = Hold { by: "me".into(), until: Timestamp::from_millis(1_700_000_000_999) };
        let now = Timestamp::from_millis(1_700_000_000_456);
        let parts = Parts { upload: PartsId::new("u"), part_bytes: 5_242_880 };
        for asset in [
            pending.clone().ready(Some((u32::MAX, 0)), now).unwrap().deleted(&Periods::default(), now),
            pending.clone().rejected(rejection, &Periods::default(), now).unwrap(),
            Asset {
                purging: true,
                moved: true,
                placement: Placement::Trash,
                former_derivatives: vec!["320.jpg".into()],
                parts: Some(parts),
                revision: u64::MAX >> 1,
                ..pending.clone().held(hold, now)
            },
            pending,
        ] {
            let back = there_and_back(&asset);
            assert_eq!(back, asset);
            let text = |asset: &Asset| serde_json::to_string(asset).unwrap();
            assert_eq!(text(&back), text(&asset), "in the same order, and with the checksum as it was given");
        }
    }

    #[test]
    fn times_are_dates_and_counts_are_64_bits() {
        let record = serialize_to_document(&AssetRecord::of(&asset(json!({}))).unwrap()).unwrap();
        assert_eq!(record.get("revision"), Some(&Bson::Int64(1)));
        assert_eq!(record.get("sizeBytes"), Some(&Bson::Int64(10)));
        let created = record.get_datetime("createdAt").unwrap();
        assert_eq!(created.timestamp_millis(), 1_700_000_000_123);
        assert_eq!(record.get_str("groupID").unwrap(), "t");
    }

    #[test]
    fn what_no_one_can_read_is_an_error_that_names_it() {
        let asset = Asset { size_bytes: u64::MAX, ..asset(json!({})) };
        let error = AssetRecord::of(&asset).err().unwrap().to_string();
        assert!(error.contains("sizeBytes") && error.contains(&asset.id.to_string()), "{error}");
        let mut record = AssetRecord::of(&Asset { size_bytes: 1, ..asset }).unwrap();
        record.revision = -1;
        assert!(record.asset().unwrap_err().to_string().contains("revision"));
    }
}
