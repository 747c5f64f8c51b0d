//! Signing documents without a server: for `signet document`, and for programs that sign in process.

use std::sync::Arc;

use rand::RngExt;

use super::StartError;
use super::build::signing_pool;
use super::rules::check_origin;
use crate::document::{Limits, MediaHost, Profile, References, Rules};
use crate::service::Profiles;
use crate::service::delivery::Delivery;
use crate::service::documents::Documents;
use crate::service::key_ring::{KeyRing, RingKey};
use crate::service::layout::{Layout, Place, Template};
use crate::service::link_cache::LinkCache;
use crate::service::links::{GrantScope, Life, LinkService, LinkSettings};
use crate::service::ports::{Meter, SystemClock};
use crate::service::signature_budget::SignatureBudget;

/// Most memory for signatures that a document uses again, in bytes.
const CACHE_BYTES: u64 = 256 * 1024 * 1024;

/// What a document is signed with.
pub struct Offline {
    /// The key pair.
    pub key: RingKey,
    /// How long its links live.
    pub life: Life,
    /// What one signature covers.
    pub scope: GrantScope,
    /// The origin that links are made for.
    pub base: String,
    /// The path under it that holds all media: one or more segments.
    pub bucket: String,
    /// The hosts on which media lies; the base's where none is named.
    pub hosts: Vec<String>,
    /// What counts as media.
    pub profile: Profile,
    /// Told of each link that is made.
    pub meter: Arc<dyn Meter>,
    /// What becomes of references.
    pub references: References,
}

impl Offline {
    /// What signs, and where the media lies.
    ///
    /// # Errors
    /// The part that can't be.
    pub fn build(self) -> Result<(Documents, Place), StartError> {
        check_origin(&self.base).map_err(|detail| StartError::setting("--base", detail))?;
        let base = self.base.trim_end_matches('/').to_owned();
        let bucket = self.bucket.trim_matches('/');
        let segment =
            |text: &str| Template::parse(text).is_ok_and(|template| template.is_shared()) && !text.is_empty();
        if !bucket.split('/').all(segment) {
            let detail =
                format!("{:?} must be a path of A-Z a-z 0-9 - _ . such as vivreal-demo", self.bucket);
            return Err(StartError::setting("--bucket", detail));
        }
        let hosts: Vec<String> = if self.hosts.is_empty() {
            vec![base.clone()]
        } else {
            self.hosts.iter().map(|host| host_origin(host)).collect::<Result<_, _>>()?
        };
        let template = || Template::parse("{key}").map_err(|error| StartError::setting("--bucket", error));
        let layout = Arc::new(Layout::new(&base, &hosts, template()?, template()?));
        let place = layout.place_of(bucket, bucket);
        let ring =
            KeyRing::new(vec![self.key]).map_err(|error| StartError::setting("--private-key", error))?;
        let links = LinkService::new(
            Arc::new(ring),
            LinkCache::new(CACHE_BYTES, rand::rng().random()),
            signing_pool(0)?,
            SignatureBudget::unlimited(),
            Arc::new(SystemClock),
            Arc::clone(&self.meter),
            LinkSettings::strict(self.life, self.scope),
        );
        let rules = Rules {
            profile: self.profile,
            hosts: hosts.iter().map(|host| MediaHost::origin(host)).collect(),
            references: self.references,
            limits: Limits { depth: 128, links: usize::MAX },
        };
        let profiles = Profiles::only("--profile", rules);
        Ok((Documents::new(profiles, None, Delivery::signed(layout, links), self.meter), place))
    }
}

/// A host such as `media.example.com`, or a whole origin, as an origin.
fn host_origin(host: &str) -> Result<String, StartError> {
    let origin = if host.contains("://") { host.to_owned() } else { format!("https://{host}") };
    check_origin(&origin).map_err(|detail| StartError::setting("--host", detail))?;
    Ok(origin.trim_end_matches('/').to_owned())
}
