//! Whole links: the vectors, sign → verify by independent code, and links that were tampered with.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use super::inspect::{Cause, Source};
use super::*;

const RSA: &[u8] = include_bytes!("../../tests/vectors/rsa.pem");
const ECDSA: &[u8] = include_bytes!("../../tests/vectors/ecdsa.pem");
const VECTORS: &str = include_str!("../../tests/vectors/links.json");
const ID: &str = "K2JCJMDEHXQW5F";
const AT: u64 = 1_800_000_000;
const END: u64 = 1_893_456_000;

fn private(name: &str, nonce: NonceMode) -> PrivateKey {
    PrivateKey::from_pem(if name == "rsa" { RSA } else { ECDSA }, nonce).unwrap()
}

fn id() -> KeyPairId {
    KeyPairId::new(ID).unwrap()
}

fn url(text: &str) -> SignableUrl {
    SignableUrl::parse(text).unwrap()
}

fn exact(text: &str) -> Resource {
    Resource::exact(&url(text))
}

fn sign(key: &str, hash: HashAlgorithm, resource: &str, at: &str) -> String {
    let key = private(key, NonceMode::Deterministic);
    let terms = PolicyTerms {
        resource: Resource::pattern(resource).unwrap(),
        expires: END,
        not_before: None,
        source_ip: None,
    };
    Grant::sign(Policy::custom(terms).unwrap(), &key, id(), hash).unwrap().link(&url(at)).unwrap()
}

fn parameters(link: &str) -> (String, BTreeMap<String, String>) {
    let (base, query) = link.split_once('?').unwrap();
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap());
    (base.to_owned(), pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// Judges a link with one known key at a time.
fn judge(link: &str, cookies: Option<&str>, key: &PublicKey, at: u64) -> (Inspection, Vec<Cause>) {
    let lookup = |wanted: &str| (wanted == ID).then_some(key);
    let request = Request { url: link, cookies, at, ip: Some([203, 0, 113, 9].into()) };
    let inspection = inspect(&request, Some(&lookup));
    let causes = likely_causes(&request, &inspection, Some(&lookup));
    (inspection, causes)
}

fn verdict(link: &str, key: &PublicKey) -> Result<(), Refusal> {
    let lookup = |wanted: &str| (wanted == ID).then_some(key);
    inspect(&Request { url: link, cookies: None, at: AT, ip: None }, Some(&lookup)).verdict
}

#[test]
fn every_vector_is_answered_as_the_reference_signer_does() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 19);
    for case in cases {
        let text = |name: &str| case[name].as_str();
        let name = text("id").unwrap();
        let key = private(text("key").unwrap(), NonceMode::Random);
        let resource = match text("resource") {
            Some(pattern) => Resource::pattern(pattern).unwrap(),
            None => exact(text("url").unwrap()),
        };
        let terms = PolicyTerms {
            resource,
            expires: case["expires"].as_u64().unwrap(),
            not_before: case["notBefore"].as_u64(),
            source_ip: text("ip").map(|ip| ip.parse().unwrap()),
        };
        let policy = Policy::custom(terms).unwrap();
        assert_eq!(policy.to_json(), text("policy").unwrap(), "{name}");
        let grant = Grant::sign(policy, &key, id(), text("hash").unwrap().parse().unwrap()).unwrap();
        let within = case["notBefore"].as_u64().unwrap_or(AT);
        if text("kind") == Some("cookies") {
            let expected: BTreeMap<String, String> = serde_json::from_value(case["cookies"].clone()).unwrap();
            let cookies: BTreeMap<_, _> =
                grant.cookies().into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
            assert_eq!(cookies, expected, "{name}");
            let header: Vec<_> = cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
            let page = "https://media.vivreal.io/vivreal-thecomedycollective/x.png?w=1";
            let (inspection, _) = judge(page, Some(&header.join("; ")), &key.public_key(), within);
            assert_eq!((inspection.verdict, inspection.source), (Ok(()), Some(Source::Cookies)), "{name}");
            continue;
        }
        let link = grant.link(&url(text("url").unwrap())).unwrap();
        let theirs = text("signed").unwrap();
        assert_eq!(judge(theirs, None, &key.public_key(), within).0.verdict, Ok(()), "{name}");
        assert_eq!(judge(&link, None, &key.public_key(), within).0.verdict, Ok(()), "{name}");
        let (mut ours, mut theirs) = (parameters(&link), parameters(theirs));
        if text("key") == Some("ecdsa") {
            assert!(ours.1.remove("Signature").is_some() && theirs.1.remove("Signature").is_some());
        }
        assert_eq!(ours, theirs, "{name}");
    }
}

