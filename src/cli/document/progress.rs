//! What a terminal shows while documents are signed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::totals::size;
use crate::cli::Output;
use crate::document::Reason;
use crate::service::key_ring::RingKey;
use crate::service::ports::{LinkSource, Meter};

/// How often the status is written anew.
pub const PERIOD: Duration = Duration::from_millis(200);

/// What has been done so far, by all threads.
#[derive(Debug, Default)]
pub struct Counts {
    /// Bytes read.
    pub bytes: AtomicU64,
    /// Lines answered.
    pub lines: AtomicU64,
    links: AtomicU64,
}

impl Meter for Counts {
    fn links(&self, _: LinkSource, count: usize) {
        self.links.fetch_add(count as u64, Ordering::Relaxed);
    }
    fn signature(&self, _: &RingKey) {}
    fn signing_failed(&self) {}
    fn document(&self, _: usize, _: usize, _: usize) {}
    fn unsigned(&self, _: Reason) {}
}

/// The status line.
pub struct Progress {
    counts: Arc<Counts>,
    /// Bytes to read, where that is known.
    total: Option<u64>,
    lines: bool,
    started: Instant,
    shown: Instant,
}

impl Progress {
    /// Of work that begins now.
    pub fn new(counts: Arc<Counts>, total: Option<u64>, lines: bool) -> Self {
        let started = Instant::now();
        Self { counts, total, lines, started, shown: started }
    }

    /// What is counted.
    pub fn counts(&self) -> &Arc<Counts> {
        &self.counts
    }

    /// How long it has taken.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Shows how far it is, at most once a [`PERIOD`].
    pub fn show(&mut self, out: &mut Output) {
        let now = Instant::now();
        if now.duration_since(self.shown) >= PERIOD {
            self.shown = now;
            out.status(&self.text(now.duration_since(self.started)));
        }
    }

    fn text(&self, elapsed: Duration) -> String {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let bytes = count(&self.counts.bytes);
        let mut text = format!("signet: {}", size(bytes as f64));
        if let Some(total) = self.total {
            text.push_str(&format!(" of {}", size(total as f64)));
        }
        if self.lines {
            text.push_str(&format!(", {} lines", count(&self.counts.lines)));
        }
        let rate = bytes as f64 / elapsed.as_secs_f64().max(1e-9);
        text.push_str(&format!(", {} links, {}/s", count(&self.counts.links), size(rate)));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_says_how_far_it_is_as_far_as_that_is_known() {
        let counts = Arc::new(Counts::default());
        counts.bytes.store(12_340_000, Ordering::Relaxed);
        counts.lines.store(56, Ordering::Relaxed);
        counts.links(LinkSource::Cache, 70);
        counts.links(LinkSource::Signed, 8);
        let lines = Progress::new(Arc::clone(&counts), Some(40_000_000), true);
        let second = Duration::from_secs(2);
        assert_eq!(lines.text(second), "signet: 12.3 MB of 40.0 MB, 56 lines, 78 links, 6.2 MB/s");
        let whole = Progress::new(counts, None, false);
        assert_eq!(whole.text(second), "signet: 12.3 MB, 78 links, 6.2 MB/s");
    }
}
