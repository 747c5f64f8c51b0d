//! The reference signers of AWS and this one, on the same random URLs and policies: equal byte for
//! byte for RSA, verified for ECDSA.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;
use serde_json::Value;
use signet::cloudfront::{
    Grant, HashAlgorithm, KeyPairId, NonceMode, Policy, PolicyTerms, PrivateKey, Resource, SignableUrl,
};

use crate::support::program::{ID, file, run};
use crate::support::verify;

const CASES: usize = 2_400;
const SEED: u64 = 20_260_401;

/// What is to be signed, and the link of this signer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    url: String,
    key: &'static str,
    hash: &'static str,
    expires: u64,
    not_before: Option<u64>,
    ip: Option<String>,
    wildcard: bool,
    policy: String,
    link: String,
}

#[test]
fn links_are_those_of_the_reference_signers() {
    let keys: BTreeMap<&str, String> =
        ["rsa", "ecdsa"].map(|name| (name, fs::read_to_string(pem(name)).unwrap())).into();
    let mut random = StdRng::seed_from_u64(SEED);
    let cases: Vec<Case> = (0..CASES).map(|_| case(&mut random)).collect();
    let question = serde_json::json!({ "keyPairId": ID, "keys": keys, "cases": cases }).to_string();
    let script = |name: &str| root().join("tests/tools").join(name);
    let node = Command::new("node").arg(script("sign.mjs")).arg(tool("node")).ask(&question);
    let python = Command::new(tool("venv/bin/python")).arg(script("sign.py")).ask(&question);
    assert_eq!((node.len(), python.len()), (CASES, CASES));

    let public = verify::public_key(file("vectors/ecdsa-public"));
    let mut respelled = 0;
    for (case, (node, python)) in cases.iter().zip(node.iter().zip(&python)) {
        let node = node.as_str().unwrap();
        let (bare, parameters) = taken_apart(node);
        // That signer spells some URLs anew before it signs them: there the other one is the answer.
        let as_given = bare == case.url;
        respelled += usize::from(!as_given);
        if case.key == "ecdsa" {
            assert_eq!(python, &Value::Bool(true), "seed {SEED}: {}", case.link);
            if as_given {
                let at = case.not_before.unwrap_or(case.expires - 1);
                let ours = verify::inspection(&case.link, &public, at);
                let theirs = verify::inspection(node, &public, at);
                assert_eq!(ours.policy, theirs.policy, "seed {SEED}");
                for name in ["signature", "policy", "key", "hash"] {
                    assert!(!ours.failed(name) && !theirs.failed(name), "{name} of {node} or {}", case.link);
                }
            }
            continue;
        }
        let (ours_bare, ours) = taken_apart(&case.link);
        assert_eq!(ours_bare, case.url);
        if as_given {
            assert_eq!(ours, parameters, "seed {SEED}, the signer for JavaScript: {}", case.url);
        }
        let (bare, mut theirs) = taken_apart(python.as_str().unwrap());
        if case.hash == "SHA256" {
            // botocore doesn't name the hash that its caller chose.
            theirs.insert("Hash-Algorithm", "SHA256");
        }
        assert_eq!((bare, &ours), (&*case.url, &theirs), "seed {SEED}, the signer for Python");
    }
    assert!(respelled < CASES * 6 / 10, "{respelled} of {CASES} URLs were spelled anew by one signer");
}

