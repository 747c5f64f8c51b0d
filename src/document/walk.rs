//! Step 1: one strict pass over the bytes, with a stack of its own, that leaves what may be a site.

use memchr::memchr;

use super::error::{Fault, What};
use super::found::{Found, Span, Text};
use super::frame::{Frame, Value};
use super::needles::Needles;
use super::roles::{self, Role, Roles};
use super::token::{Escapes, byte, scalar, skip_space, string};
use super::{asset, literal};

/// What the walk is told.
pub(super) struct Walk<'a, 'r> {
    pub input: &'a str,
    pub roles: &'r Roles<'r>,
    pub kinds: &'r [String],
    pub needles: Needles<'r>,
    pub depth: usize,
}

/// What comes next in the container that is open.
enum Next {
    Value(usize),
    /// After a value that ends here.
    After(usize),
}

impl Walk<'_, '_> {
    /// What may be a site, in the order of where each ends.
    pub(super) fn run(mut self) -> Result<Vec<Found>, Fault> {
        let bytes = self.input.as_bytes();
        let mut found = Vec::new();
        let mut stack: Vec<Frame> = Vec::with_capacity(16);
        let mut next = Next::Value(skip_space(bytes, 0));
        loop {
            next = match next {
                Next::Value(at) => self.value(at, &mut stack, &mut found)?,
                Next::After(end) => {
                    let at = skip_space(bytes, end);
                    let Some(frame) = stack.last_mut() else {
                        if at < bytes.len() {
                            return Err(Fault::expected(at, "the end of the input after the value"));
                        }
                        return Ok(found);
                    };
                    frame.end = end as u32;
                    match (byte(bytes, at), frame.object) {
                        (b',', true) => {
                            let at = skip_space(bytes, at + 1);
                            self.member(at, frame, found.len(), "a member name after `,`")?
                        }
                        (b',', false) => Next::Value(skip_space(bytes, at + 1)),
                        (b'}', true) | (b']', false) => self.close(at + 1, &mut stack, &mut found),
                        (_, true) => return Err(Fault::expected(at, "`,` or `}`")),
                        (_, false) => return Err(Fault::expected(at, "`,` or `]`")),
                    }
                }
            }
        }
    }

    /// Reads a value, or opens the array or object that it is.
    #[inline(always)]
    fn value(&mut self, at: usize, stack: &mut Vec<Frame>, found: &mut Vec<Found>) -> Result<Next, Fault> {
        let bytes = self.input.as_bytes();
        let (end, value) = match byte(bytes, at) {
            b'"' => {
                let (end, escapes) = string(bytes, at + 1)?;
                let role = stack.last().map_or(0, |frame| frame.role);
                if let Some(text) = self.text(Span::new(at + 1, end), escapes, role) {
                    found.push(Found::Text(text));
                }
                (end + 1, Value::String)
            }
            open @ (b'{' | b'[') => {
                if stack.len() >= self.depth {
                    return Err(Fault { offset: at, what: What::Depth(self.depth) });
                }
                let object = open == b'{';
                let mut frame = Frame::new(at, object, found.len());
                let inner = skip_space(bytes, at + 1);
                let next = match (byte(bytes, inner), object) {
                    (b'}', true) | (b']', false) => {
                        stack.push(frame);
                        return Ok(self.close(inner + 1, stack, found));
                    }
                    (_, true) => self.member(inner, &mut frame, found.len(), "a member name or `}`")?,
                    (_, false) => Next::Value(inner),
                };
                stack.push(frame);
                return Ok(next);
            }
            _ => (scalar(bytes, at)?, Value::Other),
        };
        if let Some(frame) = stack.last_mut()
            && frame.role != 0
        {
            frame.member(value, Span::new(at, end), found.len());
        }
        Ok(Next::After(end))
    }

    /// Reads a member's name and colon.
    #[inline(always)]
    fn member(
        &self,
        at: usize,
        frame: &mut Frame,
        found: usize,
        expected: &'static str,
    ) -> Result<Next, Fault> {
        let bytes = self.input.as_bytes();
        if byte(bytes, at) != b'"' {
            return Err(Fault::expected(at, expected));
        }
        let (end, escapes) = string(bytes, at + 1)?;
        let name = bytes.get(at + 1..end).unwrap_or_default();
        frame.role = if escapes.any {
            self.roles.of(literal::decode_bytes(name).as_ref())
        } else {
            self.roles.of(name)
        };
        frame.members += 1;
        frame.found_before = found as u32;
        let colon = skip_space(bytes, end + 1);
        if byte(bytes, colon) != b':' {
            return Err(Fault::expected(colon, "`:` after the member name"));
        }
        Ok(Next::Value(skip_space(bytes, colon + 1)))
    }

    /// Closes the innermost array or object, which ends at `end`.
    #[inline(always)]
    fn close(&mut self, end: usize, stack: &mut Vec<Frame>, found: &mut Vec<Found>) -> Next {
        if let Some(frame) = stack.pop() {
            if frame.key.is_some() || frame.id.is_some() {
                frame.finish(self.input, end, self.kinds, found);
            }
            if let Some(parent) = stack.last_mut()
                && parent.role != 0
            {
                let value = if frame.object { Value::Object(&frame) } else { Value::Other };
                parent.member(value, Span { start: frame.start, end: end as u32 }, found.len());
            }
        }
        Next::After(end)
    }

    /// The string, where it needs a closer look.
    #[inline(always)]
    fn text(&mut self, span: Span, escapes: Escapes, role: Role) -> Option<Text> {
        let closer = escapes.ascii
            || role & roles::BARE_KEY != 0
            || self.needles.reach(self.input.as_bytes(), span)
            || asset::has_length(span) && asset::is_id(span.of(self.input.as_bytes()));
        closer.then_some(Text {
            span,
            escapes: escapes.any,
            reference: role & roles::NOT_REFERENCE == 0,
            key: role & roles::BARE_KEY != 0,
        })
    }
}

/// Whether a string holds `<` and a letter: what begins a tag.
pub(super) fn has_tag(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = memchr(b'<', rest) {
        rest = &rest[at + 1..];
        if rest.first().is_some_and(u8::is_ascii_alphabetic) {
            return true;
        }
    }
    false
}
