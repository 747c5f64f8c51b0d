//! Links that the object store signs itself.

use std::sync::Arc;

use super::file_links::{FileLinks, Link};
use super::ports::{ObjectLocation, ObjectStore, StoreError};
use crate::cloudfront::Window;
use crate::media::Timestamp;

/// Makes presigned GETs that stay the same for a window, as signed links do: a request begins when its window does,
/// whenever it is made, so that nodes with the same credentials give the same one.
#[derive(Clone)]
pub struct Presigner {
    objects: Arc<dyn ObjectStore>,
    window: Window,
}

impl Presigner {
    /// Links to the objects of a store.
    #[must_use]
    pub fn new(objects: Arc<dyn ObjectStore>, window: Window) -> Self {
        Self { objects, window }
    }

    /// The links of a file and of its derivatives.
    ///
    /// # Errors
    /// Where the store can't sign.
    pub(super) async fn links(
        &self,
        file: &ObjectLocation,
        derivatives: &[(u32, ObjectLocation)],
        now: u64,
    ) -> Result<FileLinks, StoreError> {
        let (url, mut expires) = self.presign(file, now).await?;
        let mut smaller = Vec::with_capacity(derivatives.len());
        for (width, location) in derivatives {
            let (url, ends) = self.presign(location, now).await?;
            expires = expires.min(ends);
            smaller.push((*width, url));
        }
        let cache_until = self.window.max_age(expires, 0);
        let link = Link { url: url.into(), expires: Some(expires), max_age: cache_until.saturating_sub(now) };
        Ok(FileLinks { link, derivatives: smaller, cache_until, signed: None })
    }

    /// A URL, and when it expires.
    async fn presign(&self, location: &ObjectLocation, now: u64) -> Result<(String, u64), StoreError> {
        let ttl = self.window.ttl();
        let expires = self.window.expires(&location.to_string(), now);
        let begins = Timestamp::from_seconds(expires.saturating_sub(ttl));
        Ok((self.objects.presign_get(location, begins, ttl).await?.url, expires))
    }
}
