//! HTML tags, found by a tokenizer that follows the WHATWG specification: which media attributes they
//! have, and where in the source each value stands. Nothing in comments, CDATA sections, scripts, styles, text areas
//! and the like is a tag.
//!
//! Some bytes can be read in two ways. Then tags are found only where both readings come to the same ones, and none
//! after the place where they part, or a change of the value would change the page around it:
//! - What stands in `noscript` is a text to readers with scripts, which ends at the first `</noscript`, even within a
//!   tag. To those without it is tags, and these are found, since they are what such readers get. The readings part
//!   where that `</noscript` isn't an end tag to both.
//! - Whether a `style`, a `title` and the like hold text, and what `<![CDATA[` begins, depends on the tree around them.
//!   `content` follows it as far as it is certain. Elsewhere the readings part where such a text holds what would be a
//!   tag, a comment or another element's end.

use html5gum::{Emitter, Error, State, Tokenizer};
use memchr::{memchr, memchr_iter};

use super::content::{Cdata, Content, Next};
use super::steps;

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
    marks: Marks,
}

/// Offsets in a value and in its source after each run of pieces that are as long as their source, and after
/// each entity.
type Marks = Vec<(usize, usize)>;

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

/// Calls `visit` with the tag name and the media attributes of each start tag, until it returns `false`.
pub(super) fn tags(source: &str, visit: impl FnMut(&[u8], &[Attribute]) -> bool) {
    let tags = Tags {
        source: source.as_bytes(),
        visit,
        position: 0,
        tag_start: 0,
        content: Content::Html,
        noscript: None,
        ended: false,
        start: false,
        self_closing: false,
        name: Vec::new(),
        last_start: Vec::new(),
        attribute: None,
        attributes: Vec::new(),
    };
    // The only token is the end.
    let _ = Tokenizer::new_with_emitter(source, tags).next();
}

struct Tags<'a, F> {
    source: &'a [u8],
    visit: F,
    position: usize,
    /// Where the `<` stands that was read last.
    tag_start: usize,
    content: Content,
    /// The `noscript` that is open: to readers with scripts it holds a text.
    noscript: Option<Noscript>,
    /// Whether nothing more is to be read.
    ended: bool,
    /// Whether the tag that is being read is a start tag.
    start: bool,
    self_closing: bool,
    name: Vec<u8>,
    last_start: Vec<u8>,
    attribute: Option<Open>,
    attributes: Vec<Attribute>,
}

/// A `noscript` that is open.
struct Noscript {
    /// Where its end tag begins to readers with scripts; the length of the source where there is none.
    end: usize,
    /// Whether it stands among HTML elements for certain.
    certain: bool,
}

/// The attribute that is being read.
struct Open {
    name: Vec<u8>,
    name_end: usize,
    value: Vec<u8>,
    value_start: Option<usize>,
    marks: Marks,
}

