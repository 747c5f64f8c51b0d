//! A look at what was uploaded: nobody's word is taken for it.
//!
//! 1. Size, type and checksum, as the object store has them.
//! 2. The first bytes: whether they are of the declared type; a picture's width and height.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;

use super::ports::{ByteRange, Clock, ObjectLocation, ObjectStore, StoreError};
use crate::media::{Asset, HEAD_BYTES, Periods};

/// Looks at uploads. Cheap to clone.
#[derive(Clone)]
pub struct Inspection {
    objects: Arc<dyn ObjectStore>,
    clock: Arc<dyn Clock>,
    periods: Periods,
}

impl Inspection {
    /// Joins the parts.
    #[must_use]
    pub fn new(objects: Arc<dyn ObjectStore>, clock: Arc<dyn Clock>, periods: Periods) -> Self {
        Self { objects, clock, periods }
    }

    /// A PENDING asset, READY or REJECTED by what lies at a location; `None` where nothing does.
    ///
    /// # Errors
    /// Where the store can't answer, or the asset isn't PENDING.
    pub async fn look(&self, location: &ObjectLocation, asset: Asset) -> Result<Option<Asset>, StoreError> {
        let Some(stored) = self.objects.head(location).await? else { return Ok(None) };
        let now = self.clock.now();
        if let Some(rejection) = asset.mismatch(&stored) {
            return asset.rejected(rejection, &self.periods, now).map(Some).map_err(StoreError::corrupt);
        }
        let Some(head) = self.head(location).await? else { return Ok(None) };
        let changed = match asset.masquerade(&head) {
            Some(rejection) => asset.rejected(rejection, &self.periods, now),
            None => {
                let dimensions = asset.content_type.is_image().then(|| dimensions(&head)).flatten();
                asset.ready(dimensions, now)
            }
        };
        changed.map(Some).map_err(StoreError::corrupt)
    }

    /// The first bytes of the object: enough for its type, and for a picture's width and height.
    async fn head(&self, location: &ObjectLocation) -> Result<Option<Vec<u8>>, StoreError> {
        let range = Some(ByteRange::FromTo(0, HEAD_BYTES - 1));
        let Some(object) = self.objects.get(location, range).await? else { return Ok(None) };
        let parts: Vec<Bytes> = object.bytes.try_collect().await.map_err(StoreError::unavailable)?;
        Ok(Some(parts.concat()))
    }
}

/// Width and height of a picture, where its header names both.
fn dimensions(head: &[u8]) -> Option<(u32, u32)> {
    let size = imagesize::blob_size(head).ok()?;
    u32::try_from(size.width).ok().zip(u32::try_from(size.height).ok())
}
