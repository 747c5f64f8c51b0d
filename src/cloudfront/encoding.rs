//! CloudFront's base64: the standard alphabet with `+`, `=`, `/` written as `-`, `_`, `~`.
//!
//! The only place that knows this alphabet, both ways. Decoding is strict: one byte sequence has exactly one
//! text, so that no character of a signature or policy can be changed without changing what it says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Bytes as CloudFront writes them in URLs and cookies.
pub fn encode(bytes: &[u8]) -> String {
    STANDARD
        .encode(bytes)
        .chars()
        .map(|c| match c {
            '+' => '-',
            '=' => '_',
            '/' => '~',
            other => other,
        })
        .collect()
}

/// The bytes of a text in CloudFront's alphabet.
///
/// `None` for a character outside the alphabet, missing or superfluous padding, or trailing bits that are not
/// zero.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut standard = Vec::with_capacity(text.len());
    for byte in text.bytes() {
        standard.push(match byte {
            b'-' => b'+',
            b'_' => b'=',
            b'~' => b'/',
            b'+' | b'=' | b'/' => return None,
            other => other,
        });
    }
    STANDARD.decode(standard).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_three_characters_that_a_query_cannot_carry_are_replaced() {
        assert_eq!(encode(&[0xfb, 0xff]), "-~8_");
        assert_eq!(decode("-~8_"), Some(vec![0xfb, 0xff]));
    }

    #[test]
    fn a_text_that_is_not_canonical_is_refused() {
        for text in ["+~8_", "-~8=", "-/8_", "-~9_", "-~8", "-~8__", "-~8_ ", "_", "A", "-~8_\n", "é"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_byte_sequence_comes_back(bytes: Vec<u8>) {
            prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }

        #[test]
        fn what_decodes_encodes_to_itself(text in "[A-Za-z0-9_~-]{0,12}") {
            if let Some(bytes) = decode(&text) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
