//! The syntax of asset ids: `med_` and 26 digits of Crockford's base 32, upper case (a ULID).

use super::found::Span;

const LENGTH: usize = 30;

/// Whether a text of this span may be an id.
#[inline(always)]
pub(super) fn has_length(span: Span) -> bool {
    // An id that is written with escapes is longer; those strings are looked at anyway.
    (span.end - span.start) as usize == LENGTH
}

/// Whether a text is an id: the first digit of a ULID is 0 to 7.
pub(super) fn is_id(text: &[u8]) -> bool {
    text.len() == LENGTH
        && text.starts_with(b"med_")
        && matches!(text[4], b'0'..=b'7')
        && text[5..].iter().all(|byte| match byte {
            b'I' | b'L' | b'O' | b'U' => false,
            byte => byte.is_ascii_digit() || byte.is_ascii_uppercase(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_med_and_a_ulid_in_upper_case() {
        assert!(is_id(b"med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E"));
        assert!(is_id(b"med_7ZZZZZZZZZZZZZZZZZZZZZZZZZ"));
        for other in [
            "med_short",
            "med_81JC8Z3V5N7Q9R1T3W5Y7A9C1E",
            "med_01jc8z3v5n7q9r1t3w5y7a9c1e",
            "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1U",
            "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E0",
            "MED_01JC8Z3V5N7Q9R1T3W5Y7A9C1E",
        ] {
            assert!(!is_id(other.as_bytes()), "{other}");
        }
    }
}
