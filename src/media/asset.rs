//! A stored file and its states.

use serde::{Deserialize, Serialize};

use super::{
    AssetId, Checksum, ContentType, Derivatives, Filename, Hold, Metadata, NewUpload, ObjectKey, Parts,
    Periods, Placement, Tally, TenantId, Timestamp, contradiction,
};

/// The durable handle of one stored file.
///
/// States: PENDING → READY by [`Asset::ready`], PENDING → REJECTED by [`Asset::rejected`],
/// PENDING → EXPIRED by [`Asset::expired`]. Deletion is a mark beside the state.
///
/// Each change says when the asset is due next: when the lifecycle worker has to look at it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asset {
    /// Its id.
    pub id: AssetId,
    /// Its owner.
    pub tenant: TenantId,
    /// Where it is on its way.
    pub status: Status,
    /// Who may read it.
    pub visibility: Visibility,
    /// The cleaned name.
    pub filename: Filename,
    /// The declared type.
    pub content_type: ContentType,
    /// The declared length in bytes.
    pub size_bytes: u64,
    /// SHA-256 of the content, where the client gave one.
    pub checksum: Option<Checksum>,
    /// Width of a picture, once READY.
    pub width_px: Option<u32>,
    /// Height of a picture, once READY.
    pub height_px: Option<u32>,
    /// Where it lies under its tenant's root.
    pub key: ObjectKey,
    /// Alt text and whatever else.
    pub metadata: Metadata,
    /// When its ticket was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// When its ticket runs out.
    pub ticket_expires_at: Timestamp,
    /// How it is sent in parts, where it is.
    #[serde(default)]
    pub parts: Option<Parts>,
    /// When it was deleted, if it was.
    pub deleted_at: Option<Timestamp>,
    /// Why it was refused, if it was.
    pub rejection: Option<Rejection>,
    /// Purging has begun: its objects may be gone, and it can't be restored.
    #[serde(default)]
    pub purging: bool,
    /// It was moved: the place that it has left may hold a tombstone, for as long as its ticket lets a file arrive.
    #[serde(default)]
    pub moved: bool,
    /// Where its objects lie.
    #[serde(default)]
    pub placement: Placement,
    /// Derivatives that its metadata named once and doesn't any more: `320.jpg`. Their objects go where the file goes.
    #[serde(default)]
    pub former_derivatives: Vec<String>,
    /// Who is moving or removing its objects. Nobody else begins to, until the hold is over.
    #[serde(default)]
    pub hold: Option<Hold>,
    /// When the lifecycle worker is to look at it; `None` is never.
    #[serde(default)]
    pub due_at: Option<Timestamp>,
    /// Counts its changes: a change is made to the revision that was read, or not at all.
    pub revision: u64,
}

impl Asset {
    /// A PENDING asset for a ticket.
    #[must_use]
    pub fn pending(
        id: AssetId,
        tenant: TenantId,
        key: ObjectKey,
        upload: NewUpload,
        now: Timestamp,
        periods: &Periods,
    ) -> Self {
        let asset = Self {
            id,
            tenant,
            status: Status::Pending,
            visibility: upload.visibility,
            filename: upload.filename,
            content_type: upload.content_type,
            size_bytes: upload.size_bytes,
            checksum: upload.checksum,
            width_px: None,
            height_px: None,
            key,
            metadata: upload.metadata,
            created_at: now,
            updated_at: now,
            ticket_expires_at: now.plus_seconds(periods.ticket_seconds),
            parts: None,
            deleted_at: None,
            rejection: None,
            purging: false,
            moved: false,
            placement: Placement::Key,
            former_derivatives: Vec::new(),
            hold: None,
            due_at: None,
            revision: 1,
        };
        asset.due(periods, now)
    }

    /// What differs between what was promised and what is stored; `None` where nothing does.
    #[must_use]
    pub fn mismatch(&self, stored: &Stored) -> Option<Rejection> {
        let differs = |what: &str, expected: String, found: String| {
            (expected != found).then(|| Rejection { what: what.to_owned(), expected, found })
        };
        differs("sizeBytes", self.size_bytes.to_string(), stored.size_bytes.to_string())
            .or_else(|| {
                differs(
                    "contentType",
                    self.content_type.to_string(),
                    stored.content_type.to_ascii_lowercase(),
                )
            })
            .or_else(|| match (&self.checksum, &stored.sha256) {
                (Some(expected), Some(found)) => differs("checksum", expected.to_base64(), found.clone()),
                _ => None,
            })
    }

    /// What the first bytes of the file show that isn't what was promised; `None` where nothing does.
    #[must_use]
    pub fn masquerade(&self, head: &[u8]) -> Option<Rejection> {
        contradiction(&self.content_type, head).map(|found| Rejection {
            what: "content".to_owned(),
            expected: self.content_type.to_string(),
            found: found.to_owned(),
        })
    }

