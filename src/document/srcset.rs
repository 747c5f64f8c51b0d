//! The candidates of a `srcset`, split as the WHATWG specification does it: URLs may hold commas.

use std::ops::Range;

/// The URLs of a `srcset` value, as ranges of it.
pub(super) fn urls(value: &str) -> Vec<Range<usize>> {
    let bytes = value.as_bytes();
    let is = |at: usize, test: fn(u8) -> bool| bytes.get(at).is_some_and(|byte| test(*byte));
    let space: fn(u8) -> bool = |byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\x0c' | b'\r');
    let mut urls = Vec::new();
    let mut at = 0;
    loop {
        while is(at, |byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\x0c' | b'\r' | b',')) {
            at += 1;
        }
        let start = at;
        while at < bytes.len() && !is(at, space) {
            at += 1;
        }
        if start == at {
            return urls;
        }
        let commas = bytes[start..at].iter().rev().take_while(|byte| **byte == b',').count();
        urls.push(start..at - commas);
        if commas == 0 {
            at = descriptors(bytes, at);
        }
    }
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
            let urls: Vec<_> = urls(value).into_iter().map(|range| &value[range]).collect();
            assert_eq!(urls, expected, "{value}");
        }
    }
}
