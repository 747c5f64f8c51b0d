//! Step 1: one strict pass over the bytes, with a stack of its own, that leaves what may be a site.

use super::error::{Fault, What};
use super::found::{Found, Span, Text};
use super::needles::Needles;
use super::object::{Object, Value};
use super::roles::{self, Role, Roles};
use super::token::{Escapes, byte, scalar, skip_space, string};
use super::{asset, literal};

/// A pass over a document.
pub(super) struct Walk<'a, 'r> {
    input: &'a str,
    roles: &'r Roles<'r>,
    kinds: &'r [String],
    needles: Needles<'r>,
    /// The greatest depth allowed.
    depth: usize,
    /// The arrays and objects that are open,
    open: Vec<Open>,
    /// and what is known of the objects among them.
    objects: Vec<Object>,
    found: Vec<Found>,
}

/// An array or object that is open.
struct Open {
    start: u32,
    object: bool,
    /// The part that it plays itself in the object around it.
    role: Role,
}

impl<'a, 'r> Walk<'a, 'r> {
    pub(super) fn new(
        input: &'a str,
        roles: &'r Roles<'r>,
        kinds: &'r [String],
        needles: Needles<'r>,
        depth: usize,
    ) -> Self {
        let (open, objects) = (Vec::with_capacity(32), Vec::with_capacity(32));
        Self { input, roles, kinds, needles, depth, open, objects, found: Vec::new() }
    }

    /// What may be a site, in the order of where each ends.
    pub(super) fn run(mut self) -> Result<Vec<Found>, Fault> {
        let bytes = self.input.as_bytes();
        let mut at = skip_space(bytes, 0);
        // The part of the value that begins at `at`, and whether it is an object's.
        let mut role = 0;
        let mut object = false;
        loop {
            let mut end = match byte(bytes, at) {
                b'"' => {
                    let (end, escapes) = string(bytes, at + 1)?;
                    self.text(Span::new(at + 1, end), escapes, role);
                    if role != 0 {
                        self.member(role, Value::String, Span::new(at, end + 1));
                    }
                    end + 1
                }
                start @ (b'{' | b'[') => {
                    if self.open.len() >= self.depth {
                        return Err(Fault { offset: at, what: What::Depth(self.depth) });
                    }
                    object = start == b'{';
                    self.open.push(Open { start: at as u32, object, role });
                    let inner = skip_space(bytes, at + 1);
                    role = 0;
                    if object {
                        self.objects.push(Object::new(at, self.found.len()));
                        if byte(bytes, inner) != b'}' {
                            (at, role) = self.name(inner, "a member name or `}`")?;
                            continue;
                        }
                    } else if byte(bytes, inner) != b']' {
                        at = inner;
                        continue;
                    }
                    inner
                }
                _ => {
                    let end = scalar(bytes, at)?;
                    if role != 0 {
                        self.member(role, Value::Other, Span::new(at, end));
                    }
                    end
                }
            };
            // After a value: the next one, or the end of the container, which is a value too.
            loop {
                at = skip_space(bytes, end);
                if self.open.is_empty() {
                    return match bytes.get(at) {
                        Some(_) => Err(Fault::expected(at, "the end of the input after the value")),
                        None => Ok(self.found),
                    };
                }
                match (byte(bytes, at), object) {
                    (b',', true) => {
                        (at, role) = self.name(skip_space(bytes, at + 1), "a member name after `,`")?;
                        break;
                    }
                    (b',', false) => {
                        at = skip_space(bytes, at + 1);
                        break;
                    }
                    (b'}', true) | (b']', false) => {
                        self.close(end, at + 1);
                        end = at + 1;
                        object = self.open.last().is_some_and(|open| open.object);
                        role = 0;
                    }
                    (_, true) => return Err(Fault::expected(at, "`,` or `}`")),
                    (_, false) => return Err(Fault::expected(at, "`,` or `]`")),
                }
            }
        }
    }

    /// Reads a member's name and colon: where its value begins, and the part it plays.
    #[inline(always)]
    fn name(&mut self, at: usize, expected: &'static str) -> Result<(usize, Role), Fault> {
        let bytes = self.input.as_bytes();
        if byte(bytes, at) != b'"' {
            return Err(Fault::expected(at, expected));
        }
        let (end, escapes) = string(bytes, at + 1)?;
        let role =
            if escapes.any { self.escaped_role(at + 1, end) } else { self.roles.at(bytes, at + 1, end) };
        if let Some(object) = self.objects.last_mut() {
            object.name(self.found.len());
        }
        let colon = skip_space(bytes, end + 1);
        if byte(bytes, colon) != b':' {
            return Err(Fault::expected(colon, "`:` after the member name"));
        }
        Ok((skip_space(bytes, colon + 1), role))
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
            object.member(role, value, span, self.found.len());
        }
    }

    /// Closes the innermost array or object, whose last value ends at `last`, and itself at `end`.
    #[inline(always)]
    fn close(&mut self, last: usize, end: usize) {
        let Some(Open { start, object, role }) = self.open.pop() else {
            return;
        };
        let span = Span { start, end: end as u32 };
        if !object {
            if role != 0 {
                self.member(role, Value::Other, span);
            }
            return;
        }
        let Some((object, around)) = self.objects.split_last_mut() else {
            return;
        };
        if object.may_be_site() {
            object.finish(self.input, last, end, self.kinds, &mut self.found);
        }
        if role != 0
            && let Some(parent) = around.last_mut()
        {
            parent.member(role, Value::Object(object), span, self.found.len());
        }
        self.objects.pop();
    }

    /// Takes note of a string that needs a closer look.
    #[inline(always)]
    fn text(&mut self, span: Span, escapes: Escapes, role: Role) {
        let bytes = self.input.as_bytes();
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