#[test]
fn every_single_byte_change_of_a_link_is_refused() {
    let page = "https://media.vivreal.io/v-x/a%20b.png?w=640&fmt=webp";
    let links = [
        ("rsa", sign("rsa", HashAlgorithm::Sha1, page, page)),
        (
            "rsa",
            sign("rsa", HashAlgorithm::Sha256, "https://media.vivreal.io/v-x/a%20b.png?w=640&fmt=web?", page),
        ),
        ("ecdsa", sign("ecdsa", HashAlgorithm::Sha256, page, page)),
    ];
    for (key, link) in &links {
        let key = private(key, NonceMode::Random).public_key();
        assert_eq!(verdict(link, &key), Ok(()));
        for position in 0..link.len() {
            let old = link.as_bytes()[position];
            for new in [b'A', b'0', b'_', b'&', b'=', b'?', b'#', b'%', b'/', b'.', b' ', old ^ 1, old ^ 0x20]
            {
                let mut changed = link.clone().into_bytes();
                changed[position] = new;
                let Ok(changed) = String::from_utf8(changed) else { continue };
                // The wildcard at the end of the second link's own query covers any character there.
                let covered = link.contains("Policy=")
                    && changed.starts_with(&page[..page.len() - 1])
                    && position == page.len() - 1;
                if new != old && !covered {
                    assert!(verdict(&changed, &key).is_err(), "{changed}");
                }
            }
            let shorter = format!("{}{}", &link[..position], &link[position + 1..]);
            assert!(verdict(&shorter, &key).is_err(), "{shorter}");
        }
    }
}

#[test]
fn the_order_of_signing_parameters_is_free() {
    let key = private("rsa", NonceMode::Random).public_key();
    let link = sign("rsa", HashAlgorithm::Sha256, "https://h/a?w=1", "https://h/a?w=1");
    let (base, query) = link.split_once('?').unwrap();
    let reversed: Vec<&str> = query.split('&').rev().collect();
    assert_eq!(verdict(&format!("{base}?{}", reversed.join("&")), &key), Ok(()));
}

#[test]
fn each_refusal_has_cloudfronts_words() {
    let key = private("rsa", NonceMode::Random).public_key();
    let link = sign("rsa", HashAlgorithm::Sha1, "https://h/a", "https://h/a");
    let custom = sign("rsa", HashAlgorithm::Sha1, "https://h/a*", "https://h/a");
    for (link, words) in [
        ("https://h/a".to_owned(), "Missing Key-Pair-Id query parameter or cookie value."),
        (
            link.replace(&format!("&Key-Pair-Id={ID}"), ""),
            "Missing Key-Pair-Id query parameter or cookie value.",
        ),
        (link.replace(ID, "KOTHER"), "Unknown Key."),
        (link.replace("Expires=", "Expires=0"), "Malformed Policy."),
        (link.replace("Expires=", "Expires=%2B"), "Malformed Policy."),
        (link.replace("Expires=", "Expires=+"), "Malformed Policy."),
        (custom.replace("Policy=", "Policy=A"), "Malformed Policy."),
        (format!("{link}&Expires={END}"), "Access denied."),
        (format!("{custom}&Expires={END}"), "Access denied."),
        (format!("{link}&Hash-Algorithm=SHA512"), "Access denied."),
        (format!("{link}&Hash-Algorithm="), "Access denied."),
        (format!("{link}&Hash-Algorithm=SHA256"), "Access denied."),
        (link.replace("https://h/a", "https://h/b"), "Access denied."),
        (custom.replace("https://h/a", "https://h/b"), "Access denied."),
    ] {
        assert_eq!(verdict(&link, &key).unwrap_err().to_string(), words, "{link}");
    }
    assert_eq!(verdict(&format!("{link}&Hash-Algorithm=SHA1"), &key), Ok(()));
}