fn case(random: &mut StdRng) -> Case {
    let url = url(random);
    let (key, hash) = [("rsa", "SHA1"), ("rsa", "SHA256"), ("ecdsa", "SHA256")][random.random_range(0..3)];
    let expires = random.random_range(1_000_000_000..4_102_444_800);
    let wildcard = random.random_ratio(1, 5);
    let not_before = random.random_ratio(1, 4).then(|| expires - random.random_range(1..1_000_000));
    let ip = random.random_ratio(1, 4).then(|| {
        let [a, b, c]: [u8; 3] = random.random();
        [format!("{a}.{b}.{c}.0/24"), format!("{a}.0.0.0/8"), format!("{a}.{b}.{c}.7/32")]
            [random.random_range(0..3)]
        .clone()
    });
    let signable = SignableUrl::parse(&url).unwrap();
    let resource = if wildcard { pattern(&url, random) } else { Resource::exact(&signable) };
    let terms =
        PolicyTerms { resource, expires, not_before, source_ip: ip.as_deref().map(|ip| ip.parse().unwrap()) };
    let policy = Policy::custom(terms).unwrap();
    let text = policy.to_json();
    let hash_algorithm: HashAlgorithm = hash.parse().unwrap();
    let private = PrivateKey::from_pem(&fs::read(pem(key)).unwrap(), NonceMode::Random).unwrap();
    let grant = Grant::sign(policy, &private, KeyPairId::new(ID).unwrap(), hash_algorithm).unwrap();
    let link = grant.link(&signable).unwrap();
    Case { url, key, hash, expires, not_before, ip, wildcard, policy: text, link }
}

/// A pattern that covers a URL.
fn pattern(url: &str, random: &mut StdRng) -> Resource {
    let path = url.split('?').next().unwrap();
    let folder = &path[..=path.rfind('/').unwrap()];
    let pattern = match random.random_range(0..3) {
        0 => format!("{path}*"),
        1 => format!("{folder}*"),
        _ => format!("https://{}/*", url.split('/').nth(2).unwrap()),
    };
    Resource::pattern(&pattern).unwrap()
}

/// A valid URL: percent-encoded unicode, sub-delimiters, own queries, long paths.
fn url(random: &mut StdRng) -> String {
    let pieces: [&str; 24] = [
        "a",
        "Z",
        "0",
        "logo",
        "-",
        ".",
        "_",
        "%20",
        "%C3%A9",
        "%E2%82%AC",
        "~",
        "!",
        "$",
        "&",
        "'",
        "(",
        ")",
        "+",
        ",",
        ";",
        "=",
        ":",
        "@",
        "%2B",
    ];
    // Half of the URLs hold nothing that the signer for JavaScript is known to spell anew.
    let pieces = if random.random() { &pieces[..] } else { &pieces[..10] };
    let text = |random: &mut StdRng, most: usize| -> String {
        let count = random.random_range(1..=most);
        (0..count).map(|_| pieces[random.random_range(0..pieces.len())]).collect()
    };
    let host = ["media.vivreal.io", "d111111abcdef8.cloudfront.net", "cdn.example.com:8443"]
        [random.random_range(0..3)];
    let mut url = format!("https://{host}");
    let long = random.random_ratio(1, 20);
    for _ in 0..random.random_range(1..6) {
        // Viewers resolve dot segments before they ask: no segment here can be one.
        url.push_str("/s");
        url.push_str(&text(random, if long { 200 } else { 12 }));
    }
    for index in 0..random.random_range(0..4) {
        url.push(if index == 0 { '?' } else { '&' });
        url.push_str(&format!("q{index}={}", text(random, 8).replace(['&', '='], "")));
    }
    url
}

/// A link without its signing parameters, and these.
fn taken_apart(link: &str) -> (&str, BTreeMap<&str, &str>) {
    let names = ["Expires", "Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm"];
    let ends = names.iter().flat_map(|name| [format!("?{name}="), format!("&{name}=")]);
    let bare = ends.filter_map(|mark| link.find(&mark)).min().unwrap();
    let pairs = link[bare + 1..].split('&').map(|pair| pair.split_once('=').unwrap());
    (&link[..bare], pairs.collect())
}

trait Ask {
    fn ask(&mut self, question: &str) -> Vec<Value>;
}

impl Ask for Command {
    /// Writes a question to stdin and reads a JSON array from stdout.
    fn ask(&mut self, question: &str) -> Vec<Value> {
        let output = run(self, question.as_bytes());
        assert!(output.status.success(), "{}", output.said());
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn tool(name: &str) -> PathBuf {
    let path = root().join(".tools").join(name);
    assert!(path.exists(), "{} isn't there: run `make tools` first", path.display());
    path
}

fn pem(name: &str) -> String {
    file(&format!("vectors/{name}"))
}
