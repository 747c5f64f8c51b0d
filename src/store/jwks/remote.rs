//! The issuer's keys from its URL: kept, and fetched again.
//!
//! 1. In the background, by [`RemoteKeys::refresh`].
//! 2. At once, where a token names a key that isn't known, or while there are no keys at all.
//! 3. Never more than once in [`RemoteKeys::COOLDOWN`], and never twice at the same time: who needs the outcome
//!    of a fetch that is under way waits for it. Tokens of known keys wait for nothing.
//! 4. Where it fails, the keys that were there stay.
//! 5. At most [`RemoteKeys::MOST_WAITING`] tokens wait for a fetch. More are refused at once, to be tried again: a
//!    stranger can make up tokens of keys that don't exist, and each that waits holds a place.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::{Mutex, Semaphore};
use tracing::Instrument;

use super::fetch::{FetchError, KeyFetch};
use super::keys::KeySet;
use crate::service::ports::{Clock, Meter, TokenError};

/// The keys of an issuer that is elsewhere.
pub struct RemoteKeys {
    fetch: Box<dyn KeyFetch>,
    clock: Arc<dyn Clock>,
    meter: Arc<dyn Meter>,
    keys: ArcSwapOption<KeySet>,
    /// When it was last tried, in milliseconds; locked while it is.
    tried_at: Mutex<Option<u64>>,
    /// Room for tokens that wait for a fetch.
    waiting: Semaphore,
}

impl RemoteKeys {
    /// How long nothing is fetched after a fetch, whatever came of it.
    pub const COOLDOWN: Duration = Duration::from_secs(30);

    /// How many tokens wait for a fetch at the same time.
    pub const MOST_WAITING: usize = 64;

    /// Keys that have yet to be fetched.
    #[must_use]
    pub fn new(fetch: impl KeyFetch, clock: Arc<dyn Clock>, meter: Arc<dyn Meter>) -> Arc<Self> {
        let (keys, tried_at) = (ArcSwapOption::empty(), Mutex::new(None));
        let waiting = Semaphore::new(Self::MOST_WAITING);
        Arc::new(Self { fetch: Box::new(fetch), clock, meter, keys, tried_at, waiting })
    }

    /// Fetches the keys, unless that was tried a moment ago.
    ///
    /// # Errors
    /// Why there are no new keys.
    pub async fn refresh(&self) -> Result<(), FetchError> {
        let mut tried_at = self.tried_at.lock().await;
        let now = self.clock.now().millis();
        if Self::rests(*tried_at, now) {
            return Ok(());
        }
        *tried_at = Some(now);
        let fetched = self.fetch.fetch().await.and_then(|bytes| {
            let keys = KeySet::parse(&bytes)?;
            if keys.is_empty() { Err(FetchError::NoKeys) } else { Ok(keys) }
        });
        self.meter.token_keys(fetched.is_ok());
        match fetched {
            Ok(keys) => {
                self.keys.store(Some(Arc::new(keys)));
                Ok(())
            }
            Err(error) => {
                let old_keys = self.are_there();
                tracing::warn!(%error, old_keys, "the token keys can't be fetched; where there are old ones they stay");
                Err(error)
            }
        }
    }

    /// Whether there are keys.
    #[must_use]
    pub fn are_there(&self) -> bool {
        self.keys.load().is_some()
    }

    /// Whether there is a key for a token that names one, or none.
    pub(super) fn has(&self, kid: Option<&str>) -> bool {
        self.keys.load().as_ref().is_some_and(|keys| kid.is_none_or(|kid| keys.knows(kid)))
    }

    /// The keys for a token that names one of them, or none.
    pub(super) async fn for_token(self: &Arc<Self>, kid: Option<&str>) -> Result<Arc<KeySet>, TokenError> {
        if !self.has(kid) {
            let waits = self.waiting.try_acquire();
            let _waits =
                waits.map_err(|_| TokenError::Unavailable("too many tokens wait for them".into()))?;
            self.fetch_for_token().await;
        }
        self.keys.load_full().ok_or_else(|| TokenError::Unavailable("they haven't come yet".into()))
    }

    async fn fetch_for_token(self: &Arc<Self>) {
        // A token that could as well be made up is answered at once where nothing new can be had.
        if self.tried_at.try_lock().is_ok_and(|tried_at| Self::rests(*tried_at, self.clock.now().millis())) {
            return;
        }
        // On a task of its own: a caller who hangs up doesn't end a fetch that is for all.
        let keys = Arc::clone(self);
        let fetching = tokio::spawn(async move { keys.refresh().await }.in_current_span());
        // What went wrong is in the log; the old keys, if any, are the answer.
        let _ = fetching.await;
    }

    fn rests(tried_at: Option<u64>, now: u64) -> bool {
        tried_at.is_some_and(|tried_at| u128::from(now.abs_diff(tried_at)) < Self::COOLDOWN.as_millis())
    }
}
