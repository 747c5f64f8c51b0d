//! HTML in a string of a document, as strangers might write it.
//!
//! 1. A document with such a string stays one, with the same members.
//! 2. Signing changes values of media attributes alone: tags, other attributes, texts and comments are the same to a
//!    tokenizer.
//! 3. Signing twice is signing once.
#![no_main]

use std::sync::LazyLock;

use html5gum::{DefaultEmitter, Token, Tokenizer};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use signet::document::{Answer, Limits, Links, MediaHost, Profile, Reason, References, Rules, Want, scan};
use signet::media::ObjectKey;
use signet::service::layout::{Layout, Place, Template};

/// When links expire, in seconds since the Unix epoch.
const EXPIRES: u64 = 1_900_000_000;
/// The attributes in which links stand.
const MEDIA: [&[u8]; 4] = [b"src", b"href", b"poster", b"srcset"];

static PLACE: LazyLock<Place> = LazyLock::new(|| {
    let template = || Template::parse("vivreal-{key}").expect("a template");
    Layout::new("https://m.io", &[], template(), template()).place_of("vivreal-demo", "vivreal-demo")
});

fuzz_target!(|html: &str| {
    let signed = sign(html);
    assert_eq!(seen(html), seen(&signed), "{html}\nbecame\n{signed}");
    assert_eq!(sign(&signed), signed, "signing twice is not signing once");
});

/// The HTML as it comes back from a document.
fn sign(html: &str) -> String {
    let rules = Rules {
        profile: Profile::vivreal(),
        hosts: vec![MediaHost::host("m.io")],
        references: References::Leave,
        limits: Limits::default(),
    };
    let input = json!({"before": 1, "html": [html], "after": "x"}).to_string();
    let scan = scan(input.as_bytes(), &rules).expect("a document");
    let answers: Vec<Answer> = scan.wants().iter().map(resolve).collect();
    let bytes = scan.splice(&answers).bytes().into_owned();
    let mut output: Value = serde_json::from_slice(&bytes).expect("a signed document is JSON");
    let Value::String(signed) = output["html"][0].take() else { panic!("the string is gone") };
    assert_eq!(output, json!({"before": 1, "html": [null], "after": "x"}));
    signed
}

fn resolve(want: &Want<'_>) -> Answer {
    let alone = |url: &str| {
        let separator = if url.contains('?') { '&' } else { '?' };
        let link = format!("{url}{separator}Expires=1900000000&Signature=s~-_&Key-Pair-Id=K");
        Links::new(&link, EXPIRES)
    };
    match want {
        Want::File { key, .. } => {
            Ok(alone(&PLACE.url(&ObjectKey::parse(&**key).map_err(|_| Reason::InvalidKey)?)))
        }
        Want::Asset { .. } => Err(Reason::Unknown),
        Want::Refused { reason } => Err(*reason),
        Want::Url { url } => Ok(alone(PLACE.own_url(url)?.url.as_str())),
    }
}

/// What a tokenizer sees, but for media attributes. To one that runs scripts what stands in `noscript` is a text:
/// Signet signs it as what readers without them get, so that text is looked into.
fn seen(html: &str) -> Vec<String> {
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let (mut seen, mut in_noscript) = (Vec::new(), false);
    for Ok(token) in Tokenizer::new_with_emitter(html, emitter) {
        match token {
            // Errors in values may come and go with them.
            Token::Error(_) => {}
            Token::StartTag(mut tag) => {
                in_noscript = tag.name.as_slice() == b"noscript";
                tag.attributes.retain(|name, _| !MEDIA.contains(&name.as_slice()));
                seen.push(format!("{tag:?}"));
            }
            // Each look is into a text that a `noscript` less stands before: it ends, whatever their lengths are, as
            // NULs become characters of three bytes.
            Token::String(text) if in_noscript => match std::str::from_utf8(&text) {
                Ok(text) => seen.extend(self::seen(text)),
                Err(_) => seen.push(format!("{text:?}")),
            },
            other => {
                in_noscript = false;
                seen.push(format!("{other:?}"));
            }
        }
    }
    seen
}
