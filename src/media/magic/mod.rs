//! Whether a file is what it was declared to be, by its first bytes.
//!
//! 1. `detect`: which type they look like, if any.
//! 2. `families`: the names that a type goes by, and the types that share a container.
//! 3. `text`: types that have no magic, and what can't be one of them.

mod detect;
mod families;
mod text;

use super::ContentType;
use families::{canonical, has_magic, is_executable};

/// What bytes are called that look like nothing.
const BINARY: &str = "application/octet-stream";
/// What text is called that looks like nothing else.
const TEXT: &str = "text/plain";

/// How much of a file is enough to look at, in bytes.
pub const HEAD_BYTES: u64 = 64 * 1024;

/// What a file is instead of its declared type; `None` where nothing contradicts that. `head` is the
/// beginning of the file, [`HEAD_BYTES`] of it or all of it.
///
/// 1. A type with magic must show it, or that of its container: `audio/mp4` may say `isom`.
/// 2. A type that is text may not be binary, nor HTML, a PDF or a script that it doesn't claim to be.
/// 3. Any other type may be whatever isn't an executable, HTML, or a medium of another kind.
#[must_use]
pub fn contradiction(declared: &ContentType, head: &[u8]) -> Option<&'static str> {
    let name = canonical(declared.as_str());
    if name == BINARY {
        return None;
    }
    if text::is_text(name) {
        return text::contradiction(name, head);
    }
    let found = detect::detect(head);
    if has_magic(name) {
        let agrees = found.is_some_and(|found| families::agrees(name, found));
        return (!agrees).then(|| found.unwrap_or_else(|| nothing_known(head)));
    }
    found.filter(|found| is_executable(found) || *found == "text/html" || !families::may_be(name, found))
}

