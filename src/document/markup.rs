//! The parts of an HTML string that are media: which text of it a link replaces, and how.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr_iter, memmem};

use super::answer::{Reason, Want};
use super::budget::Budget;
use super::error::ScanError;
use super::html::{Attribute, Name, Quote, tags};
use super::rules::MediaHost;
use super::srcset;

/// A part of an HTML string.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub want: Want<'a>,
    /// What the link replaces; empty where it is put in.
    pub range: Range<usize>,
    pub form: Form,
}

/// How a link is written into HTML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Between double quotes that are there.
    Double,
    /// Between single quotes that are there.
    Single,
    /// With quotes of its own.
    Quoted,
    /// After `=` and with quotes of its own.
    Value,
    /// As a new `src` attribute.
    Attribute,
}

const MEDIA_KEY: &str = "data-media-key";

/// Whether a string is worth a look: it holds a tag, and a media host or a media key,
/// or entities that may hide one.
pub(super) fn is_markup(text: &str, has_host: bool) -> bool {
    has_tag(text.as_bytes()) && (has_host || has_media_key(text.as_bytes()) || may_hide_host(text.as_bytes()))
}

/// Whether `<` and a letter are there: what begins a tag.
fn has_tag(text: &[u8]) -> bool {
    memchr_iter(b'<', text).any(|at| text.get(at + 1).is_some_and(u8::is_ascii_alphabetic))
}

/// Whether a host may be there in entities: `&#` can write any of its characters, and a dot has a name.
fn may_hide_host(text: &[u8]) -> bool {
    memmem::find(text, b"&#").is_some() || memmem::find(text, b"&period;").is_some()
}

/// Whether the attribute's name is there, in upper or lower case, found by its first dash.
fn has_media_key(text: &[u8]) -> bool {
    const DASH: usize = 4;
    memchr_iter(b'-', text).any(|dash| {
        let name = dash.checked_sub(DASH).and_then(|start| text.get(start..start + MEDIA_KEY.len()));
        name.is_some_and(|name| name.eq_ignore_ascii_case(MEDIA_KEY.as_bytes()))
    })
}

/// Elements whose attributes decide how many of them there are: a parser opens no more than three that are
/// alike again. Nothing in them shows media.
const FORMATTING: [&[u8]; 13] =
    [b"b", b"big", b"code", b"em", b"font", b"i", b"nobr", b"s", b"small", b"strike", b"strong", b"tt", b"u"];

/// The parts of an HTML string in their order.
///
/// # Errors
/// There are more of them than the budget allows, or the scan was cancelled.
pub(super) fn parts(
    text: &str,
    hosts: &[MediaHost],
    budget: &mut Budget<'_>,
) -> Result<Vec<Part<'static>>, ScanError> {
    let mut parts = Vec::new();
    let mut outcome = Ok(());
    tags(text, |tag, attributes| {
        let first = parts.len();
        outcome = budget.check();
        if outcome.is_ok() && !attributes.is_empty() && !FORMATTING.contains(&tag) {
            outcome = Element { text, tag, attributes, hosts }.parts(&mut parts, budget);
            parts[first..].sort_by_key(|part: &Part<'_>| part.range.start);
        }
        outcome.is_ok()
    });
    outcome.map(|()| parts)
}

/// A start tag with media attributes.
struct Element<'e> {
    text: &'e str,
    tag: &'e [u8],
    attributes: &'e [Attribute],
    hosts: &'e [MediaHost],
}

impl Element<'_> {
    /// Adds its parts, in any order.
    fn parts(&self, parts: &mut Vec<Part<'static>>, budget: &mut Budget<'_>) -> Result<(), ScanError> {
        let mut add = |part: Option<Part<'static>>| {
            if part.is_some() {
                budget.take(1)?;
            }
            parts.extend(part);
            Ok(())
        };
        let key = self
            .attributes
            .iter()
            .find(|attribute| attribute.name == Name::MediaKey && !attribute.value.is_empty())
            .filter(|_| matches!(self.tag, b"img" | b"source" | b"video" | b"audio"));
        for attribute in self.attributes {
            match attribute.name {
                Name::MediaKey => {}
                Name::Src if key.is_some() => {}
                Name::Srcset => {
                    for range in srcset::urls(&attribute.value) {
                        add(self.url(attribute, range))?;
                    }
                }
                Name::Src | Name::Href | Name::Poster => {
                    let start = attribute.value.len() - attribute.value.trim_ascii_start().len();
                    add(self.url(attribute, start..start + attribute.value.trim_ascii().len()))?;
                }
            }
        }
        let Some(key) = key else { return Ok(()) };
        let src = self.attributes.iter().find(|attribute| attribute.name == Name::Src);
        let (range, form) = match src {
            Some(src) => (src.place.start..src.place.end, form(src.place.quote)),
            None => (key.end()..key.end(), Form::Attribute),
        };
        let want = Want::File { key: Cow::Owned(key.value.clone()), derivatives: None };
        add(Some(Part { want, range, form }))
    }

    /// A URL in an attribute, where it is on a media host.
    fn url(&self, attribute: &Attribute, range: Range<usize>) -> Option<Part<'static>> {
        let url = attribute.value.get(range.clone())?;
        if !self.hosts.iter().any(|host| host.holds(url)) {
            return None;
        }
        let whole = range == (0..attribute.value.len());
        let range = match attribute.place.quote {
            // Quotes around a part of a value can't be put in with one link.
            Quote::None if !whole => return None,
            _ if whole => attribute.place.start..attribute.place.end,
            _ => attribute.source(self.text, range.start)..attribute.source(self.text, range.end),
        };
        // These are markup wherever what decodes a value once more shows it as it is.
        let want = if url.contains(['<', '>', '`']) {
            Want::Refused { reason: Reason::InvalidUrl }
        } else {
            Want::Url { url: Cow::Owned(url.to_owned()) }
        };
        Some(Part { want, range, form: form(attribute.place.quote) })
    }
}

fn form(quote: Quote) -> Form {
    match quote {
        Quote::Double => Form::Double,
        Quote::Single => Form::Single,
        Quote::None => Form::Quoted,
        Quote::Missing => Form::Value,
    }
}
