//! Moves the objects of deleted assets out of reach, and back.
//!
//! The trash is a folder that no link, cookie or behaviour of the distribution leads to. Both ways are those of
//! [`relocation`](super::relocation): hold, copy, change the asset, remove, release. Each step can be done twice. Between
//! the first and the last one the asset is deleted and `Moving`, and whatever cuts them off, the lifecycle worker ends
//! them in the trash.

use super::asset_files::Vacancy;
use super::assets::AssetError;
use super::layout::Place;
use super::ports::StoreError;
use super::relocation::Relocation;
use crate::media::{Asset, Status};

impl Relocation {
    /// Moves the objects of a deleted asset, which its caller holds, to the trash; the asset, released.
    pub(super) async fn discard(&self, place: &Place, held: &Asset) -> Result<Asset, AssetError> {
        self.renewing(held, self.discard_held(place, held)).await
    }

    async fn discard_held(&self, place: &Place, held: &Asset) -> Result<Asset, AssetError> {
        if let Err(error) = self.move_to_trash(place, held).await {
            self.release(held).await?;
            return Err(error.into());
        }
        self.change(held, |asset, now| Ok(asset.discarded(&self.periods, now))).await?
    }

    async fn move_to_trash(&self, place: &Place, held: &Asset) -> Result<(), StoreError> {
        // What was refused or came too late is no file to be restored.
        if matches!(held.status, Status::Ready | Status::Pending) {
            self.files.copy(place, held, &held.key, &held.key.in_trash()).await?;
        }
        for key in [held.key.in_public(), held.key.in_private()] {
            self.files.vacate(place, held, &key, self.vacancy_at(held, &key)).await?;
        }
        Ok(())
    }

    /// Moves the objects of a deleted asset, which its caller holds, back to its key; the asset, restored and released.
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
        if let Err(error) = self.files.vacate(place, held, &held.key.in_trash(), Vacancy::Empty).await {
            self.end_hold(held).await?;
            return Err(error.into());
        }
        self.change(held, |asset, now| Ok(asset.released_and_due(&self.periods, now))).await?
    }

    /// Whether all that the asset had lies at its key again.
    async fn move_back(&self, place: &Place, held: &Asset) -> Result<bool, StoreError> {
        let copied = self.files.copy(place, held, &held.key.in_trash(), &held.key).await?;
        if copied || self.files.is_there(place, &held.key).await? {
            return Ok(true);
        }
        match held.status {
            Status::Ready => Ok(false),
            Status::Pending => {
                // Nothing had been uploaded: its ticket may be used again.
                self.files.vacate_file(place, &held.key, Vacancy::Empty).await?;
                Ok(true)
            }
            Status::Rejected | Status::Expired => Ok(true),
        }
    }
}
