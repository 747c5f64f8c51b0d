//! The objects of an asset: its file and its derivatives, and parts of a file that isn't there yet.
//!
//! They lie at the asset's key. Beside it there is one other place where some may be: that of the other
//! visibility, while a move is under way or after one that was cut off.

use std::sync::Arc;

use super::layout::Place;
use super::ports::{ObjectStore, StoreError};
use crate::media::{Asset, ObjectKey, Tenant, Visibility};

/// Copies and removes the objects of assets. Cheap to clone.
#[derive(Clone)]
pub struct AssetFiles {
    objects: Arc<dyn ObjectStore>,
}

impl AssetFiles {
    /// The objects in a store.
    #[must_use]
    pub fn new(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects }
    }

    /// Copies an asset's objects to another key. `false` where its file is gone; a derivative may be.
    ///
    /// # Errors
    /// Where the store can't answer.
    pub async fn copy(&self, place: &Place, asset: &Asset, to: &ObjectKey) -> Result<bool, StoreError> {
        let pairs = keys(asset, &asset.key).into_iter().zip(keys(asset, to));
        for (number, (from, to)) in pairs.enumerate() {
            let copied = self.objects.copy(&place.location(&from), &place.location(&to)).await?;
            if number == 0 && !copied {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Removes an asset's objects from a key; from its own key also parts that came and became no file.
    ///
    /// # Errors
    /// Where the store can't answer.
    pub async fn remove(&self, place: &Place, asset: &Asset, at: &ObjectKey) -> Result<(), StoreError> {
        for key in keys(asset, at) {
            self.objects.delete(&place.location(&key)).await?;
        }
        if let Some(parts) = asset.parts.as_ref().filter(|_| *at == asset.key) {
            self.objects.abort_parts(&place.location(at), &parts.upload).await?;
        }
        Ok(())
    }

    /// Removes what lies at the place of the other visibility.
    ///
    /// # Errors
    /// Where the store can't answer.
    pub async fn remove_elsewhere(
        &self,
        tenant: &Tenant,
        place: &Place,
        asset: &Asset,
    ) -> Result<(), StoreError> {
        for visibility in [Visibility::Public, Visibility::Private] {
            // A key that can't be was never written to.
            let Ok(key) = place.asset_key(tenant, asset.id, &asset.filename, visibility) else { continue };
            if key != asset.key {
                self.remove(place, asset, &key).await?;
            }
        }
        Ok(())
    }
}

/// The keys of an asset's file, first, and of its derivatives.
fn keys(asset: &Asset, key: &ObjectKey) -> Vec<ObjectKey> {
    let mut keys = vec![key.clone()];
    if let Some(set) = asset.derivatives() {
        // One that no key can name was never stored.
        keys.extend(set.widths().iter().filter_map(|width| key.derivative(*width, set.format()).ok()));
    }
    keys
}