fn nothing_known(head: &[u8]) -> &'static str {
    if text::looks_like_text(head) { TEXT } else { BINARY }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(declared: &str, head: &[u8]) -> Option<&'static str> {
        contradiction(&ContentType::parse(declared).unwrap(), head)
    }

    /// The first bytes of files as their programs write them.
    fn samples() -> Vec<(&'static str, Vec<u8>)> {
        let boxed = |brand: &str| [b"\0\0\0\x18ftyp", brand.as_bytes(), b"\0\0\0\0mif1miaf"].concat();
        let ebml = |doctype: &[u8]| {
            [b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82", doctype, b"\x42\x87\x81\x02"].concat()
        };
        let jpeg = include_bytes!("../../app/dev/seed/mug.jpg");
        vec![
            ("image/jpeg", jpeg[..64].to_vec()),
            ("image/png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec()),
            ("image/gif", b"GIF89a\x01\0\x01\0\0\0\0;".to_vec()),
            ("image/webp", b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0".to_vec()),
            ("image/avif", boxed("avif")),
            ("video/mp4", boxed("isom")),
            ("video/webm", ebml(b"\x84webm")),
            ("video/quicktime", boxed("qt  ")),
            ("audio/mpeg", b"ID3\x04\0\0\0\0\0\0\xff\xfb\x90\0".to_vec()),
            ("audio/mp4", boxed("M4A ")),
            ("audio/wav", b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0".to_vec()),
            ("audio/ogg", b"OggS\0\x02\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x01\x1e\x01vorbis".to_vec()),
            ("application/pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec()),
        ]
    }

    #[test]
    fn each_type_agrees_with_its_own_and_its_container_alone() {
        let shared = [
            ("video/mp4", "audio/mp4"),
            ("audio/mp4", "video/mp4"),
            ("video/mp4", "video/quicktime"),
            ("video/quicktime", "video/mp4"),
        ];
        for (declared, _) in samples() {
            for (name, bytes) in samples() {
                let good = declared == name || shared.contains(&(declared, name));
                assert_eq!(found(declared, &bytes), (!good).then_some(name), "{declared} is {name}");
            }
        }
    }

    #[test]
    fn a_type_goes_by_many_names() {
        let sample = |wanted: &str| samples().into_iter().find(|(name, _)| *name == wanted).unwrap().1;
        for (declared, name) in [
            ("image/jpg", "image/jpeg"),
            ("audio/mp3", "audio/mpeg"),
            ("audio/x-wav", "audio/wav"),
            ("audio/wave", "audio/wav"),
            ("audio/x-m4a", "audio/mp4"),
            ("audio/webm", "video/webm"),
            ("video/ogg", "audio/ogg"),
            ("audio/opus", "audio/ogg"),
            ("application/ogg", "audio/ogg"),
            ("video/x-m4v", "video/mp4"),
            ("video/3gpp", "video/mp4"),
            ("application/octet-stream", "image/png"),
        ] {
            assert_eq!(found(declared, &sample(name)), None, "{declared} is {name}");
        }
        for bytes in [b"\xff\xfa\x90\0", b"\xff\xf3\x90\0", b"\xff\xe3\x90\0", b"\xff\xfd\x90\0"] {
            assert_eq!(found("audio/mpeg", bytes), None, "{bytes:x?}");
        }
        for bytes in [b"\0\0\0\x08wide\0\0\0\0mdat", b"\0\0\x10\0moov\0\0\0\x6cmvhd"] {
            assert_eq!(found("video/quicktime", bytes), None);
        }
        assert_eq!(found("application/epub+zip", b"PK\x03\x04\x14\0\0\0"), None);
        let excel = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0\0\0";
        assert_eq!(found("application/vnd.ms-excel", excel), None);
    }

    #[test]
    fn what_shows_no_magic_is_not_what_has_one() {
        for (declared, _) in samples() {
            assert_eq!(found(declared, b"hello, world"), Some("text/plain"), "{declared}");
            assert_eq!(found(declared, &[0, 1, 2, 3]), Some("application/octet-stream"), "{declared}");
            assert_eq!(found(declared, &[]), Some("text/plain"), "{declared}");
            for html in
                ["<html>", " \r\n<!DOCTYPE html><p>", "\u{feff}<ScRiPt\n>", "<svg/onload=x>", "<!-- -->"]
            {
                assert_eq!(found(declared, html.as_bytes()), Some("text/html"), "{declared}: {html}");
            }
        }
        // The first bytes of a magic are none.
        for (declared, start) in [
            ("image/png", "\u{89}PNG<script>"),
            ("image/gif", "GIF=1;alert(1)"),
            ("image/webp", "<script>WEBP"),
            ("image/webp", "AAAABBBBWEBP"),
        ] {
            let bytes: Vec<u8> = start.chars().map(|character| u32::from(character) as u8).collect();
            assert!(found(declared, &bytes).is_some(), "{start}");
        }
        assert!(found("image/jpeg", b"\xff\xd8\xff<script>").is_some());
    }

    #[test]
    fn text_is_no_program_archive_picture_or_page() {
        let zip = b"PK\x03\x04\x14\0\0\0\x08\0";
        let elf = [&b"\x7fELF\x02\x01\x01"[..], &[0; 64]].concat();
        for declared in ["text/plain", "text/csv", "application/json", "image/svg+xml", "application/ld+json"]
        {
            for bytes in
                [&zip[..], &elf, &samples()[0].1, &samples()[1].1, b"%PDF-1.7\n", b"\0\0", b"#!/bin/sh\n"]
            {
                assert!(found(declared, bytes).is_some(), "{declared}: {bytes:x?}");
            }
            assert_eq!(found(declared, b"<!doctype html>"), Some("text/html"), "{declared}");
        }
        for (declared, text) in [
            ("text/csv", "BMW;MZ;ID3\n"),
            ("text/plain", "MZ is what it begins with"),
            ("text/plain", "caf\u{e9} na\u{ef}ve \u{1f30a}"),
            ("text/html", "<!doctype html>"),
            ("text/markdown", "<div align=center>"),
            ("image/svg+xml", "<!-- Generator --><svg xmlns=\"http://www.w3.org/2000/svg\"/>"),
            ("image/svg+xml", "<svg xmlns=\"http://www.w3.org/2000/svg\"/>"),
            ("image/svg+xml", "\u{feff}<?xml version=\"1.0\"?><svg/>"),
            ("application/json", "{\"a\": \"<html>\"}"),
            ("text/x-python", "#!/usr/bin/env python"),
        ] {
            assert_eq!(found(declared, text.as_bytes()), None, "{declared}: {text}");
        }
        assert_eq!(found("text/plain", b"\xff\xfea\0b\0"), None, "UTF-16");
        assert_eq!(found("text/plain", b"caf\xe9"), None, "Latin-1");
        assert_eq!(found("text/plain", &"é".as_bytes()[..1]), None, "cut within a character");
    }

    #[test]
    fn a_type_without_known_magic_is_taken_where_nothing_contradicts_it() {
        for declared in ["model/gltf-binary", "application/x-custom", "video/mp2t", "image/x-custom"] {
            assert_eq!(found(declared, b"glTF\x02\0\0\0"), None, "{declared}");
            assert_eq!(found(declared, b"<html>"), Some("text/html"), "{declared}");
            assert!(
                found(declared, &[&b"\x7fELF\x02\x01\x01"[..], &[0; 64]].concat()).is_some(),
                "{declared}"
            );
        }
        assert_eq!(found("application/vnd.android.package-archive", b"PK\x03\x04\x14\0\0\0"), None);
        assert_eq!(found("image/x-adobe-dng", b"II*\0\x08\0\0\0\0\0\0\0"), None);
        assert_eq!(found("model/gltf-binary", &samples()[1].1), Some("image/png"));
        assert_eq!(found("video/mp2t", &samples()[1].1), Some("image/png"));
        assert_eq!(found("image/x-custom", b"%PDF-1.4"), Some("application/pdf"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        /// What others write may be anything; looking at it never fails.
        #[test]
        fn any_bytes_can_be_looked_at(
            sample in 0_usize..16,
            cut in 0_usize..80,
            noise in prop::collection::vec(any::<u8>(), 0..120),
            at in 0_usize..40,
        ) {
            let mut starts: Vec<Vec<u8>> = samples().into_iter().map(|(_, bytes)| bytes).collect();
            starts.push([&b"PK\x03\x04"[..], &[0; 26], b"[Content_Types].xml", &[0; 90]].concat());
            starts.push(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec());
            starts.push(b"\xca\xfe\xba\xbe".to_vec());
            let mut bytes = starts[sample].clone();
            bytes.truncate(cut);
            let at = at.min(bytes.len());
            bytes.splice(at..bytes.len().min(at + noise.len() / 2), noise);
            for declared in ["image/png", "text/plain", "model/x", "application/zip"] {
                let _ = found(declared, &bytes);
            }
        }
    }
}
