//! What is said at the end.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use crate::cli::Output;
use crate::document::Reason;
use crate::service::documents::SignedDocument;

/// What was found and signed in all.
#[derive(Debug, Default)]
pub struct Totals {
    found: usize,
    signed: usize,
    unsigned: BTreeMap<Reason, usize>,
}

impl Totals {
    /// Adds a document.
    pub fn add(&mut self, document: &SignedDocument) {
        self.found += document.found;
        self.signed += document.signed;
        for (reason, count) in &document.unsigned {
            *self.unsigned.entry(*reason).or_default() += count;
        }
    }

    /// Says it; so many bytes were read in so much time.
    pub fn tell(&self, bytes: u64, time: Duration, out: &mut Output) {
        out.diagnose(&self.text(bytes as f64, time.as_secs_f64()));
    }

    fn text(&self, bytes: f64, seconds: f64) -> String {
        let Self { found, signed, unsigned } = self;
        let mut text = format!("found {found}, signed {signed}, unsigned {}", found - signed);
        for (index, (reason, count)) in unsigned.iter().enumerate() {
            // Writing to a String can't fail.
            let _ = write!(text, "{}{} {count}", if index == 0 { " (" } else { ", " }, reason.as_str());
        }
        if !unsigned.is_empty() {
            text.push(')');
        }
        let rate = size(bytes / seconds.max(1e-9));
        let _ = write!(text, ", {} in {seconds:.2} s, {rate}/s", size(bytes));
        text
    }
}

/// So many bytes, for people.
pub fn size(bytes: f64) -> String {
    match bytes {
        bytes if bytes < 1e3 => format!("{bytes:.0} B"),
        bytes if bytes < 1e6 => format!("{:.1} kB", bytes / 1e3),
        bytes if bytes < 1e9 => format!("{:.1} MB", bytes / 1e6),
        bytes => format!("{:.1} GB", bytes / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_told_in_the_order_of_the_documentation() {
        let mut totals = Totals { found: 12, signed: 9, ..Totals::default() };
        assert_eq!(Totals::default().text(0.0, 0.0), "found 0, signed 0, unsigned 0, 0 B in 0.00 s, 0 B/s");
        for (reason, count) in [(Reason::Unsupported, 2), (Reason::Unknown, 1)] {
            totals.unsigned.insert(reason, count);
        }
        assert_eq!(
            totals.text(700_000.0, 0.12),
            "found 12, signed 9, unsigned 3 (unknown 1, unsupported 2), 700.0 kB in 0.12 s, 5.8 MB/s"
        );
        assert!(Reason::ALL.is_sorted(), "reasons are told in the order of `Reason::ALL`");
    }
}
