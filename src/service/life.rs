//! How long links live, and how long what is made of them stays right. All times are seconds since
//! the Unix epoch.

use std::ops::Range;

use crate::cloudfront::Window;

/// The last part of a window in which links that are asked for are signed for the next one too,
/// in seconds, and as a divisor of the window's step, whichever is less.
const LEAD_SECONDS: u64 = 30;
const LEAD_DIVISOR: u64 = 10;

/// How long links live.
#[derive(Debug, Clone)]
pub enum Life {
    /// As the window of each resource says.
    Window(Window),
    /// Until one time for all, in seconds since the Unix epoch.
    Until(u64),
}

impl Life {
    /// When a link of this resource that is handed out now expires.
    pub(super) fn expires(&self, resource: &str, now: u64) -> u64 {
        match self {
            Self::Window(window) => window.expires(resource, now),
            Self::Until(expires) => *expires,
        }
    }

    /// Until when an answer may be cached that holds a link with this expiry.
    pub(super) fn cache_until(&self, expires: u64) -> u64 {
        match self {
            Self::Window(window) => window.max_age(expires, 0),
            Self::Until(expires) => *expires,
        }
    }

    /// The seconds around now in which asking for a link with this expiry has the same effects: the
    /// same link, and either or not a signature for the next window.
    pub(super) fn fresh(&self, expires: u64, now: u64) -> Range<u64> {
        let Self::Window(window) = self else { return 0..u64::MAX };
        let end = expires.saturating_sub(window.step());
        let ahead = end.saturating_sub(lead(window));
        if now < ahead { end.saturating_sub(window.step())..ahead } else { ahead..end }
    }
}

/// How long before its end a window's links are signed for the next one, in seconds.
pub(super) fn lead(window: &Window) -> u64 {
    LEAD_SECONDS.min(window.step() / LEAD_DIVISOR)
}
