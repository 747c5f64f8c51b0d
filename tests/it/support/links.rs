//! Links without a server around them.

use std::num::NonZeroUsize;
use std::sync::Arc;

use signet::cloudfront::Window;
use signet::service::key_ring::KeyRing;
use signet::service::link_cache::LinkCache;
use signet::service::links::{GrantScope, Life, LinkService, LinkSettings};
use signet::service::ports::{Clock, NoMeter};
use signet::service::signature_budget::SignatureBudget;
use signet::service::signing_pool::SigningPool;

/// Links of single URLs in windows of so many seconds, by one signing thread.
pub fn windowed(ring: Arc<KeyRing>, clock: Arc<dyn Clock>, seconds: u64) -> LinkService {
    LinkService::new(
        ring,
        LinkCache::new(1 << 20, [7; 16]),
        SigningPool::start(NonZeroUsize::MIN).unwrap(),
        SignatureBudget::unlimited(),
        clock,
        Arc::new(NoMeter),
        LinkSettings::strict(Life::Window(Window::new(seconds).unwrap()), GrantScope::Url),
    )
}
