//! Which type a file's first bytes look like.
//!
//! The types that Signet takes by default are looked at here, in whole signatures; all others by
//! `infer`, whose shorter ones for the same types don't count.

use super::families::canonical;
use super::text;

/// Types that `infer` takes for granted after two to four bytes; here they need more.
const LOOKED_AT_HERE: &[&str] = &[
    "image/jpeg",
    "image/png",
    "image/gif",
    "image/webp",
    "image/avif",
    "image/heif",
    "video/x-matroska",
    "video/webm",
    "audio/wav",
    "audio/mpeg",
    "application/pdf",
    "text/html",
    "text/xml",
];

/// The canonical name of the type, if the bytes show one.
pub(super) fn detect(head: &[u8]) -> Option<&'static str> {
    let by_infer = || infer::get(head).map(|found| canonical(found.mime_type()));
    signature(head).or_else(|| by_infer().filter(|found| !LOOKED_AT_HERE.contains(found)))
}

fn signature(head: &[u8]) -> Option<&'static str> {
    match head {
        [0xff, 0xd8, 0xff, 0xc0..=0xfe, ..] => Some("image/jpeg"),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        [b'R', b'I' | b'F', b'F' | b'6', b'F' | b'4', _, _, _, _, b'W', b'A', b'V', b'E', ..]
        | [b'B', b'W', b'6', b'4', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Some("audio/wav"),
        [0x1a, 0x45, 0xdf, 0xa3, ..] => matroska(head),
        [b'I', b'D', b'3', 0..=0x0f, ..] => Some("audio/mpeg"),
        // A frame of MPEG audio, layer II or III; layer I would be the mark of UTF-16, none is AAC's.
        [0xff, second, third, ..]
            if second & 0xe0 == 0xe0 && matches!(second & 0x06, 2 | 4) && third >> 4 != 0xf =>
        {
            Some("audio/mpeg")
        }
        [_, _, _, _, b'f', b't', b'y', b'p', _, _, _, _, ..] => Some(container(head)),
        [_, _, _, _, kind @ ..] if is_old_quicktime(kind) => Some("video/quicktime"),
        _ => text::signature(head),
    }
}

/// Matroska names its document type within the first element.
fn matroska(head: &[u8]) -> Option<&'static str> {
    let first = &head[..head.len().min(256)];
    let names = |name: &[u8]| first.windows(name.len()).any(|window| window == name);
    if names(b"webm") {
        return Some("video/webm");
    }
    names(b"matroska").then_some("video/x-matroska")
}

/// ISO base media: the brands say what it holds.
fn container(head: &[u8]) -> &'static str {
    let length = head.first_chunk().map_or(0, |length| u32::from_be_bytes(*length));
    let end = usize::try_from(length).map_or(head.len(), |length| length.min(head.len()));
    let compatible = head.get(16..end).unwrap_or_default();
    let major = head.get(8..12).unwrap_or_default();
    let any = |brands: &[&[u8]]| {
        brands.contains(&major) || compatible.chunks_exact(4).any(|brand| brands.contains(&brand))
    };
    match major {
        b"qt  " => "video/quicktime",
        b"M4A " | b"M4B " | b"M4P " => "audio/mp4",
        b"crx " => "image/x-canon-cr3",
        _ if any(&[b"avif", b"avis"]) => "image/avif",
        b"mif1" | b"msf1" | b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" => "image/heif",
        _ => "video/mp4",
    }
}

/// QuickTime from before there were brands begins with one of its other boxes.
fn is_old_quicktime(kind: &[u8]) -> bool {
    [b"moov", b"mdat", b"wide", b"pnot"].iter().any(|name| kind.starts_with(*name))
        || ([b"free", b"skip"].iter().any(|name| kind.starts_with(*name)) && kind.len() > 8)
}
