//! Three judges of one link: `inspect`, a verifier that shares no code with it, and a real edge. On
//! links that were changed on their way, in every way that happens, they always agree.

mod mutate;
mod verifier;

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use base64::Engine as _;
use p256::pkcs8::DecodePublicKey as _;
use rsa::pkcs8::DecodePublicKey as _;
use signet::cloudfront::{
    Grant, HashAlgorithm, KeyPairId, NonceMode, Policy, PolicyTerms, PrivateKey, PublicKey, Request,
    Resource, SignableUrl, inspect,
};

use self::mutate::{Dice, mutate};
use self::verifier::{Key, Viewer, served};
use crate::support::http::{post, raw};
use crate::support::{fresh_dev, verify};

const SEED: u64 = 0x5197_e700;
const CASES: usize = 10_000;
const EDGE_CASES: usize = 400;
/// When requests arrive, in seconds since the Unix epoch, and when links begin and end.
const AT: u64 = 1_800_000_000;
const SPAN: u64 = 100;
/// A file that `signet dev` has from the start.
const FILE: &str = "groupObjects/68bfac783bc7c024975c90cb/1757391992521/mug.jpg";
const VIEWER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);

#[test]
fn inspect_agrees_with_an_independent_verifier_on_ten_thousand_mutated_links() {
    let pem = |name: &str| fs::read(format!("tests/vectors/{name}.pem")).unwrap();
    let signers = [("KRSA", "rsa", HashAlgorithm::Sha1), ("KRSA", "rsa", HashAlgorithm::Sha256)];
    let signers = signers.into_iter().chain([("KECDSA", "ecdsa", HashAlgorithm::Sha256)]);
    let signers: Vec<Signer> = signers.map(|(id, name, hash)| Signer::new(id, &pem(name), hash)).collect();
    let keys = HashMap::from([
        ("KRSA".to_owned(), independent(&pem("rsa-public"))),
        ("KECDSA".to_owned(), independent(&pem("ecdsa-public"))),
    ]);
    let mut viewers = Vec::new();
    for signer in &signers {
        viewers.extend(signer.requests("https://media.example.com/t", "a.png", VIEWER, AT));
        viewers.extend(signer.requests("http://media.example.com/t/a%20b", "%c3%a9.png", VIEWER, AT));
        viewers.extend(POLICIES.iter().map(|policy| signer.raw("https://media.example.com/t/a.png", policy)));
    }
    let group =
        |id: &str| signers.iter().find(|signer| signer.id.as_str() == id).map(|signer| &signer.public);
    let mut dice = Dice(SEED);
    let mut outcomes = [0_usize; 2];
    for case in 0..CASES {
        let mut viewer = viewers[case % viewers.len()].clone();
        for _ in 0..dice.below(3) {
            mutate(&mut viewer, &viewers, &mut dice);
        }
        let independent = served(&viewer, &keys);
        let request = Request {
            url: &viewer.url,
            cookies: viewer.cookies.as_deref(),
            at: viewer.at,
            ip: Some(IpAddr::V4(viewer.ip)),
        };
        let inspection = inspect(&request, Some(&group));
        assert_eq!(
            inspection.verdict.is_ok(),
            independent,
            "seed {SEED:#x}, case {case}: {viewer:#?}\n{:#?}",
            inspection.checks
        );
        outcomes[usize::from(independent)] += 1;
    }
    assert!(outcomes.iter().all(|count| *count > CASES / 5), "one-sided: {outcomes:?}");
}

