//! What an object key looks like, and what derivatives there are of it.

use memchr::{memchr, memmem};

use super::answer::Derivatives;
use super::token::{byte, skip_space};

/// Top-level media types (RFC 6838 and its registry), and one in wide use without being there.
const TOP_LEVEL: [&str; 12] = [
    "application",
    "audio",
    "chemical",
    "example",
    "font",
    "haptics",
    "image",
    "message",
    "model",
    "multipart",
    "text",
    "video",
];

/// Whether this is the key of a file, in an object that has a companion.
pub(super) fn is_key(key: &[u8], strong: impl FnOnce() -> bool) -> bool {
    let extension = has_extension(key);
    let slash = memchr(b'/', key);
    if !extension && matches!(slash, None | Some(0)) {
        return false;
    }
    let scheme = memchr(b':', key).is_some() && memmem::find(key, b"://").is_some();
    !scheme && (slash.is_some() && extension || strong())
}

/// Whether a bare string is the key of a file.
pub(super) fn is_bare_key(key: &[u8]) -> bool {
    is_key(key, || has_extension(key))
}

/// A last segment that ends in `.` and 2 to 8 letters or digits, a letter among them.
fn has_extension(key: &[u8]) -> bool {
    let tail = &key[key.len().saturating_sub(9)..];
    let length = tail.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let (rest, extension) = tail.split_at(tail.len() - length);
    (2..=8).contains(&length) && rest.last() == Some(&b'.') && extension.iter().any(u8::is_ascii_alphabetic)
}

/// Whether the value of a `type` says that this is media: one of the words, or a MIME type.
pub(super) fn is_media_kind(kind: &str, kinds: &[String]) -> bool {
    kinds.iter().any(|word| word == kind) || is_mime(kind)
}

fn is_mime(kind: &str) -> bool {
    let essence = kind.split_once(';').map_or(kind, |(essence, _)| essence.trim_ascii_end());
    let Some((top, sub)) = essence.split_once('/') else {
        return false;
    };
    let top = top.to_ascii_lowercase();
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte);
    (TOP_LEVEL.contains(&top.as_str()) || top.starts_with("x-"))
        && !sub.is_empty()
        && sub.bytes().all(token)
        && top.bytes().all(token)
}

/// Reads the derivatives from two JSON values: `None` where there are none.
///
/// # Errors
/// They are there, but not 1 to 16 distinct integers of 1 to 16,384 with a format of 2 to 5 of `a-z0-9`.
pub(super) fn derivatives(widths: Option<&[u8]>, format: Option<&[u8]>) -> Result<Option<Derivatives>, ()> {
    let Some(widths) = widths else {
        return Ok(None);
    };
    let format = format.and_then(|format| format.strip_prefix(b"\"")?.strip_suffix(b"\""));
    let mut derivatives = Derivatives::new(format.unwrap_or_default()).ok_or(())?;
    let mut at = match byte(widths, 0) {
        b'[' => 1,
        _ => return Err(()),
    };
    // The value has been checked: it is an array, and only integers of a few digits are let through.
    loop {
        at = skip_space(widths, at);
        let mut width = 0_u32;
        let digits = at;
        while byte(widths, at).is_ascii_digit() {
            width = width.saturating_mul(10).saturating_add(u32::from(widths[at] - b'0'));
            at += 1;
        }
        if digits == at || !derivatives.add(width) {
            return Err(());
        }
        at = skip_space(widths, at);
        match byte(widths, at) {
            b',' => at += 1,
            b']' => return Ok(Some(derivatives)),
            _ => return Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_needs_a_slash_and_an_extension_or_a_strong_companion() {
        let weak = |key: &str| is_key(key.as_bytes(), || false);
        let strong = |key: &str| is_key(key.as_bytes(), || true);
        for key in ["a/b.jpg", "/b.jpg", "a.b/c/größe.geojson", "a/.mp4", "a/b.7z"] {
            assert!(weak(key) && strong(key), "{key}");
        }
        for key in ["logo.png", "a/b", "v/1.25", "a/b.ninechars", "a/b.c", "a/b.jp g", "x.jp/"] {
            assert!(!weak(key) && strong(key), "{key}");
        }
        for key in ["", "genre", "1.25", "/terms", "/a/b", "https://a/b.jpg", "a/b://c.jpg", "a:b"] {
            assert!(!weak(key) && !strong(key), "{key}");
        }
        assert!(is_bare_key(b"logo.png") && is_bare_key(b"a/logo.png") && !is_bare_key(b"a/b"));
    }

    #[test]
    fn a_kind_is_a_word_of_the_profile_or_a_mime_type() {
        let kinds = ["image".to_owned()];
        for kind in ["image", "image/svg+xml", "Image/PNG", "text/plain; charset=utf-8", "x-world/x-vrml"] {
            assert!(is_media_kind(kind, &kinds), "{kind}");
        }
        for kind in
            ["select", "link", "and/or", "N/A", "image/", "/png", "image/a b", "image/png/x", "", "x-/"]
        {
            assert!(!is_media_kind(kind, &kinds), "{kind}");
        }
    }

    #[test]
    fn derivatives_are_up_to_16_distinct_widths_and_a_format() {
        let read = |widths: &str, format: &str| {
            let read = derivatives(Some(widths.as_bytes()), Some(format.as_bytes()));
            read.map(|read| read.map(|read| (read.widths().to_vec(), read.format().to_owned())))
        };
        assert_eq!(read("[ 640 ,320,1\n]", "\"jpg\""), Ok(Some((vec![1, 320, 640], "jpg".into()))));
        assert_eq!(read("[16384]", "\"mp4a1\""), Ok(Some((vec![16384], "mp4a1".into()))));
        let sixteen = (1..=16).map(|width| width.to_string()).collect::<Vec<_>>().join(",");
        assert!(read(&format!("[{sixteen}]"), "\"jpg\"").is_ok());
        assert_eq!(derivatives(None, Some(b"\"jpg\"")), Ok(None));
        for widths in [
            "[]",
            "[320,320]",
            "[0]",
            "[16385]",
            "[320,0]",
            "[\"320\"]",
            "[320.0]",
            "[3e2]",
            "[-1]",
            "[[320]]",
            "null",
            "320",
            "{}",
            "\"320\"",
            "[320,null]",
            "[99999999999999999999]",
            &format!("[{sixteen},17]"),
        ] {
            assert_eq!(read(widths, "\"jpg\""), Err(()), "{widths}");
        }
        for format in [
            "\"j\"",
            "\"jpeg2k\"",
            "\"JPG\"",
            "\"j g\"",
            "\"\"",
            "null",
            "7",
            "\"..\"",
            "\"\\u006a\\u0070g\"",
        ] {
            assert_eq!(read("[320]", format), Err(()), "{format}");
        }
        assert_eq!(derivatives(Some(b"[320]"), None), Err(()));
    }
}
