//! JSON pointers (RFC 6901) of values, by a second pass over a document that has been checked.

use std::cell::OnceCell;

use super::found::Span;
use super::literal::decode;
use super::steps;
use super::token::{byte, scalar, skip_space, string};

/// The step from a container to the value in it that is being read.
enum Step {
    Member {
        name: Span,
        /// The name as a pointer writes it, once it was needed: it may be as long as the document.
        written: OnceCell<String>,
    },
    Index(usize),
}

impl Step {
    fn member(start: usize, end: usize) -> Self {
        Self::Member { name: Span::new(start, end), written: OnceCell::new() }
    }
}

/// The pointers of the values that begin at these offsets, which ascend. One that is longer than `longest` bytes is
/// cut short there, and ends in `…`.
pub(super) fn pointers(input: &str, starts: impl IntoIterator<Item = u32>, longest: usize) -> Vec<String> {
    let bytes = input.as_bytes();
    let mut pointers = Vec::new();
    let mut stack: Vec<Step> = Vec::new();
    let mut at = skip_space(bytes, 0);
    for start in starts {
        while at < start as usize {
            let before = at;
            at = match advance(bytes, at, &mut stack) {
                Some(at) => at,
                None => return pointers, // never: the document has been checked
            };
            steps::count(at - before);
        }
        pointers.push(pointer(input, &stack, longest));
    }
    pointers
}

fn pointer(input: &str, stack: &[Step], longest: usize) -> String {
    let mut pointer = String::new();
    for step in stack {
        match step {
            Step::Index(index) => pointer.push_str(&format!("/{index}")),
            Step::Member { name, written } => {
                pointer.push_str(written.get_or_init(|| member_name(input, *name, longest)))
            }
        }
        if pointer.len() > longest {
            cut(&mut pointer, longest);
            pointer.push('…');
            break;
        }
    }
    steps::count(stack.len() + pointer.len());
    pointer
}

/// A member's name as a pointer writes it, or the beginning of one that is longer than a pointer may be.
fn member_name(input: &str, name: Span, longest: usize) -> String {
    let source = name.text(input);
    steps::count(source.len());
    let mut written = format!("/{}", decode(source).replace('~', "~0").replace('/', "~1"));
    cut(&mut written, longest + 1);
    written.shrink_to_fit();
    written
}

/// Cuts a text to so many bytes, or a few less where a character would be cut.
fn cut(text: &mut String, length: usize) {
    text.truncate(text.floor_char_boundary(length));
}

/// Goes from the value at `at` to the next one.
fn advance(bytes: &[u8], at: usize, stack: &mut Vec<Step>) -> Option<usize> {
    let mut at = match byte(bytes, at) {
        b'"' => string(bytes, at + 1).ok()?.0 + 1,
        b'{' => {
            let inner = skip_space(bytes, at + 1);
            stack.push(Step::member(inner, inner));
            if byte(bytes, inner) != b'}' {
                return member(bytes, inner, stack);
            }
            inner
        }
        b'[' => {
            let inner = skip_space(bytes, at + 1);
            stack.push(Step::Index(0));
            if byte(bytes, inner) != b']' {
                return Some(inner);
            }
            inner
        }
        _ => scalar(bytes, at).ok()?,
    };
    loop {
        at = skip_space(bytes, at);
        match (byte(bytes, at), stack.last_mut()?) {
            (b',', Step::Index(index)) => {
                *index += 1;
                return Some(skip_space(bytes, at + 1));
            }
            (b',', Step::Member { .. }) => return member(bytes, skip_space(bytes, at + 1), stack),
            _ => {
                stack.pop();
                at += 1;
            }
        }
    }
}

/// Reads a member's name: the offset of its value.
fn member(bytes: &[u8], at: usize, stack: &mut [Step]) -> Option<usize> {
    let (end, _) = string(bytes, at + 1).ok()?;
    *stack.last_mut()? = Step::member(at + 1, end);
    Some(skip_space(bytes, skip_space(bytes, end + 1) + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_those_of_rfc_6901() {
        let input = r#" { "a\/b~" : [ [] , {} , [ "x" , "x" ] ] , "" : { "\u0020" : "x" }, "z": "x" } "#;
        let starts = input.match_indices("\"x\"").map(|(at, _)| at as u32);
        let found = pointers(input, starts, 100);
        assert_eq!(found, ["/a~1b~0/2/0", "/a~1b~0/2/1", "// ", "/z"]);
        let value: serde_json::Value = serde_json::from_str(input).unwrap();
        assert!(found.iter().all(|pointer| value.pointer(pointer) == Some(&"x".into())));
        assert_eq!(pointers(" {}", [1], 100), [""]);
    }

    #[test]
    fn a_long_pointer_is_cut_short_and_says_so() {
        let name = "é/".repeat(20);
        let input = format!(r#"{{"{name}":["x",{{"a":"x"}}],"b":"x"}}"#);
        let starts = || input.match_indices("\"x\"").map(|(at, _)| at as u32);
        let whole = format!("/{}", "é~1".repeat(20));
        assert_eq!(
            pointers(&input, starts(), 100),
            [format!("{whole}/0"), format!("{whole}/1/a"), "/b".into()]
        );
        let short = pointers(&input, starts(), 10);
        assert_eq!(short, ["/é~1é~1…", "/é~1é~1…", "/b"]);
        let exact = pointers(r#"{"abc":["x"]}"#, [8], 6);
        assert_eq!(
            (exact, pointers(r#"{"abc":["x"]}"#, [8], 5)),
            (vec!["/abc/0".into()], vec!["/abc/…".into()])
        );
    }
}
