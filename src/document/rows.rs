//! The report: a row for each site, made only when it is asked for.

use super::answer::{Answer, Reason, Want};
use super::pointer::pointers;
use super::site::{Kind, Site};
use super::splice::{answer, reason};

/// What happened to a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<'s> {
    /// Where its value is (RFC 6901). One that would be longer than [`Row::LONGEST_POINTER`] is cut short, and ends in
    /// `…`.
    pub pointer: String,
    /// What kind of site it is.
    pub kind: Kind,
    /// Its object key, id or URL, by the name of [`Kind::subject`].
    pub subject: Option<&'s str>,
    /// The links in it, without those of derivatives; of HTML there may be several.
    pub links: Vec<&'s str>,
    /// When the first of them expires, in seconds since the Unix epoch. `None` where none does.
    pub expires: Option<u64>,
    /// Why it is unsigned, or what is missing: a descriptor whose derivatives are invalid has
    /// a link too, and so has HTML of which a part is unsigned.
    pub reason: Option<Reason>,
    /// Whether it counts as signed.
    pub signed: bool,
}

impl Row<'_> {
    /// The longest pointer, in bytes, but for the mark of one that was cut short. A name of megabytes would else be
    /// in the report as often as there are sites below it.
    pub const LONGEST_POINTER: usize = 1024;
}

pub(super) fn rows<'s>(
    input: &str,
    sites: &[Site],
    wants: &'s [Want<'_>],
    answers: &'s [Answer],
) -> Vec<Row<'s>> {
    let pointers = pointers(input, sites.iter().map(|site| site.start), Row::LONGEST_POINTER);
    let mut rows = Vec::with_capacity(sites.len());
    for (site, pointer) in sites.iter().zip(pointers) {
        let row = row(site, pointer, wants, answers);
        if site.kind == Kind::Text {
            rows.extend((1..site.count).map(|_| row.clone()));
        }
        rows.push(row);
    }
    rows
}

fn row<'s>(site: &Site, pointer: String, wants: &'s [Want<'_>], answers: &'s [Answer]) -> Row<'s> {
    let mut row = Row {
        pointer,
        kind: site.kind,
        subject: None,
        links: Vec::new(),
        expires: None,
        reason: reason(site, wants, answers),
        signed: false,
    };
    row.signed = row.reason.is_none();
    if site.kind == Kind::Text {
        return row;
    }
    if site.kind != Kind::Html {
        row.subject = wants.get(site.want as usize).and_then(|want| match want {
            Want::File { key, .. } => Some(key.as_ref()),
            Want::Asset { id } => Some(id.as_ref()),
            Want::Url { url } => Some(url.as_ref()),
            Want::Refused { .. } => None,
        });
    }
    for links in (site.want..site.want + site.count).filter_map(|want| answer(wants, answers, want).ok()) {
        row.links.push(links.link());
        row.expires = row.expires.into_iter().chain(links.expires()).min();
    }
    if row.signed && site.invalid_derivatives {
        row.reason = Some(Reason::InvalidDerivatives);
    }
    row
}
