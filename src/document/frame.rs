//! An array or object that is open, and what is known of its members so far.

use super::found::{Descriptor, Found, Span};
use super::roles::{self, Role};
use super::{asset, descriptor, literal};

/// An array or object that is open. Where a name comes twice, the last member is kept.
pub(super) struct Frame {
    pub start: u32,
    /// The end of its last value.
    pub end: u32,
    pub object: bool,
    /// The part of the member that is being read.
    pub role: Role,
    /// The parts of all members so far; of `ID`, `URL` and `EXPIRES` only those that are strings.
    seen: Role,
    pub members: u32,
    /// How much was found before it was opened,
    found: u32,
    /// and before the member that is being read.
    pub found_before: u32,
    pub key: Option<Span>,
    pub id: Option<Span>,
    name: Option<Span>,
    kind: Option<Span>,
    output: Option<Span>,
    /// What was found in `output`.
    output_found: (u32, u32),
    derivatives: Option<Span>,
    format: Option<Span>,
}

/// What kind of value a member has.
#[derive(Clone, Copy)]
pub(super) enum Value<'f> {
    String,
    Object(&'f Frame),
    Other,
}

impl Frame {
    #[inline(always)]
    pub(super) fn new(start: usize, object: bool, found: usize) -> Self {
        Self {
            start: start as u32,
            end: 0,
            object,
            role: 0,
            seen: 0,
            members: 0,
            found: found as u32,
            found_before: 0,
            key: None,
            id: None,
            name: None,
            kind: None,
            output: None,
            output_found: (0, 0),
            derivatives: None,
            format: None,
        }
    }

    /// Takes note of a member that plays a part, and of how much has been found up to its end.
    #[inline]
    pub(super) fn member(&mut self, value: Value<'_>, span: Span, found: usize) {
        let role = self.role;
        self.seen |= role & (roles::COMPANION | roles::STRONG);
        let string =
            matches!(value, Value::String).then_some(Span { start: span.start + 1, end: span.end - 1 });
        if role & roles::KEY != 0 {
            self.key = string;
        }
        if role & roles::NAME != 0 {
            self.name = string;
        }
        if role & roles::KIND != 0 {
            self.kind = string;
        }
        if role & roles::DERIVATIVES != 0 {
            self.derivatives = Some(span);
        }
        if role & roles::FORMAT != 0 {
            self.format = Some(span);
        }
        if role & roles::META != 0 {
            (self.derivatives, self.format) = match value {
                Value::Object(meta) => (meta.derivatives, meta.format),
                Value::String | Value::Other => (None, None),
            };
        }
        if role & roles::OUTPUT != 0 {
            self.output = Some(span);
            self.output_found = (self.found_before, found as u32);
        }
        if role & (roles::ID | roles::URL | roles::EXPIRES) != 0 && string.is_some() {
            self.seen |= role & (roles::ID | roles::URL | roles::EXPIRES);
            if role & roles::ID != 0 {
                self.id = string;
            }
        }
    }

    /// Adds the object, which ends at `end`, where it is a site, and drops what it covers.
    pub(super) fn finish(&self, input: &str, end: usize, kinds: &[String], found: &mut Vec<Found>) {
        const REFERENCE: Role = roles::ID | roles::URL | roles::EXPIRES;
        if let Some(id) = self.id
            && self.members == 3
            && self.seen & REFERENCE == REFERENCE
            && asset::is_id(literal::decode_bytes(id.of(input.as_bytes())).as_ref())
        {
            found.truncate(self.found as usize);
            found.push(Found::Reference { object: Span { start: self.start, end: end as u32 }, id });
        } else if let Some(key) = self.key
            && self.is_descriptor(key, input, kinds)
        {
            let output = self.output.unwrap_or(Span { start: self.end, end: self.end });
            if self.output.is_some() {
                found.drain(self.output_found.0 as usize..self.output_found.1 as usize);
            }
            found.push(Found::Descriptor(Descriptor {
                start: self.start,
                key,
                name: self.name,
                derivatives: self.derivatives,
                format: self.format,
                output,
            }));
        }
    }

    fn is_descriptor(&self, key: Span, input: &str, kinds: &[String]) -> bool {
        if self.seen & roles::COMPANION == 0 {
            return false;
        }
        let strong = || {
            self.seen & roles::STRONG != 0
                || self
                    .kind
                    .is_some_and(|kind| descriptor::is_media_kind(&literal::decode(kind.text(input)), kinds))
        };
        descriptor::is_key(literal::decode_bytes(key.of(input.as_bytes())).as_ref(), strong)
    }
}
