//! URLs, resources, policies and requests, as strangers might write them.
//!
//! 1. Nothing panics: parsing, stripping, inspecting, guessing causes.
//! 2. What can be signed is served, and without its signature it is the same bytes.
//! 3. A policy that can be read says the same once written.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use signet::cloudfront::{
    Grant, HashAlgorithm, KeyPairId, NonceMode, Policy, PolicyTerms, PrivateKey, PublicKey, Request,
    Resource, SignableUrl, inspect, likely_causes, strip_signing_parameters,
};

const RSA: &[u8] = include_bytes!("../../tests/vectors/rsa.pem");
const ECDSA: &[u8] = include_bytes!("../../tests/vectors/ecdsa.pem");
/// The time at which links are looked at, in seconds since the Unix epoch; they end later.
const NOW: u64 = 1_800_000_000;
const EXPIRES: u64 = NOW + 300;

static KEYS: LazyLock<[(PrivateKey, PublicKey); 2]> = LazyLock::new(|| {
    [RSA, ECDSA].map(|pem| {
        let private = PrivateKey::from_pem(pem, NonceMode::Random).expect("a key of the tests");
        let public = private.public_key();
        (private, public)
    })
});

// A byte of choices; then a URL, a resource, a policy and a Cookie header, a line each.
fuzz_target!(|data: &[u8]| {
    let Some((choices, data)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (url, resource, policy, cookies) = (line(), line(), line(), line());
    // RSA is slow to verify: one input in eight has it.
    let (private, public) = &KEYS[usize::from(choices & 7 != 0)];

    look_at(url, Some(cookies).filter(|cookies| !cookies.is_empty()), public, choices & 8 != 0);
    read(policy);
    let resource = Resource::pattern(resource).ok();
    if let Some(resource) = &resource {
        resource.matches(url);
    }
    let stripped = strip_signing_parameters(url);
    assert_eq!(strip_signing_parameters(&stripped), stripped, "stripping twice changes more");
    if let Ok(url) = SignableUrl::parse(url) {
        sign(&url, Resource::exact(&url), private, public);
        if let Some(resource) = resource.filter(|resource| resource.matches(url.as_str())) {
            sign(&url, resource, private, public);
        }
    }
});

fn look_at(url: &str, cookies: Option<&str>, public: &PublicKey, guess: bool) {
    let group = |_: &str| Some(public);
    let request = Request { url, cookies, at: NOW, ip: None };
    let inspection = inspect(&request, Some(&group));
    // Guesses try many signatures out.
    let causes = likely_causes(&request, &inspection, if guess { Some(&group) } else { None });
    assert_eq!(inspection.verdict.is_ok(), causes.is_empty(), "a refusal without a cause: {inspection:?}");
    let unchecked = inspect(&request, None);
    assert!(inspection.verdict.is_err() || unchecked.verdict.is_ok(), "served with a key, refused without");
}

fn read(policy: &str) {
    let Ok(policy) = Policy::parse(policy) else { return };
    let written = policy.to_json();
    assert_eq!(Policy::parse(&written).ok().as_ref(), Some(&policy), "{written} reads as another policy");
}

fn sign(url: &SignableUrl, resource: Resource, private: &PrivateKey, public: &PublicKey) {
    let terms = PolicyTerms { resource, expires: EXPIRES, not_before: None, source_ip: None };
    let policy = Policy::custom(terms).expect("an expiry in range");
    let id = KeyPairId::new("K2JCJMDEHXQW5F").expect("an id");
    let hash: HashAlgorithm = private.default_hash();
    let grant = Grant::sign(policy, private, id, hash).expect("a signature");
    let Ok(link) = grant.link(url) else {
        assert!(url.as_str().len() > 4_000, "{url} is covered and short, and yet not signed");
        return;
    };
    assert_eq!(strip_signing_parameters(&link), url.as_str());
    let group = |_: &str| Some(public);
    let inspection = inspect(&Request { url: &link, cookies: None, at: NOW, ip: None }, Some(&group));
    let served = inspection.verdict.is_ok();
    assert_eq!(served, !has_dot_segment(url.as_str()), "{link}: {:?}", inspection.checks);
}

/// Whether the edge refuses the path for a segment `.` or `..`, in any spelling. CloudFront, which
/// matches bytes, would sign it.
fn has_dot_segment(url: &str) -> bool {
    let path = url.split('?').next().unwrap_or_default().to_ascii_lowercase();
    let (_, path) = path.split_once("://").unwrap_or_default();
    let plain = path.replace("%2e", ".").replace("%2f", "/").replace("%5c", "/").replace('\\', "/");
    plain.split('/').skip(1).any(|segment| segment == "." || segment == "..")
}
