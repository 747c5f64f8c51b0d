//! An object that is open, and what is known of its members so far.

use super::found::{Descriptor, Found, Span};
use super::roles::{self, Role};
use super::{asset, descriptor, literal, steps};

/// The parts of a reference object: each once, and a string; or `null`, where that is when the link expires.
const REFERENCE: Role = roles::ID | roles::URL | roles::EXPIRES;

/// An object that is open. Where a name comes twice, the last member is kept.
pub(super) struct Object {
    start: u32,
    /// How much was found, and how many names were read, before it was opened.
    found: u32,
    names: u32,
    /// The parts of all members so far; of those of a reference only strings count.
    seen: Role,
    /// Whether `key` holds escapes.
    key_escapes: bool,
    key: Option<Span>,
    id: Option<Span>,
    name: Option<Span>,
    kind: Option<Span>,
    output: Option<Span>,
    derivatives: Option<Span>,
    format: Option<Span>,
}

/// What kind of value a member has.
#[derive(Clone, Copy)]
pub(super) enum Value<'o> {
    String { escapes: bool },
    Object(&'o Object),
    Null,
    Other,
}

impl Object {
    #[inline(always)]
    pub(super) fn new(start: usize, found: usize, names: u32) -> Self {
        Self {
            start: start as u32,
            found: found as u32,
            names,
            seen: 0,
            key_escapes: false,
            key: None,
            id: None,
            name: None,
            kind: None,
            output: None,
            derivatives: None,
            format: None,
        }
    }

    /// Takes note of a member that plays a part.
    #[inline]
    pub(super) fn member(&mut self, role: Role, value: Value<'_>, span: Span) {
        self.seen |= role & (roles::COMPANION | roles::STRONG);
        let string = match value {
            Value::String { .. } => Some(span.inner()),
            Value::Object(_) | Value::Null | Value::Other => None,
        };
        if role & roles::KEY != 0 {
            self.key = string;
            self.key_escapes = matches!(value, Value::String { escapes: true });
        }
        if role & roles::NAME != 0 {
            self.name = string;
        }
        if role & roles::KIND != 0 {
            self.kind = string;
        }
        const RARE: Role = roles::DERIVATIVES | roles::FORMAT | roles::META | roles::OUTPUT | REFERENCE;
        if role & RARE != 0 {
            self.rare_member(role, value, span);
        }
    }

    fn rare_member(&mut self, role: Role, value: Value<'_>, span: Span) {
        if role & roles::DERIVATIVES != 0 {
            self.derivatives = Some(span);
        }
        if role & roles::FORMAT != 0 {
            self.format = Some(span);
        }
        if role & roles::META != 0 {
            (self.derivatives, self.format) = match value {
                Value::Object(meta) => (meta.derivatives, meta.format),
                Value::String { .. } | Value::Null | Value::Other => (None, None),
            };
        }
        if role & roles::OUTPUT != 0 {
            self.output = Some(span);
        }
        let part = match value {
            Value::String { .. } => role & REFERENCE,
            Value::Null => role & roles::EXPIRES,
            Value::Object(_) | Value::Other => 0,
        };
        if part != 0 {
            self.seen |= part;
            if part & roles::ID != 0 {
                self.id = Some(span.inner());
            }
        }
    }

    /// Whether [`finish`](Self::finish) may find anything.
    #[inline(always)]
    pub(super) fn may_be_site(&self) -> bool {
        self.key.is_some() || self.id.is_some()
    }

    /// Adds the object, where it is a site, and drops what it covers. Its last value ends at `last`, and
    /// `names` have been read.
    pub(super) fn finish(
        &self,
        input: &str,
        last: usize,
        end: usize,
        names: u32,
        kinds: &[String],
        found: &mut Vec<Found>,
    ) {
        if let Some(id) = self.id
            && self.seen & REFERENCE == REFERENCE
            && names - self.names == 3
            && asset::is_id(literal::decode_bytes(id.of(input.as_bytes())).as_ref())
        {
            found.truncate(self.found as usize);
            found.push(Found::Reference { object: Span { start: self.start, end: end as u32 }, id });
        } else if let Some(key) = self.key
            && self.is_descriptor(key, input, kinds)
        {
            // The key and the output are the descriptor's: nothing in them is a site of its own.
            self.drop_found(key, found);
            if let Some(output) = self.output {
                self.drop_found(output, found);
            }
            found.push(Found::Descriptor(Descriptor {
                start: self.start,
                key,
                escapes: self.key_escapes,
                name: self.name,
                derivatives: self.derivatives,
                format: self.format,
                output: self.output.unwrap_or(Span::new(last, last)),
            }));
        }
    }

    /// Drops what was found in the value of a member. Members stand one after the other, so whatever was
    /// found in this one begins between what was found in those before and in those after it.
    #[inline(always)]
    fn drop_found(&self, value: Span, found: &mut Vec<Found>) {
        let first = self.found as usize;
        let Some(own) = found.get(first..).filter(|own| !own.is_empty()) else {
            return;
        };
        let start = own.partition_point(|found| found.start() + 1 < value.start);
        let end = own.partition_point(|found| found.start() < value.end);
        steps::count(own.len() - start);
        found.drain(first + start..first + end);
    }

    fn is_descriptor(&self, key: Span, input: &str, kinds: &[String]) -> bool {
        if self.seen & roles::COMPANION == 0 {
            return false;
        }
        let strong = || {
            let kind = |kind: Span| descriptor::is_media_kind(&literal::decode(kind.text(input)), kinds);
            self.seen & roles::STRONG != 0 || self.kind.is_some_and(kind)
        };
        let key = key.of(input.as_bytes());
        if self.key_escapes {
            descriptor::is_key(literal::decode_bytes(key).as_ref(), strong)
        } else {
            descriptor::is_key(key, strong)
        }
    }
}
