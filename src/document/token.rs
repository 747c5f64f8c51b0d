//! The tokens of RFC 8259: strings, numbers and literals, checked and measured, never copied.

use super::error::Fault;

/// What a string holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Escapes {
    /// At least one escape.
    pub any: bool,
    /// At least one ASCII character in the form `\u00…`: what it says can't be searched as it stands.
    pub ascii: bool,
}

const VALUE: &str = "a value";
const CONTROL: &str = "an escape: control characters must be escaped in strings";
const UNCLOSED: &str = "`\"`: the string is not closed";
const ESCAPE: &str = "one of `\"\\/bfnrtu` after `\\`";
const HEX: &str = "four hexadecimal digits after `\\u`";
const LOW: &str = "the escape of a low surrogate after that of a high one";
const HIGH: &str = "a character: a low surrogate must follow a high one";

/// The byte at an offset; 0, which no token holds, past the end.
#[inline(always)]
pub(super) fn byte(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or(0)
}

/// The offset of the next byte that is no white space.
#[inline(always)]
pub(super) fn skip_space(bytes: &[u8], at: usize) -> usize {
    next(bytes, at).0
}

/// The next byte that is no white space, after its offset; 0 past the end.
#[inline(always)]
pub(super) fn next(bytes: &[u8], at: usize) -> (usize, u8) {
    // Most documents have none: one comparison says so.
    match byte(bytes, at) {
        byte if byte > b' ' => (at, byte),
        _ => next_after_space(bytes, at),
    }
}

#[inline]
fn next_after_space(bytes: &[u8], mut at: usize) -> (usize, u8) {
    loop {
        match byte(bytes, at) {
            b' ' | b'\n' | b'\r' | b'\t' => at += 1,
            byte => return (at, byte),
        }
    }
}

/// Reads a string whose content begins at `at`: the offset of its closing quote.
#[inline(always)]
pub(super) fn string(bytes: &[u8], at: usize) -> Result<(usize, Escapes), Fault> {
    let end = plain(bytes, at);
    if byte(bytes, end) == b'"' {
        return Ok((end, Escapes::default()));
    }
    string_rest(bytes, end)
}

/// The rest of a string, from its first escape or fault on, which stands at `at`.
#[inline(never)]
fn string_rest(bytes: &[u8], mut at: usize) -> Result<(usize, Escapes), Fault> {
    let mut escapes = Escapes::default();
    loop {
        match bytes.get(at) {
            Some(b'"') => return Ok((at, escapes)),
            Some(b'\\') => {
                escapes.any = true;
                match byte(bytes, at + 1) {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at += 2,
                    b'u' => {
                        let unit = unit(bytes, at)?;
                        at += 6;
                        match unit {
                            0xD800..=0xDBFF => {
                                if byte(bytes, at) != b'\\' || byte(bytes, at + 1) != b'u' {
                                    return Err(Fault::expected(at, LOW));
                                }
                                if !matches!(self::unit(bytes, at)?, 0xDC00..=0xDFFF) {
                                    return Err(Fault::expected(at, LOW));
                                }
                                at += 6;
                            }
                            0xDC00..=0xDFFF => return Err(Fault::expected(at - 6, HIGH)),
                            unit => escapes.ascii |= unit < 0x80,
                        }
                    }
                    _ => return Err(Fault::expected(at + 1, ESCAPE)),
                }
            }
            Some(_) => return Err(Fault::expected(at, CONTROL)),
            None => return Err(Fault::expected(at, UNCLOSED)),
        }
        at = plain(bytes, at);
    }
}

/// The UTF-16 unit of the `\uXXXX` at an offset.
pub(super) fn unit(bytes: &[u8], at: usize) -> Result<u32, Fault> {
    let mut unit = 0;
    for digit in at + 2..at + 6 {
        let value = char::from(byte(bytes, digit)).to_digit(16);
        unit = unit << 4 | value.ok_or_else(|| Fault::expected(digit, HEX))?;
    }
    Ok(unit)
}

/// The offset of the first quote, backslash or control character: eight bytes at a time.
#[inline(always)]
fn plain(bytes: &[u8], mut at: usize) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let Some((chunks, tail)) = bytes.get(at..).map(<[u8]>::as_chunks) else {
        return at;
    };
    for chunk in chunks {
        let word = u64::from_le_bytes(*chunk);
        // A byte's highest bit is set where it was too small. A quote is 32 with another bit, and control
        // characters stay below 32 with it. A borrow can set a bit too many only above a right one, and
        // the lowest is the one that counts.
        let low = (word ^ (EACH * 0x02)).wrapping_sub(EACH * 33);
        let slash = (word ^ (EACH * b'\\' as u64)).wrapping_sub(EACH);
        let found = (low | slash) & !word & (EACH * 0x80);
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    at + plain_tail(tail)
}

/// [`plain`] for the end of the input.
#[inline(never)]
fn plain_tail(tail: &[u8]) -> usize {
    tail.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=31)).unwrap_or(tail.len())
}

/// Reads a number, `true`, `false` or `null`: the offset after it.
#[inline(always)]
pub(super) fn scalar(bytes: &[u8], at: usize) -> Result<usize, Fault> {
    match byte(bytes, at) {
        b'-' | b'0'..=b'9' => number(bytes, at),
        b't' => literal(bytes, at, b"true", "`true`"),
        b'f' => literal(bytes, at, b"false", "`false`"),
        b'n' => literal(bytes, at, b"null", "`null`"),
        _ if bytes[at..].starts_with(b"\xEF\xBB\xBF") => {
            Err(Fault::expected(at, "a value: a byte order mark is not allowed"))
        }
        _ => Err(Fault::expected(at, VALUE)),
    }
}

#[inline(always)]
fn literal(bytes: &[u8], at: usize, literal: &[u8], expected: &'static str) -> Result<usize, Fault> {
    if bytes[at..].starts_with(literal) {
        return Ok(at + literal.len());
    }
    Err(Fault::expected(at, expected))
}

#[inline(always)]
fn number(bytes: &[u8], mut at: usize) -> Result<usize, Fault> {
    if byte(bytes, at) == b'-' {
        at += 1;
    }
    at = match byte(bytes, at) {
        b'0' => at + 1,
        _ => digits(bytes, at, "a digit")?,
    };
    if byte(bytes, at) == b'.' {
        at = digits(bytes, at + 1, "a digit after the decimal point")?;
    }
    if matches!(byte(bytes, at), b'e' | b'E') {
        let signed = matches!(byte(bytes, at + 1), b'+' | b'-');
        at = digits(bytes, at + 1 + usize::from(signed), "a digit of the exponent")?;
    }
    Ok(at)
}

#[inline(always)]
fn digits(bytes: &[u8], at: usize, expected: &'static str) -> Result<usize, Fault> {
    let mut end = at;
    while byte(bytes, end).is_ascii_digit() {
        end += 1;
    }
    if end == at { Err(Fault::expected(at, expected)) } else { Ok(end) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_special_byte_is_found_at_every_distance() {
        for special in (0..=255).filter(|byte| matches!(byte, b'"' | b'\\' | 0..=31)) {
            for distance in 0..40 {
                for filler in [b'a', b' ', b'!', b'#', 0x80, 0xFF, 0x7F] {
                    let mut text = vec![filler; distance];
                    text.push(special);
                    text.extend_from_slice(b"\"\\\x01 and on \"");
                    assert_eq!(plain(&text, 0), distance);
                    text.truncate(distance);
                    assert_eq!(plain(&text, 0), distance);
                }
            }
        }
    }
}
