//! HTML tags, found by a tokenizer that follows the WHATWG specification: which media attributes they
//! have, and where in the source each value stands. Nothing in comments, scripts, styles, text areas
//! and the like is a tag; what stands in `noscript` is, since it is what readers without scripts get. To readers with
//! scripts that is a text, which ends at `</noscript`, even within a tag: a tag that holds these letters there isn't
//! looked at, or its change would change the page around it.

use std::convert::Infallible;

use html5gum::{Emitter, Error, State, Tokenizer};
use memchr::memchr;

/// The attributes that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    MediaKey,
    Src,
    Href,
    Poster,
    Srcset,
}

/// An attribute of a start tag; the first of its name.
#[derive(Debug, Clone)]
pub(super) struct Attribute {
    pub name: Name,
    /// The value with its entities decoded.
    pub value: String,
    /// Its source.
    pub place: Place,
    /// Offsets in the value and in the source after each piece of it.
    marks: Vec<(usize, usize)>,
}

/// Where in the source a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub start: usize,
    pub end: usize,
    pub quote: Quote,
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quote {
    Double,
    Single,
    /// Without quotes; also an empty one before the end of the tag.
    None,
    /// Not at all: an attribute without `=`. The place is the end of its name.
    Missing,
}

impl Attribute {
    /// Where in the source an offset of the value stands.
    pub(super) fn source(&self, source: &str, offset: usize) -> usize {
        // A piece is as long as its source, unless it is an entity: those are only asked for their ends.
        let piece = self.marks.partition_point(|(value, _)| *value < offset);
        let place = match self.marks.get(piece) {
            Some((value, source)) if offset > 0 => source - (value - offset),
            _ => self.place.start,
        };
        // The tokenizer counts the second half of a line break only when it has passed it.
        let fed = source.as_bytes().get(place) == Some(&b'\n')
            && source.as_bytes().get(place.wrapping_sub(1)) == Some(&b'\r');
        place + usize::from(fed)
    }

    /// Where in the source the attribute ends, its closing quote included.
    pub(super) fn end(&self) -> usize {
        self.place.end + usize::from(matches!(self.place.quote, Quote::Double | Quote::Single))
    }
}

const NOSCRIPT: &[u8] = b"noscript";

/// Calls `visit` with the tag name and the media attributes of each start tag that has any.
pub(super) fn tags(source: &str, visit: impl FnMut(&[u8], &[Attribute])) {
    let tags = Tags {
        source: source.as_bytes(),
        visit,
        position: 0,
        tag_start: 0,
        noscript: false,
        start: false,
        self_closing: false,
        name: Vec::new(),
        last_start: Vec::new(),
        foreign: 0,
        attribute: None,
        attributes: Vec::new(),
    };
    let Ok(()) = Tokenizer::new_with_emitter(source, tags).finish();
}

struct Tags<'a, F> {
    source: &'a [u8],
    visit: F,
    position: usize,
    /// Where the tag that is being read begins, or its name.
    tag_start: usize,
    /// Whether a `noscript` is open.
    noscript: bool,
    /// Whether the tag that is being read is a start tag.
    start: bool,
    self_closing: bool,
    name: Vec<u8>,
    last_start: Vec<u8>,
    /// How many `svg` and `math` elements are open.
    foreign: usize,
    attribute: Option<Open>,
    attributes: Vec<Attribute>,
}

/// The attribute that is being read.
struct Open {
    name: Vec<u8>,
    name_end: usize,
    value: Vec<u8>,
    value_start: Option<usize>,
    marks: Vec<(usize, usize)>,
}