    /// PENDING → READY.
    ///
    /// # Errors
    /// The state that it is in, where that isn't PENDING.
    pub fn ready(mut self, dimensions: Option<(u32, u32)>, now: Timestamp) -> Result<Self, StatusConflict> {
        self.leave_pending(Status::Ready, now)?;
        (self.width_px, self.height_px) = dimensions.unzip();
        self.due_at = self.hold.as_ref().map(|hold| hold.until);
        Ok(self)
    }

    /// PENDING → REJECTED, for good.
    ///
    /// # Errors
    /// The state that it is in, where that isn't PENDING.
    pub fn rejected(
        mut self,
        rejection: Rejection,
        periods: &Periods,
        now: Timestamp,
    ) -> Result<Self, StatusConflict> {
        self.leave_pending(Status::Rejected, now)?;
        self.rejection = Some(rejection);
        Ok(self.due_again(periods, now))
    }

    /// PENDING → EXPIRED.
    ///
    /// # Errors
    /// The state that it is in, where that isn't PENDING.
    pub fn expired(mut self, periods: &Periods, now: Timestamp) -> Result<Self, StatusConflict> {
        self.leave_pending(Status::Expired, now)?;
        Ok(self.due_again(periods, now))
    }

    /// The asset, marked as deleted. Its objects have to be moved out of reach.
    #[must_use]
    pub fn deleted(mut self, periods: &Periods, now: Timestamp) -> Self {
        self.deleted_at = Some(now);
        self.placement = Placement::Moving;
        self.touched(now).due(periods, now)
    }

    /// The asset without the mark of its deletion. Its objects are back at its key.
    #[must_use]
    pub fn restored(mut self, periods: &Periods, now: Timestamp) -> Self {
        self.deleted_at = None;
        self.placement = Placement::Key;
        self.touched(now).due_again(periods, now)
    }

    /// The asset, held by somebody who moves its objects. The worker looks at it when the hold is over.
    #[must_use]
    pub fn held(self, hold: Hold, now: Timestamp) -> Self {
        self.claimed(hold).touched(now)
    }

    /// The same as part of another change, which counts the revision.
    #[must_use]
    pub fn claimed(mut self, hold: Hold) -> Self {
        self.due_at = Some(hold.until);
        self.hold = Some(hold);
        self
    }

    /// The asset, whose hold is good for longer.
    #[must_use]
    pub fn renewed(mut self, until: Timestamp) -> Self {
        if let Some(hold) = &mut self.hold {
            hold.until = until;
            self.due_at = Some(until);
        }
        self.revision += 1;
        self
    }

    /// The asset without its hold, which was taken at `held_at`. If an upload could still arrive at that time, the holder
    /// may have left tombstones, and the worker looks at the asset once more, even if its last look is over by now.
    #[must_use]
    pub fn released(mut self, periods: &Periods, held_at: Timestamp, now: Timestamp) -> Self {
        self.hold = None;
        self.touched(now).due(periods, held_at)
    }

    /// The asset, whose objects are about to go for good.
    #[must_use]
    pub fn purged(mut self, hold: Hold, now: Timestamp) -> Self {
        self.purging = true;
        self.held(hold, now)
    }

    /// The asset after the worker has looked at it and left it as it was.
    #[must_use]
    pub fn attended(mut self, periods: &Periods, now: Timestamp) -> Self {
        self.revision += 1;
        self.due(periods, now)
    }

    /// Whether somebody else may be moving or removing its objects.
    #[must_use]
    pub fn is_held(&self, now: Timestamp) -> bool {
        self.hold.as_ref().is_some_and(|hold| now < hold.until)
    }

    /// What it adds to its tenant's READY files, and to the PENDING ones.
    #[must_use]
    pub fn tallies(&self) -> (Tally, Tally) {
        let one = Tally { count: 1, bytes: self.size_bytes };
        match self.status {
            _ if self.deleted_at.is_some() => (Tally::default(), Tally::default()),
            Status::Ready => (one, Tally::default()),
            Status::Pending => (Tally::default(), one),
            Status::Rejected | Status::Expired => (Tally::default(), Tally::default()),
        }
    }

    /// The same, and once more where all looks are over: nobody looked while it was in another state.
    pub(super) fn due_again(self, periods: &Periods, now: Timestamp) -> Self {
        let mut asset = self.due(periods, now);
        let looked_at = match asset.status {
            Status::Pending => false,
            Status::Ready => asset.moved,
            Status::Rejected | Status::Expired => true,
        };
        let over = !periods.may_arrive(&asset, now);
        if looked_at && over && asset.hold.is_none() && asset.deleted_at.is_none() {
            asset.due_at = Some(now.plus_seconds(periods.grace_seconds));
        }
        asset
    }

