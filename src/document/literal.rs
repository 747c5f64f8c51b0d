//! JSON string literals: decoded, with the way back to the source, and encoded.

use std::borrow::Cow;

use super::token::unit;

/// The decoded text of a string literal that has been checked, given without its quotes.
pub(super) fn decode(source: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\\', source.as_bytes()).is_none() {
        return Cow::Borrowed(source);
    }
    Decoded::new(source).text
}

/// [`decode`] for bytes that are compared and no more.
pub(super) fn decode_bytes(source: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', source).is_none() {
        return Cow::Borrowed(source);
    }
    match std::str::from_utf8(source) {
        Ok(text) => Cow::Owned(decode(text).into_owned().into_bytes()),
        Err(_) => Cow::Borrowed(source),
    }
}

/// A decoded string literal that knows where each of its characters stands in the source.
pub(super) struct Decoded<'a> {
    pub text: Cow<'a, str>,
    /// After each escape: the offsets in the text and in the source.
    marks: Vec<(usize, usize)>,
}

impl<'a> Decoded<'a> {
    /// A string literal without escapes.
    pub(super) fn plain(source: &'a str) -> Self {
        Self { text: Cow::Borrowed(source), marks: Vec::new() }
    }

    /// Decodes a string literal that has been checked, given without its quotes.
    pub(super) fn new(source: &'a str) -> Self {
        let mut escapes = memchr::memchr_iter(b'\\', source.as_bytes()).peekable();
        if escapes.peek().is_none() {
            return Self { text: Cow::Borrowed(source), marks: Vec::new() };
        }
        let mut text = String::with_capacity(source.len());
        let mut marks = Vec::new();
        let mut done = 0;
        for at in escapes {
            if at < done {
                continue; // the second backslash of `\\`, or the low surrogate of a pair
            }
            text.push_str(&source[done..at]);
            let (char, length) = escape(source.as_bytes(), at);
            text.push(char);
            done = at + length;
            marks.push((text.len(), done));
        }
        text.push_str(&source[done..]);
        Self { text: Cow::Owned(text), marks }
    }

    /// Where in the source the character at an offset of the text begins, or the text ends.
    pub(super) fn source(&self, offset: usize) -> usize {
        let before = self.marks.partition_point(|(text, _)| *text <= offset);
        match before.checked_sub(1).and_then(|at| self.marks.get(at)) {
            Some((text, source)) => source + (offset - text),
            None => offset,
        }
    }
}

/// The character of an escape, and the length of the escape.
fn escape(source: &[u8], at: usize) -> (char, usize) {
    let char = match source.get(at + 1) {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode(source, at),
        Some(other) => char::from(*other),
        None => char::REPLACEMENT_CHARACTER,
    };
    (char, 2)
}

/// The character of one `\uXXXX`, or of two that are a surrogate pair. The walk has checked them.
fn unicode(source: &[u8], at: usize) -> (char, usize) {
    let first = unit(source, at).unwrap_or_default();
    if !(0xD800..0xDC00).contains(&first) {
        return (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6);
    }
    let second = unit(source, at + 6).unwrap_or_default();
    let code = 0x1_0000 + ((first - 0xD800) << 10) + (second.wrapping_sub(0xDC00) & 0x3FF);
    (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
}

/// Appends a text as the content of a string literal, with the escapes that it must have.
pub(super) fn encode(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=31)) {
        out.extend_from_slice(&rest[..at]);
        match rest[at] {
            byte @ (b'"' | b'\\') => out.extend_from_slice(&[b'\\', byte]),
            byte => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_escape_is_decoded() {
        assert_eq!(
            decode(r#"\"\\\/\b\f\n\r\t\u0041\u00e9\u20AC\ud83d\ude00\u0000"#),
            "\"\\/\u{8}\u{c}\n\r\tAé€😀\0"
        );
        assert_eq!(decode(r"\\u0041\\"), r"\u0041\");
        assert!(matches!(decode("größe"), Cow::Borrowed(_)));
    }

    /// A character in one of the ways in which a literal may hold it.
    fn written(char: char, way: u8) -> String {
        let mut units = [0; 2];
        match (way % 3, char) {
            (0, _) => char.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
            (_, '"' | '\\') | (1, '/') => format!("\\{char}"),
            (_, '\0'..='\x1f') => format!("\\u{:04X}", char as u32),
            _ => char.to_string(),
        }
    }

    proptest! {
        #[test]
        fn each_character_is_found_in_the_source(chars in proptest::collection::vec((any::<char>(), any::<u8>()), 0..40)) {
            let source: String = chars.iter().map(|(char, way)| written(*char, *way)).collect();
            let decoded = Decoded::new(&source);
            let (mut text, mut at) = (String::new(), 0);
            for (char, way) in &chars {
                prop_assert_eq!(decoded.source(text.len()), at);
                text.push(*char);
                at += written(*char, *way).len();
            }
            prop_assert_eq!(decoded.source(text.len()), at);
            prop_assert_eq!(decoded.text, text);
        }

        #[test]
        fn what_is_encoded_is_read_as_it_was(text in any::<String>()) {
            let mut out = vec![b'"'];
            encode(&mut out, &text);
            out.push(b'"');
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }
}
