//! JSON pointers (RFC 6901) of values, by a second pass over a document that has been checked.

use super::found::Span;
use super::literal::decode;
use super::token::{byte, scalar, skip_space, string};

/// The step from a container to the value in it that is being read.
enum Step {
    Member(Span),
    Index(usize),
}

/// The pointers of the values that begin at these offsets, which ascend.
pub(super) fn pointers(input: &str, starts: impl IntoIterator<Item = u32>) -> Vec<String> {
    let bytes = input.as_bytes();
    let mut pointers = Vec::new();
    let mut stack: Vec<Step> = Vec::new();
    let mut at = skip_space(bytes, 0);
    for start in starts {
        while at < start as usize {
            at = match advance(bytes, at, &mut stack) {
                Some(at) => at,
                None => return pointers, // never: the document has been checked
            };
        }
        pointers.push(stack.iter().map(|step| written(input, step)).collect());
    }
    pointers
}

/// Goes from the value at `at` to the next one.
fn advance(bytes: &[u8], at: usize, stack: &mut Vec<Step>) -> Option<usize> {
    let mut at = match byte(bytes, at) {
        b'"' => string(bytes, at + 1).ok()?.0 + 1,
        b'{' => {
            let inner = skip_space(bytes, at + 1);
            stack.push(Step::Member(Span::new(inner, inner)));
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
            (b',', Step::Member(_)) => return member(bytes, skip_space(bytes, at + 1), stack),
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
    *stack.last_mut()? = Step::Member(Span::new(at + 1, end));
    Some(skip_space(bytes, skip_space(bytes, end + 1) + 1))
}

fn written(input: &str, step: &Step) -> String {
    match step {
        Step::Index(index) => format!("/{index}"),
        Step::Member(name) => {
            format!("/{}", decode(name.text(input)).replace('~', "~0").replace('/', "~1"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_those_of_rfc_6901() {
        let input = r#" { "a\/b~" : [ [] , {} , [ "x" , "x" ] ] , "" : { "\u0020" : "x" }, "z": "x" } "#;
        let starts = input.match_indices("\"x\"").map(|(at, _)| at as u32);
        let found = pointers(input, starts);
        assert_eq!(found, ["/a~1b~0/2/0", "/a~1b~0/2/1", "// ", "/z"]);
        let value: serde_json::Value = serde_json::from_str(input).unwrap();
        assert!(found.iter().all(|pointer| value.pointer(pointer) == Some(&"x".into())));
        assert_eq!(pointers(" {}", [1]), [""]);
    }
}
