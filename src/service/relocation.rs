//! Moves an asset's objects to where its visibility wants them.
//!
//! 1. Hold the asset: nobody else moves or removes its objects, and whatever happens to this process, the
//!    lifecycle worker looks at the asset when the hold is over and removes what lies in the wrong place.
//! 2. Copy. 3. Point the asset at the copy. 4. Remove the original. 5. Release the asset.
//!
//! A move that has begun goes on when its caller gives up waiting.

use std::sync::Arc;

use super::asset_files::AssetFiles;
use super::assets::AssetError;
use super::layout::Place;
use super::ports::{AssetStore, Clock, StoreError, Update};
use super::uploads::ATTEMPTS;
use crate::media::{Asset, Hold, Metadata, ObjectKey, Periods, Timestamp, Visibility};

/// How long a move may take, in seconds: the copy of the largest file takes minutes within S3.
pub(super) const HOLD_SECONDS: u64 = 3_600;

/// Moves assets. Cheap to clone.
#[derive(Clone)]
pub(super) struct Relocation {
    pub(super) store: Arc<dyn AssetStore>,
    pub(super) files: AssetFiles,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) periods: Periods,
}

/// Where an asset goes, and what else changes with it.
pub(super) struct Destination {
    pub(super) visibility: Visibility,
    pub(super) key: ObjectKey,
    pub(super) metadata: Metadata,
}

impl Relocation {
    /// Moves an asset that its caller holds; the asset, moved and released.
    pub(super) async fn run(&self, place: &Place, held: Asset, to: Destination) -> Result<Asset, AssetError> {
        match self.files.copy(place, &held, &to.key).await {
            Ok(true) => {}
            outcome => {
                // What was copied goes again; where that fails too, the worker does it.
                self.files.remove(place, &held, &to.key).await?;
                self.change(&held, |asset, now| asset.released(&self.periods, now)).await?;
                outcome?;
                return Err(StoreError::corrupt("the asset's object is gone").into());
            }
        }
        let moved = self.change(&held, |asset, now| {
            let mut moved = asset.touched(now);
            moved.visibility = to.visibility;
            moved.key = to.key.clone();
            moved.moved = true;
            moved.metadata = to.metadata.clone();
            moved
        });
        moved.await?;
        self.files.remove(place, &held, &held.key).await?;
        self.change(&held, |asset, now| asset.released(&self.periods, now)).await
    }

    /// Changes the asset, for as long as it is held by the same hand.
    async fn change(
        &self,
        held: &Asset,
        change: impl Fn(Asset, Timestamp) -> Asset,
    ) -> Result<Asset, AssetError> {
        for _ in 0..ATTEMPTS {
            let asset = self.store.find(&held.tenant, held.id).await?.ok_or(AssetError::NotFound)?;
            if asset.hold != held.hold {
                return Err(AssetError::Contended);
            }
            let changed = change(asset, self.clock.now());
            if self.store.update(&changed).await? == Update::Done {
                return Ok(changed);
            }
        }
        Err(AssetError::Contended)
    }

    /// A hold of one's own.
    pub(super) fn hold(&self) -> Hold {
        Hold { by: ulid::Ulid::generate().to_string(), until: self.clock.now().plus_seconds(HOLD_SECONDS) }
    }
}
