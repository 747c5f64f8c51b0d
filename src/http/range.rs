//! `Range` and the conditions on entity tags (RFC 9110, sections 13 and 14).

use crate::service::ports::ByteRange;

/// One range of bytes. `None` where the header is to be ignored: another unit, more than one
/// range, or nonsense.
pub(super) fn parse(header: &str) -> Option<ByteRange> {
    let (unit, range) = header.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    match range.trim().split_once('-')? {
        ("", count) => Some(ByteRange::Last(number(count)?)),
        (first, "") => Some(ByteRange::From(number(first)?)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(ByteRange::FromTo(first, last))
        }
    }
}

/// Whether `If-None-Match` holds this tag: weak comparison.
pub(super) fn holds(if_none_match: &str, etag: &str) -> bool {
    let bare = |tag: &'_ str| tag.trim().trim_start_matches("W/").to_owned();
    if_none_match.split(',').any(|tag| tag.trim() == "*" || bare(tag) == bare(etag))
}

/// Whether `If-Range` is this tag: strong comparison. A date never is: none is sent.
pub(super) fn is_same(if_range: &str, etag: &str) -> bool {
    if_range.trim() == etag && etag.starts_with('"')
}

/// Digits; more than fit mean a byte far behind every end.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_read() {
        for (header, range) in [
            ("bytes=0-99", ByteRange::FromTo(0, 99)),
            ("Bytes=5-", ByteRange::From(5)),
            ("bytes=-5", ByteRange::Last(5)),
            ("bytes=-0", ByteRange::Last(0)),
            ("bytes=0-99999999999999999999999", ByteRange::FromTo(0, u64::MAX)),
        ] {
            assert_eq!(parse(header), Some(range), "{header}");
        }
    }

    #[test]
    fn everything_else_is_ignored() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "items=0-1",
            "bytes=5-1",
            "bytes=0-1,3-4",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes=1-2-3",
            "bytes= 1 - 2",
        ] {
            assert_eq!(parse(header), None, "{header}");
        }
    }

    #[test]
    fn tags_are_compared_weakly_for_none_match_and_strongly_for_range() {
        assert!(holds("\"a\", W/\"b\"", "\"b\""));
        assert!(holds("*", "\"b\""));
        assert!(!holds("\"a\"", "\"b\""));
        assert!(is_same("\"b\"", "\"b\""));
        assert!(!is_same("W/\"b\"", "W/\"b\""));
        assert!(!is_same("Wed, 21 Oct 2015 07:28:00 GMT", "\"b\""));
    }
}