#[test]
fn an_ecdsa_key_means_sha256_where_no_hash_is_named_and_never_sha1() {
    let key = private("ecdsa", NonceMode::Random);
    let link = sign("ecdsa", HashAlgorithm::Sha256, "https://h/a", "https://h/a");
    let public = key.public_key();
    assert_eq!(verdict(&link.replace("&Hash-Algorithm=SHA256", ""), &public), Ok(()));
    assert_eq!(verdict(&link.replace("SHA256", "SHA1"), &public), Err(Refusal::AccessDenied));
    assert_eq!(key.sign(b"x", HashAlgorithm::Sha1), Err(SignError::Hash(HashAlgorithm::Sha1)));
}

#[test]
fn dot_segments_are_refused_before_a_policy_matches() {
    let key = private("rsa", NonceMode::Random).public_key();
    let link = sign("rsa", HashAlgorithm::Sha1, "https://h/mine/*", "https://h/mine/a");
    let query = link.split_once('?').unwrap().1;
    for path in ["../b", "./b", "%2e%2e/b", ".%2E/b", "x/..", "x%2f..%2fb", "..%5cb", "..\\b"] {
        let (inspection, _) = judge(&format!("https://h/mine/{path}?{query}"), None, &key, AT);
        assert_eq!(inspection.verdict, Err(Refusal::AccessDenied), "{path}");
        assert!(inspection.failed("url"), "{path}");
    }
    assert_eq!(verdict(&format!("https://h/mine/..a/b...?{query}"), &key), Ok(()));
}

#[test]
fn start_expiry_and_address_are_checked_to_the_second() {
    let private = private("rsa", NonceMode::Random);
    let terms = PolicyTerms {
        resource: exact("https://h/a"),
        expires: 2_000,
        not_before: Some(1_000),
        source_ip: Some("203.0.113.0/24".parse().unwrap()),
    };
    let grant = Grant::sign(Policy::custom(terms).unwrap(), &private, id(), HashAlgorithm::Sha1).unwrap();
    let link = grant.link(&url("https://h/a")).unwrap();
    let key = private.public_key();
    for (at, served) in [(999, false), (1_000, true), (1_999, true), (2_000, false)] {
        assert_eq!(judge(&link, None, &key, at).0.verdict.is_ok(), served, "{at}");
    }
    let lookup = |_: &str| Some(&key);
    for (ip, served) in [("203.0.114.1", false), ("2001:db8::1", false), ("203.0.113.1", true)] {
        let request = Request { url: &link, cookies: None, at: 1_500, ip: Some(ip.parse().unwrap()) };
        assert_eq!(inspect(&request, Some(&lookup)).verdict.is_ok(), served, "{ip}");
    }
}

#[test]
fn url_parameters_win_over_cookies() {
    let key = private("rsa", NonceMode::Random);
    let policy = Policy::canned(exact("https://h/a"), END).unwrap();
    let grant = Grant::sign(policy, &key, id(), HashAlgorithm::Sha256).unwrap();
    let header: Vec<_> = grant.cookies().into_iter().map(|(n, v)| format!("{n}={v}")).collect();
    let header = format!("theme=dark; {}; x", header.join("; "));
    let public = key.public_key();
    assert_eq!(judge("https://h/a", Some(&header), &public, AT).0.verdict, Ok(()));
    assert!(judge("https://h/a?Expires=1", Some(&header), &public, AT).0.verdict.is_err());
    assert!(judge("https://h/a", Some(&header.to_lowercase()), &public, AT).0.verdict.is_err());
    assert!(
        judge("https://h/a", Some(&format!("{header}; CloudFront-Expires=1")), &public, AT)
            .0
            .verdict
            .is_err()
    );
}

