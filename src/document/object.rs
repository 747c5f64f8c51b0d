//! An object that is open, and what is known of its members so far.

use super::found::{Descriptor, Found, Span};
use super::roles::{self, Role};
use super::{asset, descriptor, literal};

/// The parts of a reference object: each once, and a string.
const REFERENCE: Role = roles::ID | roles::URL | roles::EXPIRES;

/// An object that is open. Where a name comes twice, the last member is kept.
pub(super) struct Object {
    start: u32,
    members: u32,
    /// How much was found before it was opened,
    found: u32,
    /// and before the member that is being read.
    found_before: u32,
    /// The parts of all members so far; of those of a reference only strings count.
    seen: Role,
    key: Option<Span>,
    /// Where in what was found `key` is, plus one; 0 where it isn't.
    key_found: u32,
    id: Option<Span>,
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
pub(super) enum Value<'o> {
    String,
    Object(&'o Object),
    Other,
}

impl Object {
    #[inline(always)]
    pub(super) fn new(start: usize, found: usize) -> Self {
        Self {
            start: start as u32,
            members: 0,
            found: found as u32,
            found_before: 0,
            seen: 0,
            key: None,
            key_found: 0,
            id: None,
            name: None,
            kind: None,
            output: None,
            output_found: (0, 0),
            derivatives: None,
            format: None,
        }
    }

    /// Takes note of a member's name, and of how much had been found before.
    #[inline(always)]
    pub(super) fn name(&mut self, found: usize) {
        self.members += 1;
        self.found_before = found as u32;
    }

    /// Takes note of a member that plays a part, and of how much has been found up to its end.
    #[inline]
    pub(super) fn member(&mut self, role: Role, value: Value<'_>, span: Span, found: usize) {
        self.seen |= role & (roles::COMPANION | roles::STRONG);
        let string = match value {
            Value::String => Some(span.inner()),
            Value::Object(_) | Value::Other => None,
        };
        if role & roles::KEY != 0 {
            self.key = string;
            self.key_found = if found as u32 > self.found_before { found as u32 } else { 0 };
        }
        if role & roles::NAME != 0 {
            self.name = string;
        }
        if role & roles::KIND != 0 {
            self.kind = string;
        }
        const RARE: Role = roles::DERIVATIVES | roles::FORMAT | roles::META | roles::OUTPUT | REFERENCE;
        if role & RARE != 0 {
            self.rare_member(role, value, span, found);
        }
    }

    fn rare_member(&mut self, role: Role, value: Value<'_>, span: Span, found: usize) {
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
        if role & REFERENCE != 0 && matches!(value, Value::String) {
            self.seen |= role & REFERENCE;
            if role & roles::ID != 0 {
                self.id = Some(span.inner());
            }
        }
    }

    /// Whether [`finish`](Self::finish) may find anything.
    #[inline(always)]
    pub(super) fn may_be_site(&self) -> bool {
        self.key.is_some() || self.id.is_some()
    }

    /// Adds the object, where it is a site, and drops what it covers. Its last value ends at `last`.
    pub(super) fn finish(
        &self,
        input: &str,
        last: usize,
        end: usize,
        kinds: &[String],
        found: &mut Vec<Found>,
    ) {
        if let Some(id) = self.id
            && self.members == 3
            && self.seen & REFERENCE == REFERENCE
            && asset::is_id(literal::decode_bytes(id.of(input.as_bytes())).as_ref())
        {
            found.truncate(self.found as usize);
            found.push(Found::Reference { object: Span { start: self.start, end: end as u32 }, id });
        } else if let Some(span) = self.key
            && self.is_descriptor(span, input, kinds)
        {
            // The key and the output are the descriptor's: nothing in them is a site of its own.
            let output = self.output_found.0..self.output_found.1;
            let key = self.key_found.saturating_sub(1)..self.key_found;
            let (first, second) = if key.start < output.start { (key, output) } else { (output, key) };
            for covered in [second, first].into_iter().filter(|covered| !covered.is_empty()) {
                found.drain(covered.start as usize..covered.end as usize);
            }
            found.push(Found::Descriptor(Descriptor {
                start: self.start,
                key: span,
                name: self.name,
                derivatives: self.derivatives,
                format: self.format,
                output: self.output.unwrap_or(Span::new(last, last)),
            }));
        }
    }

    fn is_descriptor(&self, key: Span, input: &str, kinds: &[String]) -> bool {
        if self.seen & roles::COMPANION == 0 {
            return false;
        }
        let strong = || {
            let kind = |kind: Span| descriptor::is_media_kind(&literal::decode(kind.text(input)), kinds);
            self.seen & roles::STRONG != 0 || self.kind.is_some_and(kind)
        };
        descriptor::is_key(literal::decode_bytes(key.of(input.as_bytes())).as_ref(), strong)
    }
}
