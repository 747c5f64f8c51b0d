//! The candidates of a `srcset`, split as the WHATWG specification does it: URLs may hold commas.

use std::ops::Range;

use super::steps;

/// The URLs of a `srcset` value, as ranges of it.
pub(super) fn urls(value: &str) -> impl Iterator<Item = Range<usize>> {
    let bytes = value.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let begun = at;
        at = skip(bytes, at, |byte| is_space(byte) || byte == b',');
        let start = at;
        at = skip(bytes, at, |byte| !is_space(byte));
        if start == at {
            return None;
        }
        let commas = bytes[start..at].iter().rev().take_while(|byte| **byte == b',').count();
        let end = at - commas;
        if commas == 0 {
            at = descriptors(bytes, at);
        }
        steps::count(at - begun + commas);
        Some(start..end)
    })
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\x0c' | b'\r')
}

/// The offset of the first byte from `at` on that fails a test.
fn skip(bytes: &[u8], at: usize, test: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| !test(*byte)).unwrap_or(rest.len())
}

/// The offset after the descriptors of a candidate: a comma in parentheses ends none.
fn descriptors(bytes: &[u8], mut at: usize) -> usize {
    let mut inside = false;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'(' => inside = true,
            b')' => inside = false,
            b',' if !inside => break,
            _ => {}
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_split_as_browsers_split_them() {
        for (value, expected) in [
            ("a.jpg", vec!["a.jpg"]),
            (" a.jpg 1x, b.jpg 2x ", vec!["a.jpg", "b.jpg"]),
            ("a.jpg, b.jpg", vec!["a.jpg", "b.jpg"]),
            ("a.jpg,b.jpg", vec!["a.jpg,b.jpg"]),
            ("a,b.jpg 320w,c.jpg 640w", vec!["a,b.jpg", "c.jpg"]),
            (",,a.jpg,,,b.jpg 2x,,", vec!["a.jpg,,,b.jpg"]),
            ("a.jpg,\tb.jpg\n2x,\r\nc", vec!["a.jpg", "b.jpg", "c"]),
            ("a.jpg (x, y) 2x, b.jpg", vec!["a.jpg", "b.jpg"]),
            ("a.jpg (x, b.jpg", vec!["a.jpg"]),
            ("", vec![]),
            (" , ", vec![]),
        ] {
            let urls: Vec<_> = urls(value).map(|range| &value[range]).collect();
            assert_eq!(urls, expected, "{value}");
        }
    }
}
