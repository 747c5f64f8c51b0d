//! The three steps as callers see them.

use std::sync::atomic::AtomicBool;

use super::answer::{Answer, Links, Want};
use super::assemble::Assembly;
use super::budget::Budget;
use super::error::{Fault, ScanError};
use super::needles::Needles;
use super::roles::Roles;
use super::rows::{self, Row};
use super::rules::Rules;
use super::site::{Edit, Site};
use super::splice::{self, Output, Signed, Splice};
use super::walk::Walk;

/// A document that has been read: its sites, and what they want.
#[derive(Debug)]
pub struct Scan<'a> {
    input: &'a str,
    sites: Vec<Site>,
    wants: Vec<Want<'a>>,
    edits: Vec<Edit>,
    output: Output,
}

/// Reads a document and finds its sites.
///
/// # Errors
/// It is not one JSON text in UTF-8, or exceeds a limit; or it has 4 GiB or more.
pub fn scan<'a>(input: &'a [u8], rules: &Rules) -> Result<Scan<'a>, ScanError> {
    scan_within(input, rules, Budget::new(rules.limits.links, None))
}

/// Reads a document as [`scan`] does, and gives up soon after another thread has set the flag.
///
/// # Errors
/// As [`scan`], and [`ScanError::Cancelled`] where it was given up.
pub fn scan_until<'a>(input: &'a [u8], rules: &Rules, cancelled: &AtomicBool) -> Result<Scan<'a>, ScanError> {
    scan_within(input, rules, Budget::new(rules.limits.links, Some(cancelled)))
}

fn scan_within<'a>(input: &'a [u8], rules: &Rules, budget: Budget<'_>) -> Result<Scan<'a>, ScanError> {
    if u32::try_from(input.len()).is_err() {
        return Err(ScanError::TooLarge);
    }
    let (text, rest) = match std::str::from_utf8(input) {
        Ok(text) => (text, None),
        Err(error) => {
            let valid = error.valid_up_to();
            (std::str::from_utf8(&input[..valid]).unwrap_or_default(), Some(valid))
        }
    };
    budget.check()?;
    let roles = Roles::new(&rules.profile, rules.references);
    let needles = Needles::new(&rules.hosts);
    let walk = Walk::new(text, &roles, &rules.profile.kinds, needles, rules.limits.depth, &budget);
    let found = match (walk.run(), rest) {
        (Err(fault), Some(valid)) if fault.offset < valid => Err(fault),
        (_, Some(valid)) => Err(Fault::expected(valid, "UTF-8")),
        (found, None) => found,
    };
    let found = found.map_err(|fault| fault.located(input))?;
    let Assembly { sites, wants, edits, .. } = Assembly::new(text, rules, budget, found)?;
    Ok(Scan { input: text, sites, wants, edits, output: Output::new(&rules.profile) })
}

impl<'a> Scan<'a> {
    /// What must be resolved, in the order of the document. The same file, id or URL is there as
    /// often as the document says it.
    pub fn wants(&self) -> &[Want<'a>] {
        &self.wants
    }

    /// The document with its links. `answers[i]` is for `wants()[i]`; a missing answer is
    /// [`Unknown`](super::Reason::Unknown).
    pub fn splice(&self, answers: &[Answer]) -> Signed<'a> {
        let (found, reasons) = splice::count(&self.sites, &self.wants, answers);
        let unsigned = reasons.iter().map(|(_, sites)| sites).sum();
        let splice = Splice {
            input: self.input.as_bytes(),
            edits: &self.edits,
            wants: &self.wants,
            answers,
            output: &self.output,
        };
        Signed {
            input: splice.input,
            pieces: splice.pieces(),
            found,
            signed: found - unsigned,
            unsigned,
            reasons,
            expires: answers.iter().take(self.wants.len()).flatten().filter_map(Links::expires).min(),
        }
    }

    /// The report: a row for each site, in the order of the document. `answers` as for
    /// [`splice`](Self::splice).
    pub fn rows<'s>(&'s self, answers: &'s [Answer]) -> Vec<Row<'s>> {
        rows::rows(self.input, &self.sites, &self.wants, answers)
    }
}
