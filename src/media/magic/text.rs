//! Types that have no magic because they are text, and what can't be one of them.

use super::{BINARY, detect};

/// Types of text that don't begin with `text/`.
const OTHERS: &[&str] = &[
    "application/json",
    "application/x-ndjson",
    "application/xml",
    "application/javascript",
    "application/ecmascript",
    "application/yaml",
    "application/toml",
    "application/sql",
    "application/graphql",
    "application/x-sh",
];

/// Where HTML begins, as browsers guess it (WHATWG MIME sniffing), and an SVG that browsers run.
const HTML: &[&str] = &[
    "!doctype html",
    "html",
    "head",
    "script",
    "iframe",
    "h1",
    "div",
    "font",
    "table",
    "a",
    "style",
    "title",
    "b",
    "body",
    "br",
    "p",
    "svg",
    "img",
    "link",
    "meta",
    "object",
    "embed",
    "form",
    "base",
    "math",
];

/// Whether files of a type are text.
pub(super) fn is_text(name: &str) -> bool {
    name.starts_with("text/") || name.ends_with("+xml") || name.ends_with("+json") || OTHERS.contains(&name)
}

/// What a file is instead of text of a type.
pub(super) fn contradiction(name: &str, head: &[u8]) -> Option<&'static str> {
    if looks_like_text(head) {
        // Letters may be the short magic of something binary; what begins as a known text is one.
        return signature(head).filter(|found| !may_begin_as(name, found, head));
    }
    if is_utf_16(head) {
        return None;
    }
    detect::detect(head).or_else(|| head.contains(&0).then_some(BINARY))
}

/// The type of a text that says what it is.
pub(super) fn signature(head: &[u8]) -> Option<&'static str> {
    let text = beginning(head);
    let known: [(&[u8], &str); 4] = [
        (b"%PDF-", "application/pdf"),
        (b"{\\rtf", "application/rtf"),
        (b"%!PS", "application/postscript"),
        (b"#!", "text/x-shellscript"),
    ];
    if let Some((_, name)) = known.iter().find(|(magic, _)| text.starts_with(magic)) {
        return Some(name);
    }
    is_html(text).then_some("text/html")
}

/// Whether bytes are UTF-8 without control characters, as far as they go.
pub(super) fn looks_like_text(head: &[u8]) -> bool {
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The last character may be cut.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !valid.bytes().any(|byte| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b))
}

fn is_utf_16(head: &[u8]) -> bool {
    head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff])
}

/// Whether a text of a type may begin like this.
fn may_begin_as(name: &str, found: &str, head: &[u8]) -> bool {
    let subtype = name.split('/').nth(1).unwrap_or_default();
    match found {
        "text/html" if subtype.ends_with("xml") => {
            // XML has comments and elements of its own; a page is one all the same.
            let text = beginning(head);
            !["!doctype html", "html", "head", "body", "script"].iter().any(|tag| begins_with_tag(text, tag))
        }
        "text/html" => {
            matches!(subtype, "html" | "markdown" | "x-markdown" | "x-handlebars-template" | "x-vue")
        }
        "text/x-shellscript" => subtype.starts_with("x-") || subtype.ends_with("script"),
        _ => false,
    }
}

fn is_html(text: &[u8]) -> bool {
    text.starts_with(b"<!--") || HTML.iter().any(|tag| begins_with_tag(text, tag))
}

fn begins_with_tag(text: &[u8], tag: &str) -> bool {
    let Some(rest) = text.strip_prefix(b"<") else { return false };
    let Some((start, rest)) = rest.split_at_checked(tag.len()) else { return false };
    start.eq_ignore_ascii_case(tag.as_bytes())
        && rest.first().is_none_or(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/'))
}

/// The text without a byte order mark and white space before it.
fn beginning(head: &[u8]) -> &[u8] {
    head.strip_prefix("\u{feff}".as_bytes()).unwrap_or(head).trim_ascii_start()
}