#[test]
fn a_refusal_names_its_likely_cause() {
    let rsa = private("rsa", NonceMode::Random).public_key();
    let other = PrivateKey::generate(NewKey::Rsa2048).unwrap().0.public_key();
    let page = "https://h/a~b%20(1).png?w=1";
    let link = sign("rsa", HashAlgorithm::Sha1, page, page);
    let first = |link: &str, key: &PublicKey, at| judge(link, None, key, at).1.into_iter().next();
    assert_eq!(first(&link, &rsa, AT), None);
    assert_eq!(first(page, &rsa, AT), Some(Cause::Unsigned));
    assert_eq!(first(&link, &rsa, END + 9_999), Some(Cause::Expired));
    assert_eq!(
        judge(&link, None, &rsa, END + 61).1,
        [Cause::Expired, Cause::ClockSkew("1 min 1 s".to_owned())]
    );
    assert_eq!(first(&link, &other, AT), Some(Cause::WrongKey));
    assert_eq!(
        first(&link.replace("w=1", "w=1&utm=x"), &rsa, AT),
        Some(Cause::ParameterAdded("utm".to_owned()))
    );
    assert_eq!(first(&format!("{link}&utm=x"), &rsa, AT), Some(Cause::ParameterAdded("utm".to_owned())));
    for (from, to) in [("~", "%7E"), ("(1)", "%281%29"), ("%20", "%2520"), ("%20", "+")] {
        assert_eq!(
            first(&link.replacen(from, to, 1), &rsa, AT),
            Some(Cause::Reencoded(page.to_owned())),
            "{to}"
        );
    }
    assert_eq!(first(&link.replace("https:", "http:"), &rsa, AT), Some(Cause::OtherScheme("https")));
    assert_eq!(
        first(&format!("{link}&Hash-Algorithm=SHA256"), &rsa, AT),
        Some(Cause::OtherHash(HashAlgorithm::Sha1))
    );
    assert_eq!(first(&link.replace("Signature=", "Signature=%7E"), &rsa, AT), Some(Cause::Damaged));
    assert_eq!(first(&link.replace("Key-Pair-Id=", "Key-Paid="), &rsa, AT), Some(Cause::Damaged));
    assert_eq!(first(&format!("{link}&Hash-Algorithm=MD5"), &rsa, AT), Some(Cause::Damaged));
    let climbing = sign("rsa", HashAlgorithm::Sha1, "https://h/a/../b", "https://h/a/../b");
    assert!(matches!(first(&climbing, &rsa, AT), Some(Cause::Unservable(_))));
    assert_eq!(first(&link.replace(ID, "KX"), &rsa, AT), Some(Cause::UnknownKey));
    let custom = sign("rsa", HashAlgorithm::Sha1, "https://h/b/*", "https://h/b/c");
    let not_covered = Cause::NotCovered { resource: "https://h/b/*".to_owned(), section: "path" };
    assert_eq!(first(&custom.replace("/b/c", "/c/c"), &rsa, AT), Some(not_covered));
}

#[test]
fn a_grant_applies_to_what_it_covers_and_nothing_else() {
    let key = private("rsa", NonceMode::Random);
    let terms = PolicyTerms {
        resource: Resource::pattern("https://h/a.png*").unwrap(),
        expires: END,
        not_before: None,
        source_ip: None,
    };
    let grant = Grant::sign(Policy::custom(terms).unwrap(), &key, id(), HashAlgorithm::Sha1).unwrap();
    for covered in ["https://h/a.png", "https://h/a.png.640.png", "https://h/a.png?w=1"] {
        assert_eq!(verdict(&grant.link(&url(covered)).unwrap(), &key.public_key()), Ok(()));
    }
    let mut out = "kept".to_owned();
    let refused = grant.write_link(&url("https://h/b.png"), &mut out);
    assert!(matches!(refused, Err(GrantError::NotCovered { section: "path", .. })));
    assert_eq!(out, "kept");
    let again =
        Grant::from_parts(grant.policy().clone(), id(), HashAlgorithm::Sha1, grant.signature().clone());
    assert_eq!(again, grant);
}

