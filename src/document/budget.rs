//! What a scan may still do: links that it may find, and whether anybody still waits for it.

use std::sync::atomic::{AtomicBool, Ordering};

use super::error::ScanError;

/// What a scan may still do.
#[derive(Debug)]
pub(super) struct Budget<'c> {
    /// Links and mentions that may still be found.
    left: usize,
    limit: usize,
    cancelled: Option<&'c AtomicBool>,
}

impl<'c> Budget<'c> {
    /// Allows so many links, until the flag is set.
    pub(super) fn new(limit: usize, cancelled: Option<&'c AtomicBool>) -> Self {
        Self { left: limit, limit, cancelled }
    }

    /// The greatest number of links.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Takes links out of the budget.
    ///
    /// # Errors
    /// There aren't as many left.
    pub(super) fn take(&mut self, links: usize) -> Result<(), ScanError> {
        self.left = self.left.checked_sub(links).ok_or(ScanError::TooManyLinks { limit: self.limit })?;
        Ok(())
    }

    /// Whether the scan isn't wanted any more.
    #[inline(always)]
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    /// Checks that the scan is still wanted.
    ///
    /// # Errors
    /// It was cancelled.
    pub(super) fn check(&self) -> Result<(), ScanError> {
        if self.is_cancelled() { Err(ScanError::Cancelled) } else { Ok(()) }
    }
}
