//! Takes the objects of deleted assets out of reach, and brings them back.
//!
//! 1. A bucket that keeps versions hides them where they lie: under delete markers, and under a tombstone for as long as
//!    the ticket lets a file arrive. Nothing is copied; to bring them back is to remove what hides them.
//! 2. Elsewhere they go to the trash, a folder that no link, cookie or behaviour of the distribution leads to.
//!
//! Both ways are those of [`relocation`](super::relocation): hold, change what lies there, change the asset, release. Each
//! step can be done twice. Between the first and the last one the asset is deleted and `Moving` or `Hiding`, and whatever
//! cuts them off, the lifecycle worker ends them out of reach.

use super::asset_files::Vacancy;
use super::assets::AssetError;
use super::layout::Place;
use super::ports::StoreError;
use super::relocation::Relocation;
use crate::media::{Asset, Placement, Status};

/// What a deletion that is under way says where its bucket stops keeping versions.
const SUSPENDED: &str = "the bucket kept versions when the deletion of the file began and says now that it keeps \
                         none: a removal might destroy the file; enable the bucket's versioning, and let the node \
                         ask for it";

impl Relocation {
    /// Takes the objects of a deleted asset, which its caller holds, out of reach; the asset, released.
    pub(super) async fn discard(&self, place: &Place, held: &Asset) -> Result<Asset, AssetError> {
        self.renewing(held, self.discard_held(place, held)).await
    }

    async fn discard_held(&self, place: &Place, held: &Asset) -> Result<Asset, AssetError> {
        if let Err(error) = self.take_out_of_reach(place, held).await {
            self.release(held).await?;
            return Err(error);
        }
        self.change(held, |asset, now| Ok(asset.discarded(&self.periods, held.updated_at, now))).await?
    }

    async fn take_out_of_reach(&self, place: &Place, held: &Asset) -> Result<(), AssetError> {
        let hiding = held.placement == Placement::Hiding;
        if self.files.can_hide(place, held, &held.key).await? {
            if !hiding {
                // First of all, so that the way is known on which the objects come back.
                self.change(held, |asset, now| Ok(asset.hiding(now))).await??;
            }
        } else if hiding {
            return Err(StoreError::unavailable(SUSPENDED).into());
        } else if is_restorable(held) {
            self.files.copy(place, held, &held.key, &held.key.in_trash()).await?;
        }
        self.vacate_places(place, held).await?;
        Ok(())
    }

    async fn vacate_places(&self, place: &Place, asset: &Asset) -> Result<(), StoreError> {
        for key in [asset.key.in_public(), asset.key.in_private()] {
            self.files.vacate(place, asset, &key, self.vacancy_at(asset, &key)).await?;
        }
        Ok(())
    }

    /// Puts delete markers over the tombstones of a deleted asset, whose objects are hidden, once its ticket is over. To
    /// remove the tombstones would show the objects again.
    pub(super) async fn hide_again(&self, place: &Place, held: &Asset) -> Result<(), StoreError> {
        // Where the bucket keeps versions no more, a marker may destroy a file: the tombstones stay until the purge.
        match self.files.can_hide(place, held, &held.key).await? {
            true => self.vacate_places(place, held).await,
            false => Ok(()),
        }
    }

    /// Brings the objects of a deleted asset, which its caller holds, back to its key; the asset, restored and released.
    pub(super) async fn bring_back(&self, place: &Place, held: &Asset) -> Result<Asset, AssetError> {
        self.renewing(held, self.bring_back_held(place, held)).await
    }

    async fn bring_back_held(&self, place: &Place, held: &Asset) -> Result<Asset, AssetError> {
        let gone = || AssetError::from(StoreError::corrupt("the asset's object is gone"));
        let back = self.move_back(place, held).await.map_err(AssetError::from);
        if let Err(error) = back.and_then(|back| back.then_some(()).ok_or_else(gone)) {
            self.release(held).await?;
            return Err(error);
        }
        self.change(held, |asset, now| Ok(asset.restored(&self.periods, now))).await??;
        if let Err(error) = self.files.clear(place, held, &held.key.in_trash()).await {
            self.end_hold(held).await?;
            return Err(error.into());
        }
        self.change(held, |asset, now| Ok(asset.released_and_due(&self.periods, now))).await?
    }

    /// Whether all that the asset had lies at its key again.
    async fn move_back(&self, place: &Place, held: &Asset) -> Result<bool, StoreError> {
        let hidden = held.placement == Placement::Hiding;
        if hidden && is_restorable(held) {
            self.files.unhide(place, held, &held.key).await?;
        }
        // The trash has what was moved there before its bucket kept versions, too.
        let copied = self.files.copy(place, held, &held.key.in_trash(), &held.key).await?;
        if copied || self.files.is_there(place, &held.key).await? {
            return Ok(true);
        }
        match held.status {
            Status::Ready => Ok(false),
            Status::Pending => {
                // Nothing had been uploaded: its ticket may be used again.
                if !hidden {
                    self.files.vacate_file(place, &held.key, Vacancy::Empty).await?;
                }
                Ok(true)
            }
            Status::Rejected | Status::Expired => Ok(true),
        }
    }
}

/// Whether an asset's file can be brought back: what was refused or came too late can't.
fn is_restorable(asset: &Asset) -> bool {
    matches!(asset.status, Status::Ready | Status::Pending)
}