#[test]
fn a_link_has_at_most_8192_bytes() {
    let key = private("rsa", NonceMode::Random);
    let link = |length: usize| {
        let page = url(&format!("https://h/{}", "a".repeat(length)));
        let policy = Policy::canned(Resource::exact(&page), END).unwrap();
        Grant::sign(policy, &key, id(), HashAlgorithm::Sha1).unwrap().link(&page)
    };
    let parameters = link(1).unwrap().len() - 1;
    assert_eq!(link(8_192 - parameters).unwrap().len(), 8_192);
    assert_eq!(link(8_193 - parameters), Err(GrantError::TooLong { bytes: 8_193 }));
}

#[test]
fn deterministic_nonces_give_the_same_link_and_random_ones_do_not() {
    let sign = |nonce| private("ecdsa", nonce).sign(b"policy", HashAlgorithm::Sha256).unwrap();
    assert_eq!(sign(NonceMode::Deterministic), sign(NonceMode::Deterministic));
    assert_ne!(sign(NonceMode::Random), sign(NonceMode::Random));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_signed_verifies_by_the_independent_implementation(
        path in "[!$&'()+,;=:@~a-zA-Z0-9._/<>{}|^`-]{0,60}(%[0-9A-F]{2}){0,4}",
        query in proptest::option::of("[a-z]{1,5}=[!$'()+,;:@/~a-z0-9]{0,20}(&[a-z]{0,4})?"),
        end in 1_900_000_000..=MAX_EXPIRES,
        key in 0..3_usize,
    ) {
        let page = format!("https://media.example.com/{path}{}", query.map(|q| format!("?{q}")).unwrap_or_default());
        // The edge refuses dot segments, whoever signed them.
        prop_assume!(!page.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/")
            .split('/').any(|segment| matches!(segment.split('?').next(), Some("." | ".."))));
        let page = SignableUrl::parse(&page).unwrap();
        let (key, hash) = [
            ("rsa", HashAlgorithm::Sha1), ("rsa", HashAlgorithm::Sha256), ("ecdsa", HashAlgorithm::Sha256),
        ][key];
        let key = private(key, NonceMode::Deterministic);
        let policy = Policy::canned(Resource::exact(&page), end).unwrap();
        let link = Grant::sign(policy, &key, id(), hash).unwrap().link(&page).unwrap();
        prop_assert_eq!(verdict(&link, &key.public_key()), Ok(()));
        prop_assert_eq!(&strip_signing_parameters(&link), page.as_str());
    }

    #[test]
    fn inspection_never_panics(url in ".{0,120}", cookies in ".{0,60}", at: u64) {
        let request = Request { url: &url, cookies: Some(&cookies), at, ip: None };
        let inspection = inspect(&request, None);
        likely_causes(&request, &inspection, None);
    }

    #[test]
    fn inspection_of_what_looks_like_a_link_never_panics(
        value in proptest::collection::vec("[A-Za-z0-9%_~&=?#é*-]{0,30}", 5), at: u64,
    ) {
        let key = private("ecdsa", NonceMode::Random).public_key();
        let link = format!("https://h/{}?Expires={}&Signature={}&Key-Pair-Id={ID}&Policy={}&x={}",
            value[0], value[1], value[2], value[3], value[4]);
        judge(&link, None, &key, at);
        let (head, _) = link.split_once("&Policy").unwrap();
        judge(head, None, &key, at);
    }
}
