//! Step 1: one strict pass over the bytes, with a stack of its own, that leaves what may be a site.

use super::budget::Budget;
use super::error::{Fault, What};
use super::found::{Found, Span, Text};
use super::needles::Needles;
use super::object::{Object, Value};
use super::roles::{self, Role, Roles};
use super::token::{Escapes, next, scalar, string};
use super::{asset, literal, steps};

/// A pass over a document.
pub(super) struct Walk<'a, 'r> {
    input: &'a str,
    roles: &'r Roles<'r>,
    kinds: &'r [String],
    needles: Needles<'r>,
    /// The greatest depth allowed.
    depth: usize,
    budget: &'r Budget<'r>,
    /// The arrays and objects that are open,
    open: Vec<Open>,
    /// and what is known of the objects among them.
    objects: Vec<Object>,
    /// How many member names have been read.
    names: u32,
    found: Vec<Found>,
}

/// What a value stands in.
#[derive(Clone, Copy)]
enum Inside {
    Nothing,
    Array,
    Object,
}

/// An array or object that is open.
struct Open {
    start: u32,
    /// What it stands in itself,
    around: Inside,
    /// and the part that it plays there.
    role: Role,
}

impl<'a, 'r> Walk<'a, 'r> {
    pub(super) fn new(
        input: &'a str,
        roles: &'r Roles<'r>,
        kinds: &'r [String],
        needles: Needles<'r>,
        depth: usize,
        budget: &'r Budget<'r>,
    ) -> Self {
        let (open, objects) = (Vec::with_capacity(32), Vec::with_capacity(32));
        Self { input, roles, kinds, needles, depth, budget, open, objects, names: 0, found: Vec::new() }
    }

    /// What may be a site, in the order of where each ends.
    pub(super) fn run(mut self) -> Result<Vec<Found>, Fault> {
        let bytes = self.input.as_bytes();
        // Where a value begins, and its first byte; the part that it plays, and what it stands in.
        let (mut at, mut first) = next(bytes, 0);
        let mut role = 0;
        let mut inside = Inside::Nothing;
        loop {
            steps::count(1);
            let mut end = match first {
                b'"' => {
                    let (end, escapes) = string(bytes, at + 1)?;
                    steps::count(end - at);
                    self.text(bytes, Span::new(at + 1, end), escapes, role);
                    if role != 0 {
                        self.member(role, Value::String { escapes: escapes.any }, Span::new(at, end + 1));
                    }
                    end + 1
                }
                b'{' => {
                    self.open(at, inside, role)?;
                    self.objects.push(Object::new(at, self.found.len(), self.names));
                    inside = Inside::Object;
                    (at, first) = next(bytes, at + 1);
                    if first != b'}' {
                        (at, first, role) = self.name(bytes, at, first, "a member name or `}`")?;
                        continue;
                    }
                    at
                }
                b'[' => {
                    self.open(at, inside, role)?;
                    inside = Inside::Array;
                    role = 0;
                    (at, first) = next(bytes, at + 1);
                    if first != b']' {
                        continue;
                    }
                    at
                }
                _ => {
                    let end = scalar(bytes, at)?;
                    if role != 0 {
                        let value = if first == b'n' { Value::Null } else { Value::Other };
                        self.member(role, value, Span::new(at, end));
                    }
                    end
                }
            };
            // After a value: the next one, or the end of the container, which is a value too.
            loop {
                (at, first) = next(bytes, end);
                match (first, inside) {
                    (b',', Inside::Object) => {
                        (at, first) = next(bytes, at + 1);
                        (at, first, role) = self.name(bytes, at, first, "a member name after `,`")?;
                        break;
                    }
                    (b',', Inside::Array) => {
                        (at, first) = next(bytes, at + 1);
                        role = 0;
                        break;
                    }
                    (b'}', Inside::Object) | (b']', Inside::Array) => {
                        inside = self.close(inside, end, at + 1);
                        end = at + 1;
                    }
                    (_, Inside::Object) => return Err(Fault::expected(at, "`,` or `}`")),
                    (_, Inside::Array) => return Err(Fault::expected(at, "`,` or `]`")),
                    (_, Inside::Nothing) if at < bytes.len() => {
                        return Err(Fault::expected(at, "the end of the input after the value"));
                    }
                    (_, Inside::Nothing) => return Ok(self.found),
                }
            }
        }
    }

    /// Reads a member's name, which begins with `first`, and its colon: where its value begins, and with
    /// what, and the part it plays.
    #[inline(always)]
    fn name(
        &mut self,
        bytes: &[u8],
        at: usize,
        first: u8,
        expected: &'static str,
    ) -> Result<(usize, u8, Role), Fault> {
        if first != b'"' {
            return Err(Fault::expected(at, expected));
        }
        let (end, escapes) = string(bytes, at + 1)?;
        steps::count(end - at);
        let role =
            if escapes.any { self.escaped_role(at + 1, end) } else { self.roles.at(bytes, at + 1, end) };
        self.names += 1;
        let (colon, after) = next(bytes, end + 1);
        if after != b':' {
            return Err(Fault::expected(colon, "`:` after the member name"));
        }
        let (value, first) = next(bytes, colon + 1);
        Ok((value, first, role))
    }

    #[cold]
    fn escaped_role(&self, start: usize, end: usize) -> Role {
        let name = Span::new(start, end).text(self.input);
        self.roles.of(literal::decode(name).as_bytes())
    }

    /// Tells the innermost object of a member that plays a part.
    #[inline(always)]
    fn member(&mut self, role: Role, value: Value<'_>, span: Span) {
        if let Some(object) = self.objects.last_mut() {
            object.member(role, value, span);
        }
    }

    /// Opens an array or object.
    #[inline(always)]
    fn open(&mut self, at: usize, around: Inside, role: Role) -> Result<(), Fault> {
        if self.open.len() >= self.depth {
            return Err(Fault { offset: at, what: What::Depth(self.depth) });
        }
        if self.budget.is_cancelled() {
            return Err(Fault { offset: at, what: What::Cancelled });
        }
        self.open.push(Open { start: at as u32, around, role });
        Ok(())
    }

    /// Closes the innermost array or object, whose last value ends at `last`, and itself at `end`: what it
    /// stands in.
    #[inline(always)]
    fn close(&mut self, inside: Inside, last: usize, end: usize) -> Inside {
        let Some(Open { start, around, role }) = self.open.pop() else {
            return Inside::Nothing;
        };
        let span = Span { start, end: end as u32 };
        if !matches!(inside, Inside::Object) {
            if role != 0 {
                self.member(role, Value::Other, span);
            }
            return around;
        }
        if let Some((object, parents)) = self.objects.split_last_mut() {
            if object.may_be_site() {
                object.finish(self.input, last, end, self.names, self.kinds, &mut self.found);
            }
            if role != 0
                && let Some(parent) = parents.last_mut()
            {
                parent.member(role, Value::Object(object), span);
            }
            self.objects.pop();
        }
        around
    }

    /// Takes note of a string that needs a closer look.
    #[inline(always)]
    fn text(&mut self, bytes: &[u8], span: Span, escapes: Escapes, role: Role) {
        if escapes.ascii
            || role & roles::BARE_KEY != 0
            || self.needles.reach(bytes, span)
            || asset::has_length(span) && asset::is_id(span.of(bytes))
        {
            self.found.push(Found::Text(Text {
                span,
                escapes: escapes.any,
                reference: role & roles::NOT_REFERENCE == 0,
                key: role & roles::BARE_KEY != 0,
            }));
        }
    }
}