impl<F: FnMut(&[u8], &[Attribute])> Tags<'_, F> {
    /// Takes the attribute that was being read.
    fn close_attribute(&mut self) {
        let Some(open) = self.attribute.take().filter(|_| self.start) else {
            return;
        };
        let name = match open.name.as_slice() {
            b"data-media-key" => Name::MediaKey,
            b"src" => Name::Src,
            b"href" => Name::Href,
            b"poster" => Name::Poster,
            b"srcset" => Name::Srcset,
            _ => return,
        };
        if self.attributes.iter().all(|other| other.name != name)
            && let Ok(value) = String::from_utf8(open.value)
        {
            let place = self.place(open.name_end, open.value_start);
            self.attributes.push(Attribute { name, value, place, marks: open.marks });
        }
    }

    /// Whether the tag is one to readers without scripts alone: to others the `noscript` ends within it.
    fn is_torn(&self) -> bool {
        let source = || self.source.get(self.tag_start..self.position).unwrap_or_default();
        let ends = |bytes: &[u8]| bytes.starts_with(b"</") && bytes[2..].eq_ignore_ascii_case(NOSCRIPT);
        self.noscript && source().windows(2 + NOSCRIPT.len()).any(ends)
    }

    fn place(&self, name_end: usize, value_start: Option<usize>) -> Place {
        let Some(start) = value_start else {
            // `src` has no value, and in `src= >` it is empty.
            let rest = self.source.get(name_end..).unwrap_or_default();
            let space = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let (start, quote) = match rest.get(space) {
                Some(b'=') => (name_end + space + 1, Quote::None),
                _ => (name_end, Quote::Missing),
            };
            return Place { start, end: start, quote };
        };
        let rest = self.source.get(start..).unwrap_or_default();
        let (length, quote) = match start.checked_sub(1).and_then(|at| self.source.get(at)) {
            Some(b'"') => (memchr(b'"', rest), Quote::Double),
            Some(b'\'') => (memchr(b'\'', rest), Quote::Single),
            _ => (rest.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'>'), Quote::None),
        };
        Place { start, end: start + length.unwrap_or(rest.len()), quote }
    }
}