#[tokio::test]
async fn a_real_edge_agrees_with_inspect_on_mutated_links() {
    let (_folder, node) = fresh_dev();
    let asked = format!(r#"{{"keys":["{FILE}"]}}"#);
    let links = post(&format!("{}/media/v1/links", node.api), &node.api_key, asked).await.json();
    let link = links["links"][0]["link"].as_str().unwrap().to_owned();
    let (url, _) = link.split_once('?').unwrap();
    let (folder, name) = url.rsplit_once('/').unwrap();
    let id = node.facts["keyPairId"].as_str().unwrap();
    let pem = fs::read(node.data.join("keys/private.pem")).unwrap();
    let signers = [HashAlgorithm::Sha1, HashAlgorithm::Sha256].map(|hash| Signer::new(id, &pem, hash));
    let now = verify::now();
    let mut viewers = Vec::new();
    for signer in &signers {
        for at in [now, now - 2 * SPAN, now + 2 * SPAN] {
            viewers.extend(signer.requests(folder, name, Ipv4Addr::LOCALHOST, at));
        }
    }
    let public = &signers[0].public;
    let group = |wanted: &str| (wanted == id).then_some(public);
    let mut dice = Dice(SEED);
    let mut outcomes: HashMap<u16, usize> = HashMap::new();
    let mut case = 0;
    while outcomes.values().sum::<usize>() < EDGE_CASES {
        case += 1;
        let mut viewer = viewers[case % viewers.len()].clone();
        for _ in 0..dice.below(3) {
            mutate(&mut viewer, &viewers, &mut dice);
        }
        let cookies = viewer.cookies.as_deref();
        let Some(target) = viewer.url.strip_prefix(&node.edge).filter(|target| target.starts_with('/'))
        else {
            continue;
        };
        // What no request line or header can carry, and fragments, never reach an edge.
        let line = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if !line(target) || target.contains('#') || !cookies.is_none_or(|text| line(&text.replace(' ', ""))) {
            continue;
        }
        let cookie = cookies.map(|cookies| format!("cookie: {cookies}\r\n")).unwrap_or_default();
        let host = node.edge.strip_prefix("http://").unwrap();
        let head = format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n{cookie}connection: close\r\n\r\n");
        let answer = raw(&node.edge, head.as_bytes(), Duration::from_secs(20));
        let status: u16 = String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap().parse().unwrap();
        let ip = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let request = Request { url: &viewer.url, cookies, at: verify::now(), ip };
        let inspection = inspect(&request, Some(&group));
        let same = target.split('?').next() == Some(url.strip_prefix(&node.edge).unwrap());
        let agreed = match (inspection.verdict, status) {
            (Ok(()), 200) | (Err(_), 403) => true,
            (Ok(()), 404) => !same,
            (_, 400) => axum::http::Uri::try_from(target).is_err(),
            _ => false,
        };
        assert!(agreed, "seed {SEED:#x}, case {case}: {status} to {viewer:#?}\n{:#?}", inspection.checks);
        *outcomes.entry(status).or_default() += 1;
    }
    assert!(outcomes[&200] > EDGE_CASES / 5 && outcomes[&403] > EDGE_CASES / 5, "one-sided: {outcomes:?}");
}

/// Policies that Signet never writes, signed all the same: some are good, most are not.
const POLICIES: [&str; 12] = [
    r#"{ "Statement": [ { "Condition": { "DateLessThan": {"AWS:EpochTime": 1800000100} }, "Resource": "*" } ] }"#,
    r#"{"Statement":[{"Resource":"http*://media.example.com/t/?.png","Condition":{"DateGreaterThan":{"AWS:EpochTime":1799999900},"DateLessThan":{"AWS:EpochTime":1800000100},"IpAddress":{"AWS:SourceIp":"203.0.0.0/16"}}}]}"#,
    r#"{"Statement":[{"Resource":"https://media.example.*","Condition":{"DateLessThan":{"AWS:EpochTime":1800000100}}}]}"#,
    r#"{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":1800000100}}}]}"#,
    r#"{"Statement":[{"Resource":"*","Condition":{}}]}"#,
    r#"{"Statement":[]}"#,
    r#"{"Statement":[{"Resource":"*","Condition":{"DateLessThan":{"AWS:EpochTime":1800000100}}},{"Resource":"*","Condition":{"DateLessThan":{"AWS:EpochTime":1800000100}}}]}"#,
    r#"{"Statement":[{"Resource":"*","Resource":"*","Condition":{"DateLessThan":{"AWS:EpochTime":1800000100}}}]}"#,
    r#"{"Statement":[{"Resource":"*","Condition":{"DateLessThan":{"AWS:EpochTime":"1800000100"}}}]}"#,
    r#"{"Statement":[{"Resource":"*","Condition":{"DateLessThan":{"AWS:EpochTime":1800000100},"IpAddress":{"AWS:SourceIp":"2001:db8::/32"}}}]}"#,
    r#"{"Statement":[{"Resource":"*","Effect":"Allow","Condition":{"DateLessThan":{"AWS:EpochTime":1800000100}}}]}"#,
    "not a policy",
];

/// A key pair that signs, and its hash.
struct Signer {
    id: KeyPairId,
    private: PrivateKey,
    public: PublicKey,
    hash: HashAlgorithm,
}

impl Signer {
    fn new(id: &str, pem: &[u8], hash: HashAlgorithm) -> Self {
        let private = PrivateKey::from_pem(pem, NonceMode::Deterministic).unwrap();
        Self { id: KeyPairId::new(id).unwrap(), public: private.public_key(), private, hash }
    }

    /// Links and cookies of every kind for a file, good for a viewer around a time.
    fn requests(&self, folder: &str, name: &str, ip: Ipv4Addr, at: u64) -> Vec<Viewer> {
        let plain = format!("{folder}/{name}");
        let query = format!("{plain}?w=1&x=%2F/z");
        let folder = format!("{folder}/*");
        let any = format!("{}*", folder.replacen("http", "http*", 1).replace("https*", "http*"));
        let (start, range) = (Some(at - SPAN), Some(format!("{ip}/24")));
        let kinds = [
            (&plain, &plain, None, None),
            (&query, &query, None, None),
            (&plain, &plain, start, None),
            (&query, &query, None, range.clone()),
            (&plain, &folder, start, range),
            (&query, &any, None, None),
        ];
        let mut viewers = Vec::new();
        for (url, resource, not_before, range) in kinds {
            let terms = PolicyTerms {
                resource: Resource::pattern(resource).unwrap(),
                expires: at + SPAN,
                not_before,
                source_ip: range.map(|range| range.parse().unwrap()),
            };
            let policy = Policy::custom(terms).unwrap();
            let grant = Grant::sign(policy, &self.private, self.id.clone(), self.hash).unwrap();
            let link = grant.link(&SignableUrl::parse(url).unwrap()).unwrap();
            viewers.push(Viewer { url: link, cookies: None, at, ip });
            let cookies: Vec<String> =
                grant.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect();
            viewers.push(Viewer { url: url.clone(), cookies: Some(cookies.join("; ")), at, ip });
        }
        viewers
    }

    /// A link with a policy as it stands.
    fn raw(&self, url: &str, policy: &str) -> Viewer {
        let signature = self.private.sign(policy.as_bytes(), self.hash).unwrap();
        let [policy, signature] = [policy.as_bytes(), signature.as_bytes()].map(|bytes| {
            let text = base64::engine::general_purpose::STANDARD.encode(bytes);
            text.replace('+', "-").replace('=', "_").replace('/', "~")
        });
        let hash = if self.hash == HashAlgorithm::Sha256 { "&Hash-Algorithm=SHA256" } else { "" };
        let url = format!("{url}?Policy={policy}&Signature={signature}&Key-Pair-Id={}{hash}", self.id);
        Viewer { url, cookies: None, at: AT, ip: VIEWER }
    }
}

fn independent(pem: &[u8]) -> Key {
    let der = pem::parse(pem).unwrap().into_contents();
    match rsa::RsaPublicKey::from_public_key_der(&der) {
        Ok(key) => Key::Rsa(key),
        Err(_) => Key::Ecdsa(p256::ecdsa::VerifyingKey::from_public_key_der(&der).unwrap()),
    }
}