    /// Says when the worker looks at it next, after `now`.
    fn due(mut self, periods: &Periods, now: Timestamp) -> Self {
        self.due_at = periods.due_after(&self, now);
        self
    }

    /// The asset after a change, one revision on.
    #[must_use]
    pub fn touched(mut self, now: Timestamp) -> Self {
        self.updated_at = now;
        self.revision += 1;
        self
    }

    /// Width and height of a picture, where both are known.
    #[must_use]
    pub fn dimensions(&self) -> Option<(u32, u32)> {
        self.width_px.zip(self.height_px)
    }

    /// Whether links may be made for it.
    #[must_use]
    pub fn is_servable(&self) -> bool {
        self.status == Status::Ready && self.deleted_at.is_none()
    }

    /// Its derivatives, as its metadata names them.
    #[must_use]
    pub fn derivatives(&self) -> Option<Derivatives> {
        Derivatives::of(&self.metadata)
    }

    fn leave_pending(&mut self, to: Status, now: Timestamp) -> Result<(), StatusConflict> {
        if self.status != Status::Pending {
            return Err(StatusConflict { status: self.status });
        }
        self.status = to;
        self.updated_at = now;
        self.revision += 1;
        Ok(())
    }
}

/// Where an asset is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// A ticket was made; the upload isn't confirmed.
    Pending,
    /// The file is there and is what was promised.
    Ready,
    /// Something else was uploaded.
    Rejected,
    /// Nothing was uploaded in time.
    Expired,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Ready, Self::Rejected, Self::Expired];

    /// The name in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Ready => "READY",
            Self::Rejected => "REJECTED",
            Self::Expired => "EXPIRED",
        }
    }
}

/// Who may read an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Visibility {
    /// Anybody who has its id.
    Public,
    /// Its tenant, by short-lived links.
    Private,
}

impl Visibility {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Public, Self::Private];

    /// The name in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "PUBLIC",
            Self::Private => "PRIVATE",
        }
    }
}

/// What an object store says of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its length in bytes.
    pub size_bytes: u64,
    /// The content type it was stored with.
    pub content_type: String,
    /// SHA-256 in base64, where the store knows it.
    pub sha256: Option<String>,
    /// The entity tag, with its quotes.
    pub etag: String,
}

/// What was expected of an upload and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// Which property differs: `sizeBytes`, `contentType` or `checksum`; or `content`, where the file
    /// shows another type than it was stored with.
    pub what: String,
    /// What the ticket was for.
    pub expected: String,
    /// What was stored.
    pub found: String,
}

/// A transition that the asset's state doesn't allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the asset is {}", status.as_str())]
pub struct StatusConflict {
    /// The state that it is in.
    pub status: Status,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asset() -> Asset {
        let upload = NewUpload {
            filename: Filename::clean("a.png").unwrap(),
            content_type: ContentType::parse("image/png").unwrap(),
            size_bytes: 10,
            visibility: Visibility::Public,
            checksum: Checksum::parse("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
            metadata: Metadata::default(),
        };
        let id = AssetId::generate();
        let key = ObjectKey::parse(format!("t/{id}/a.png")).unwrap();
        Asset::pending(id, "t".parse().unwrap(), key, upload, Timestamp::from_seconds(1), &Periods::default())
    }

    fn stored() -> Stored {
        Stored {
            size_bytes: 10,
            content_type: "image/png".into(),
            sha256: Some("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".into()),
            etag: "\"x\"".into(),
        }
    }

    #[test]
    fn only_a_pending_asset_changes_its_state() {
        let now = Timestamp::from_seconds(2);
        let ready = asset().ready(Some((3, 4)), now).unwrap();
        assert_eq!((ready.status, ready.revision, ready.width_px), (Status::Ready, 2, Some(3)));
        assert_eq!(ready.clone().ready(None, now).unwrap_err().status, Status::Ready);
        assert_eq!(ready.expired(&Periods::default(), now).unwrap_err().status, Status::Ready);
    }

    #[test]
    fn each_difference_is_found() {
        assert_eq!(asset().mismatch(&stored()), None);
        type Spoil = fn(&mut Stored);
        let cases: [(Spoil, &str); 3] = [
            (|stored| stored.size_bytes = 11, "sizeBytes"),
            (|stored| stored.content_type = "image/gif".into(), "contentType"),
            (|stored| stored.sha256 = Some("AAAA".into()), "checksum"),
        ];
        for (spoil, what) in cases {
            let mut other = stored();
            spoil(&mut other);
            assert_eq!(asset().mismatch(&other).unwrap().what, what);
        }
    }

    #[test]
    fn a_deleted_asset_is_not_served() {
        let ready = asset().ready(None, Timestamp::from_seconds(2)).unwrap();
        assert!(ready.is_servable());
        assert!(!ready.deleted(&Periods::default(), Timestamp::from_seconds(3)).is_servable());
        assert!(!asset().is_servable());
    }
}
