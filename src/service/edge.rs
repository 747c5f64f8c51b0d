//! What CloudFront does with a link: verify, route, fetch. By the same code as `signet inspect`. A stable URL is
//! served to anybody.

use std::net::IpAddr;
use std::sync::Arc;

use super::delivery::Delivery;
use super::key_ring::KeyRing;
use super::ports::{ByteRange, Clock, ObjectBody, ObjectStore, StoreError};
use crate::cloudfront::inspect::{Refusal, Request, inspect};

/// A distribution in front of the object store. Its key group is the key ring.
pub struct Edge {
    ring: Arc<KeyRing>,
    delivery: Delivery,
    objects: Arc<dyn ObjectStore>,
    clock: Arc<dyn Clock>,
}

impl Edge {
    /// Joins the parts.
    #[must_use]
    pub fn new(
        ring: Arc<KeyRing>,
        delivery: Delivery,
        objects: Arc<dyn ObjectStore>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { ring, delivery, objects, clock }
    }

    /// Serves a URL as the viewer asked for it: `url` absolute, `cookies` as in the Cookie header.
    ///
    /// # Errors
    /// Where CloudFront would refuse it, or nothing is there.
    pub async fn fetch(
        &self,
        url: &str,
        cookies: Option<&str>,
        viewer: IpAddr,
        range: Option<ByteRange>,
    ) -> Result<ObjectBody, EdgeError> {
        if !self.delivery.is_stable(url) {
            let request = Request { url, cookies, at: self.clock.now().seconds(), ip: Some(viewer) };
            let keys = self.ring.keys();
            let group = |id: &str| keys.iter().find(|key| key.id.as_str() == id).map(|key| &key.public);
            inspect(&request, Some(&group)).verdict.map_err(EdgeError::Refused)?;
        }
        let location = path_of(url).and_then(|path| self.delivery.locate(path)).ok_or(EdgeError::NotFound)?;
        self.objects.get(&location, range).await?.ok_or(EdgeError::NotFound)
    }
}

fn path_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let path = &rest[rest.find('/')?..];
    path.split(['?', '#']).next()
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// The link isn't good.
    #[error("{0}")]
    Refused(Refusal),
    /// Nothing is stored there.
    #[error("there is no such object")]
    NotFound,
    /// The store can't answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}
