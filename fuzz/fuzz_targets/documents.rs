//! Documents, as strangers might write them.
//!
//! 1. What is accepted is what serde_json accepts, but for lone surrogates, which it lets pass in values
//!    that it ignores.
//! 2. A document with its links in it is accepted too, and signing it again changes nothing.
//! 3. The report never panics, and counts as the splice does.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use signet::document::{
    Answer, Limits, Links, MediaHost, Profile, Reason, References, Rules, Scan, ScanError, Want, scan,
};
use signet::media::ObjectKey;
use signet::service::layout::{Layout, Place, Template};

/// Signed output is deeper by one and asks for as much again: room for that.
const DEPTH: usize = 128;
const LINKS: usize = 20_000;
/// When links expire, in seconds since the Unix epoch.
const EXPIRES: u64 = 1_900_000_000;

static PLACE: LazyLock<Place> = LazyLock::new(|| {
    let template = || Template::parse("vivreal-{key}").expect("a template");
    Layout::new("https://m.io", &[], template(), template()).place_of("vivreal-demo", "vivreal-demo")
});

// A byte of choices, then a document.
fuzz_target!(|data: &[u8]| {
    let Some((choices, input)) = data.split_first() else { return };
    let rules = Rules {
        profile: Profile::vivreal(),
        hosts: vec![MediaHost::host("m.io")],
        references: match choices % 3 {
            0 => References::Inline,
            1 => References::Object,
            _ => References::Leave,
        },
        limits: Limits { depth: DEPTH, links: LINKS },
    };
    let accepted = std::str::from_utf8(input).is_ok() && serde_json::from_slice::<IgnoredAny>(input).is_ok();
    let scan = match scan(input, &rules) {
        Ok(scan) => scan,
        Err(ScanError::Syntax { expected, .. }) if accepted => {
            assert!(expected.contains("surrogate"), "serde_json accepts it, we expect {expected}");
            return;
        }
        Err(_) => return,
    };
    assert!(accepted, "serde_json refuses it, we don't");
    let signed = sign(&scan);
    let again = Rules { limits: Limits { depth: DEPTH + 2, links: 2 * LINKS }, ..rules };
    let rescan = signet::document::scan(&signed, &again).expect("a signed document is JSON");
    let resigned = sign(&rescan);
    assert_eq!(
        String::from_utf8_lossy(&signed),
        String::from_utf8_lossy(&resigned),
        "signing twice is not signing once"
    );
});

/// The signed document, whose report agrees with its counts.
fn sign(scan: &Scan<'_>) -> Vec<u8> {
    let answers: Vec<Answer> = scan.wants().iter().map(resolve).collect();
    let signed = scan.splice(&answers);
    let rows = scan.rows(&answers);
    assert_eq!(rows.len(), signed.found);
    assert_eq!(rows.iter().filter(|row| row.signed).count(), signed.signed);
    assert_eq!(signed.found, signed.signed + signed.unsigned);
    signed.bytes().into_owned()
}

/// Links as the service makes them, with a signature that never changes.
fn resolve(want: &Want<'_>) -> Answer {
    let link = |key: &ObjectKey| signed(&PLACE.url(key));
    let parse = |key: &str| ObjectKey::parse(key).map_err(|_| Reason::InvalidKey);
    let alone = |link: String| Links::new(&link, EXPIRES);
    match want {
        Want::File { key, derivatives } => {
            let key = parse(key)?;
            let mut smaller = Vec::new();
            if let Some(set) = derivatives {
                for width in set.widths().iter().map(|width| u32::from(*width)) {
                    let key = key.derivative(width, set.format()).map_err(|_| Reason::InvalidKey)?;
                    smaller.push((width, link(&key)));
                }
            }
            Ok(Links::with_derivatives(&link(&key), &smaller, EXPIRES))
        }
        Want::Asset { id } if id.ends_with('Z') => Err(Reason::Unknown),
        Want::Refused { reason } => Err(*reason),
        Want::Asset { id } => Ok(alone(link(&parse(&format!("{id}/a.png"))?))),
        Want::Url { url } => Ok(alone(signed(PLACE.own_url(url)?.url.as_str()))),
    }
}

fn signed(url: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}Expires=1900000000&Signature=s~-_&Key-Pair-Id=K")
}