impl<F: FnMut(&[u8], &[Attribute])> Emitter for Tags<'_, F> {
    type Token = Infallible;

    fn move_position(&mut self, offset: isize) {
        self.position = self.position.saturating_add_signed(offset);
    }

    fn init_start_tag(&mut self) {
        self.start = true;
        self.tag_start = self.position;
        self.self_closing = false;
        self.name.clear();
        self.attributes.clear();
        self.attribute = None;
    }

    fn init_end_tag(&mut self) {
        self.init_start_tag();
        self.start = false;
    }

    fn push_tag_name(&mut self, s: &[u8]) {
        self.name.extend_from_slice(s);
    }

    fn init_attribute(&mut self) {
        self.close_attribute();
        self.attribute = Some(Open {
            name: Vec::new(),
            name_end: self.position,
            value: Vec::new(),
            value_start: None,
            marks: Vec::new(),
        });
    }

    fn push_attribute_name(&mut self, s: &[u8]) {
        if let Some(open) = &mut self.attribute {
            open.name.extend_from_slice(s);
            open.name_end = self.position;
        }
    }

    fn init_attribute_value(&mut self) {
        if let Some(open) = &mut self.attribute {
            open.value_start = Some(self.position);
        }
    }

    fn push_attribute_value(&mut self, s: &[u8]) {
        if let Some(open) = &mut self.attribute {
            open.value.extend_from_slice(s);
            open.marks.push((open.value.len(), self.position));
        }
    }

    fn emit_current_tag(&mut self) -> Option<State> {
        self.close_attribute();
        let foreign = matches!(self.name.as_slice(), b"svg" | b"math");
        if !self.start {
            self.foreign = self.foreign.saturating_sub(usize::from(foreign));
            self.noscript &= self.name != NOSCRIPT;
            self.last_start.clear();
            return None;
        }
        if !self.attributes.is_empty() && !self.is_torn() {
            (self.visit)(&self.name, &self.attributes);
        }
        self.foreign += usize::from(foreign && !self.self_closing);
        self.noscript |= self.name == NOSCRIPT;
        self.last_start.clone_from(&self.name);
        match self.name.as_slice() {
            // Only in SVG and MathML does `/>` close an element.
            _ if self.self_closing && self.foreign > 0 => None,
            b"textarea" | b"title" => Some(State::RcData),
            b"script" => Some(State::ScriptData),
            b"style" | b"iframe" | b"xmp" | b"noembed" | b"noframes" => Some(State::RawText),
            b"plaintext" => Some(State::PlainText),
            _ => None,
        }
    }

    fn set_self_closing(&mut self) {
        self.self_closing = true;
    }

    fn set_last_start_tag(&mut self, last_start_tag: Option<&[u8]>) {
        self.last_start = last_start_tag.unwrap_or_default().to_vec();
    }

    fn current_is_appropriate_end_tag_token(&mut self) -> bool {
        !self.start && !self.last_start.is_empty() && self.last_start == self.name
    }

    fn should_emit_errors(&mut self) -> bool {
        false
    }

    fn pop_token(&mut self) -> Option<Infallible> {
        None
    }

    fn emit_eof(&mut self) {}
    fn emit_error(&mut self, _: Error) {}
    fn emit_string(&mut self, _: &[u8]) {}
    fn init_comment(&mut self) {}
    fn emit_current_comment(&mut self) {}
    fn emit_current_doctype(&mut self) {}
    fn set_force_quirks(&mut self) {}
    fn push_comment(&mut self, _: &[u8]) {}
    fn push_doctype_name(&mut self, _: &[u8]) {}
    fn init_doctype(&mut self) {}
    fn set_doctype_public_identifier(&mut self, _: &[u8]) {}
    fn set_doctype_system_identifier(&mut self, _: &[u8]) {}
    fn push_doctype_public_identifier(&mut self, _: &[u8]) {}
    fn push_doctype_system_identifier(&mut self, _: &[u8]) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str) -> Vec<(Name, String, String, Quote)> {
        let mut found = Vec::new();
        tags(source, |_, attributes| {
            for attribute in attributes {
                let raw = source[attribute.place.start..attribute.place.end].to_owned();
                found.push((attribute.name, attribute.value.clone(), raw, attribute.place.quote));
            }
        });
        found
    }

    #[test]
    fn values_are_found_however_they_are_written() {
        for (source, value, raw, quote) in [
            (r#"<img src="a&amp;b">"#, "a&b", "a&amp;b", Quote::Double),
            ("<img src='a\"b'>", "a\"b", "a\"b", Quote::Single),
            ("<img src=a&amp;b>", "a&b", "a&amp;b", Quote::None),
            ("<IMG\r\n SRC\r\n=\r\n\"a\r\nb\">", "a\nb", "a\r\nb", Quote::Double),
            ("<img src = &#x61; alt>", "a", "&#x61;", Quote::None),
            ("<img src=\"\">", "", "", Quote::Double),
            ("<img src=''/>", "", "", Quote::Single),
            ("<img src=>", "", "", Quote::None),
            ("<img src>", "", "", Quote::Missing),
            ("<img src/>", "", "", Quote::Missing),
            ("<img src alt=x>", "", "", Quote::Missing),
            ("<img alt=\"é\"src=a/b/>", "a/b/", "a/b/", Quote::None),
            ("<img src=a src=b>", "a", "a", Quote::None),
            ("<noscript><img src=a></noscript>", "a", "a", Quote::None),
            ("<noscript></noscript><img src=a alt='</noscript>'>", "a", "a", Quote::None),
            ("<svg><style/><image href=a></svg>", "a", "a", Quote::None),
            ("<title><img></title><img src=a>", "a", "a", Quote::None),
            ("<a\0 src=a>", "a", "a", Quote::None),
        ] {
            let name = if source.contains("href") { Name::Href } else { Name::Src };
            assert_eq!(found(source), [(name, value.to_owned(), raw.to_owned(), quote)], "{source}");
        }
    }

    #[test]
    fn what_only_looks_like_a_tag_yields_nothing() {
        for source in [
            "<!-- <img src=a> -->",
            "<!--><!-- <img src=a>",
            "<script><img src=a></script>",
            "<script><!--<script></script><img src=a></script>",
            "<style><img src=a></style>",
            "<textarea><img src=a></textarea>",
            "<title><img src=a></title>",
            "<iframe><img src=a></iframe>",
            "<noframes><img src=a></noframes>",
            "<xmp><img src=a></xmp>",
            "<plaintext><img src=a>",
            "<noscript><img src=a</NoScript>",
            "<noscript><img alt='</noscript>' src=a>",
            "<style/><img src=a>",
            "</img src=a>",
            "< img src=a>",
            "<img src=a",
            "<img src=\"a>",
            "<?php <img src=a",
            "<img alt='<img src=a>'>",
            "<!doctype \"<img src=a>\">",
        ] {
            assert_eq!(found(source), [], "{source}");
        }
    }
}