impl<F: FnMut(&[u8], &[Attribute]) -> bool> Tags<'_, F> {
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

    /// Opens a `noscript`, unless one is open: to readers with scripts this one is a text in that one.
    fn open_noscript(&mut self) {
        if self.noscript.is_none() {
            let certain = self.content == Content::Html;
            self.noscript = Some(Noscript { end: self.end_of(NOSCRIPT), certain });
        }
    }

    /// Whether the tag that has been read is one to readers with and without scripts, or stands in what is a text
    /// to those with scripts, whole. Closes the `noscript` where this is its end.
    fn is_one(&mut self) -> bool {
        let Some(Noscript { end, certain }) = self.noscript else { return true };
        if self.position <= end {
            return true;
        }
        if self.start || self.tag_start != end || self.name != NOSCRIPT {
            return false;
        }
        self.noscript = None;
        if !certain || self.content != Content::Html {
            self.content = Content::Unsure;
        }
        true
    }

    /// Where the end tag of an element that holds text alone begins; the length of the source where there is none.
    fn end_of(&self, name: &[u8]) -> usize {
        let rest = self.source.get(self.position..).unwrap_or_default();
        let end = memchr_iter(b'<', rest).find(|at| is_end_tag(&rest[*at..], name));
        let end = end.map_or(self.source.len(), |at| self.position + at);
        steps::count(end - self.position);
        end
    }

    /// Whether what follows a start tag ends with its end tag, and holds no tags, read as a text or not.
    fn holds_text(&self) -> bool {
        let rest = self.source.get(self.position..).unwrap_or_default();
        let opens = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'/' | b'!' | b'?');
        let end = memchr_iter(b'<', rest).find(|at| rest.get(at + 1).is_some_and(opens));
        steps::count(end.unwrap_or(rest.len()));
        end.is_none_or(|at| is_end_tag(&rest[at..], &self.name))
    }

    /// Whether `<![CDATA[`, which has been read, ends at the same place as a comment and as a section.
    fn is_short_section(&self) -> bool {
        let rest = self.source.get(self.position..).unwrap_or_default();
        let end = memchr(b'>', rest);
        steps::count(end.unwrap_or(rest.len()));
        end.is_none_or(|at| rest[..at].ends_with(b"]]"))
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

/// Whether a text begins with the end tag of an element that holds text alone.
fn is_end_tag(text: &[u8], name: &[u8]) -> bool {
    let after = 2 + name.len();
    text.starts_with(b"</")
        && text.get(2..after).is_some_and(|start| start.eq_ignore_ascii_case(name))
        && text
            .get(after)
            .is_some_and(|byte| matches!(byte, b'\t' | b'\n' | b'\x0c' | b'\r' | b' ' | b'/' | b'>'))
}

impl<F: FnMut(&[u8], &[Attribute]) -> bool> Emitter for Tags<'_, F> {
    /// That nothing more is to be read.
    type Token = ();

    fn start_open_tag(&mut self) {
        self.tag_start = self.position - 1;
    }

    fn move_position(&mut self, offset: isize) {
        steps::count(1);
        self.position = self.position.saturating_add_signed(offset);
    }

    fn init_start_tag(&mut self) {
        self.start = true;
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
            steps::count(s.len());
            open.value.extend_from_slice(s);
            let mark = (open.value.len(), self.position);
            match open.marks.last_mut() {
                // As far apart as before: one run.
                Some(last) if mark.0.checked_add(last.1) == last.0.checked_add(mark.1) => *last = mark,
                _ => open.marks.push(mark),
            }
        }
    }

    fn emit_current_tag(&mut self) -> Option<State> {
        self.close_attribute();
        if !self.is_one() {
            self.ended = true;
            return None;
        }
        if !self.start {
            self.content.end(&self.name);
            self.last_start.clear();
            return None;
        }
        self.ended = !(self.visit)(&self.name, &self.attributes);
        self.last_start.clone_from(&self.name);
        match self.content.start(&self.name, self.self_closing) {
            Next::Tags => {}
            Next::Text(state) => return Some(state),
            Next::Noscript => self.open_noscript(),
            Next::Either => self.ended |= !self.holds_text(),
            Next::Unknown => self.ended = true,
        }
        None
    }

    fn adjusted_current_node_present_but_not_in_html_namespace(&mut self) -> bool {
        match self.content.cdata() {
            Cdata::Comment => false,
            Cdata::Section => true,
            Cdata::Either => {
                self.ended |= !self.is_short_section();
                false
            }
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

    fn pop_token(&mut self) -> Option<()> {
        self.ended.then_some(())
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
            true
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
            ("<noscript><img src=a</NoScriptX></noscript>", "a</NoScriptX", "a</NoScriptX", Quote::None),
            ("<svg><style>a{}</style><title>b</title></svg><img src=a>", "a", "a", Quote::None),
            ("<svg><![CDATA[<img src=b>]]><a src=a></svg>", "a", "a", Quote::None),
            ("<![CDATA[><img src=a>", "a", "a", Quote::None),
            ("<select><option>b</select><xmp><i></xmp><img src=a>", "a", "a", Quote::None),
            ("<frameset><title>b</title><noscript><a src=a></noscript>", "a", "a", Quote::None),
            ("<svg><desc><p></desc></svg><![CDATA[b]]><img src=a>", "a", "a", Quote::None),
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
            "<noscript><img src=a</NoScript ></noscript>",
            "<noscript><!--</noscript><img src=a>-->",
            "<noscript><p title='</noscript>'></noscript><img src=a>",
            "<noscript><style></noscript><img src=a></style>",
            "<noscript><svg></noscript><![CDATA[><img src=a>",
            "<noscript><select></noscript><xmp><i></xmp><img src=a>",
            "<svg><![CDATA[><img src=a>]]></svg>",
            "<svg><style><![CDATA[</style><img src=a>]]></svg>",
            "<svg><foreignObject><p></p></foreignObject><![CDATA[><img src=a>",
            "<svg><p></svg><style/><img src=a>",
            "<svg><desc><style/><img src=a>",
            "<svg><desc><style><!--</style><img src=a>",
            "<math><mtext><p><xmp><b title='</xmp>'><img src=a>",
            "<select><xmp><script></xmp><img src=a>",
            "<select><plaintext><img src=a>",
            "<frameset><xmp><!--</xmp><a src=a>",
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
