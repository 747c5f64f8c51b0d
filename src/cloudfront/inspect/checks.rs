//! The checks, in CloudFront's order; the first that fails decides the answer.

use super::credentials::Credentials;
use super::{Check, Inspection, KeyLookup, Outcome, PolicyKind, Refusal, Request, Source, Span};
use crate::cloudfront::encoding;
use crate::cloudfront::names::{HashAlgorithm, KeyAlgorithm, KeyPairId};
use crate::cloudfront::policy::{MAX_EXPIRES, Policy, canned_json};
use crate::cloudfront::public_key::PublicKey;
use crate::cloudfront::query::strip_signing_parameters;

/// Judges a request as CloudFront does. Without `keys`, signature and key pair id are not checked.
///
/// Never panics, and takes one verification of a signature at most, whatever the request holds.
pub fn inspect(request: &Request<'_>, keys: Option<KeyLookup<'_, '_>>) -> Inspection {
    let mut inspection = Inspection {
        source: None,
        key_pair_id: None,
        hash: None,
        kind: None,
        policy: None,
        resource: None,
        not_before: None,
        expires: None,
        source_ip: None,
        checks: Vec::with_capacity(11),
        verdict: Ok(()),
    };
    check_url(&mut inspection, request.url);
    let Some((source, credentials)) = Credentials::of(request.url, request.cookies) else {
        inspection.fail("signed", Refusal::MissingKeyPairId, "neither the URL nor a cookie is signed");
        return inspection;
    };
    inspection.source = Some(source);
    inspection.key_pair_id = credentials.key_pair_id.map(str::to_owned);
    let Some(key_pair_id) = credentials.key_pair_id.filter(|id| !id.is_empty()) else {
        inspection.fail("signed", Refusal::MissingKeyPairId, "there is no Key-Pair-Id");
        return inspection;
    };
    inspection.pass("signed", format!("by {}", if source == Source::Url { "the URL" } else { "cookies" }));
    check_parameters(&mut inspection, &credentials);
    let key = check_key(&mut inspection, key_pair_id, keys);
    check_hash(&mut inspection, &credentials, key);
    let Some(message) = read_policy(&mut inspection, &credentials, request.url) else { return inspection };
    check_signature(&mut inspection, &credentials, key, &message);
    inspection.policy = Some(message);
    check_terms(&mut inspection, request);
    inspection
}

impl Inspection {
    fn pass(&mut self, name: &'static str, detail: impl Into<String>) {
        self.checks.push(Check { name, outcome: Outcome::Pass, detail: detail.into() });
    }

    fn skip(&mut self, name: &'static str, detail: impl Into<String>) {
        self.checks.push(Check { name, outcome: Outcome::NotChecked, detail: detail.into() });
    }

    /// Notes a failure. The first one decides.
    fn fail(&mut self, name: &'static str, refusal: Refusal, detail: impl Into<String>) {
        self.checks.push(Check { name, outcome: Outcome::Fail, detail: detail.into() });
        self.verdict = self.verdict.and(Err(refusal));
    }
}

/// What no viewer sends, or what would let a path leave the folder that a policy covers.
fn check_url(inspection: &mut Inspection, url: &str) {
    let path = url.split_once("://").map(|(_, rest)| rest).filter(|_| is_http(url));
    let problem = if url.bytes().any(|b| !b.is_ascii_graphic()) {
        Some("it holds a space, a control character or a character outside ASCII")
    } else if url.contains('#') {
        Some("it holds a fragment, which viewers don't send")
    } else if path.is_none() {
        Some("it is no absolute http or https URL")
    } else if path.is_some_and(has_dot_segment) {
        Some("its path holds a dot segment, which could leave the folder that the policy covers")
    } else {
        None
    };
    match problem {
        Some(problem) => inspection.fail("url", Refusal::AccessDenied, problem),
        None => inspection.pass("url", "absolute, without dot segments"),
    }
}

fn is_http(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

/// Whether a path holds `.` or `..` as a segment, plain or percent-encoded, between slashes or backslashes,
/// plain or percent-encoded.
fn has_dot_segment(url: &str) -> bool {
    let path = url.split('?').next().unwrap_or(url).to_ascii_lowercase();
    let plain = path.replace("%2e", ".").replace("%2f", "/").replace("%5c", "/");
    plain.split(['/', '\\']).skip(1).any(|segment| matches!(segment, "." | ".."))
}

fn check_parameters(inspection: &mut Inspection, credentials: &Credentials<'_>) {
    let problem = match credentials {
        Credentials { duplicate: Some(name), .. } => format!("{name} is there twice"),
        Credentials { expires: Some(_), policy: Some(_), .. } => {
            "both Expires and Policy are there".to_owned()
        }
        Credentials { expires: None, policy: None, .. } => "neither Expires nor Policy is there".to_owned(),
        Credentials { signature: None, .. } => "there is no Signature".to_owned(),
        _ => return inspection.pass("parameters", "complete, each once"),
    };
    inspection.fail("parameters", Refusal::AccessDenied, problem);
}

fn check_key<'k>(
    inspection: &mut Inspection,
    key_pair_id: &str,
    keys: Option<KeyLookup<'_, 'k>>,
) -> Option<&'k PublicKey> {
    let Ok(id) = KeyPairId::new(key_pair_id) else {
        inspection.fail("key", Refusal::UnknownKey, "the Key-Pair-Id is none");
        return None;
    };
    let Some(lookup) = keys else {
        inspection.skip("key", format!("{id}; no public key is given"));
        return None;
    };
    match lookup(id.as_str()) {
        Some(key) => {
            inspection.pass("key", format!("{id}, {}", key.algorithm()));
            Some(key)
        }
        None => {
            inspection.fail("key", Refusal::UnknownKey, format!("{id} is not known"));
            None
        }
    }
}

/// The hash that is named, or else the one that the key implies.
fn check_hash(inspection: &mut Inspection, credentials: &Credentials<'_>, key: Option<&PublicKey>) {
    let hash = match (credentials.hash, key) {
        (None, Some(key)) => key.algorithm().default_hash(),
        (None, None) => HashAlgorithm::Sha1,
        (Some("SHA1"), _) => HashAlgorithm::Sha1,
        (Some("SHA256"), _) => HashAlgorithm::Sha256,
        (Some(_), _) => {
            return inspection.fail(
                "hash",
                Refusal::AccessDenied,
                "Hash-Algorithm is neither SHA1 nor SHA256",
            );
        }
    };
    inspection.hash = Some(hash);
    if hash == HashAlgorithm::Sha1 && key.is_some_and(|key| key.algorithm() == KeyAlgorithm::EcdsaP256) {
        return inspection.fail("hash", Refusal::AccessDenied, "an ECDSA key goes with SHA256 alone");
    }
    inspection.pass(
        "hash",
        if credentials.hash.is_some() { format!("{hash}") } else { format!("{hash}, by default") },
    );
}

/// The message that must have been signed; what it says goes into the inspection.
fn read_policy(inspection: &mut Inspection, credentials: &Credentials<'_>, url: &str) -> Option<String> {
    match (credentials.policy, credentials.expires) {
        (Some(encoded), _) => {
            inspection.kind = Some(PolicyKind::Custom);
            read_custom_policy(inspection, encoded)
        }
        (None, Some(expires)) => {
            inspection.kind = Some(PolicyKind::Canned);
            let Some(expires) = strict_number(expires) else {
                inspection.fail(
                    "policy",
                    Refusal::MalformedPolicy,
                    "Expires is not a whole number of seconds",
                );
                return None;
            };
            let resource = strip_signing_parameters(url);
            let message = canned_json(&resource, expires);
            inspection.resource = Some(resource.into_owned());
            inspection.expires = Some(expires);
            inspection.pass("policy", "canned: rebuilt from the URL");
            Some(message)
        }
        (None, None) => None,
    }
}

fn read_custom_policy(inspection: &mut Inspection, encoded: &str) -> Option<String> {
    let text = encoding::decode(encoded).and_then(|bytes| String::from_utf8(bytes).ok());
    let Some(text) = text else {
        inspection.fail("policy", Refusal::MalformedPolicy, "Policy is not base64 in CloudFront's alphabet");
        return None;
    };
    match Policy::parse(&text) {
        Ok(policy) => {
            inspection.resource = Some(policy.resource().to_string());
            inspection.expires = Some(policy.expires());
            inspection.not_before = policy.terms().not_before;
            inspection.source_ip = policy.terms().source_ip;
            inspection.pass("policy", "custom");
            Some(text)
        }
        Err(error) => {
            inspection.policy = Some(text);
            inspection.fail("policy", Refusal::MalformedPolicy, error.to_string());
            None
        }
    }
}

/// Digits alone, no leading zero, within CloudFront's range.
fn strict_number(text: &str) -> Option<u64> {
    let plain = text == "0" || (!text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit()));
    text.parse().ok().filter(|&number| plain && number <= MAX_EXPIRES)
}

fn check_signature(
    inspection: &mut Inspection,
    credentials: &Credentials<'_>,
    key: Option<&PublicKey>,
    message: &str,
) {
    let Some(encoded) = credentials.signature else { return };
    let Some(signature) = encoding::decode(encoded) else {
        let detail = "Signature is not base64 in CloudFront's alphabet";
        return inspection.fail("signature", Refusal::AccessDenied, detail);
    };
    let (Some(key), Some(hash)) = (key, inspection.hash) else {
        return inspection.skip("signature", "no public key to check it with");
    };
    if key.verify(message.as_bytes(), &signature, hash) {
        inspection.pass("signature", "is this key's over this policy");
    } else {
        inspection.fail("signature", Refusal::AccessDenied, "is not this key's over this policy");
    }
}

fn check_terms(inspection: &mut Inspection, request: &Request<'_>) {
    check_resource(inspection, request.url);
    let at = request.at;
    if let Some(expires) = inspection.expires {
        if at < expires {
            inspection.pass("expiry", format!("{} to go", Span(expires - at)));
        } else {
            inspection.fail("expiry", Refusal::AccessDenied, format!("expired {} ago", Span(at - expires)));
        }
    }
    if let Some(start) = inspection.not_before {
        if start <= at {
            inspection.pass("start", format!("began {} ago", Span(at - start)));
        } else {
            inspection.fail("start", Refusal::AccessDenied, format!("begins in {}", Span(start - at)));
        }
    }
    match (inspection.source_ip, request.ip) {
        (None, _) => {}
        (Some(range), None) => {
            inspection.skip("ip", format!("only {range} is admitted; no viewer's IP is given"))
        }
        (Some(range), Some(ip)) if range.contains(ip) => inspection.pass("ip", format!("{ip} is in {range}")),
        (Some(range), Some(ip)) => {
            inspection.fail("ip", Refusal::AccessDenied, format!("{ip} is not in {range}"));
        }
    }
}

fn check_resource(inspection: &mut Inspection, url: &str) {
    if inspection.kind == Some(PolicyKind::Canned) {
        return inspection.pass("resource", "is the URL");
    }
    let Some(Ok(resource)) = inspection.resource.as_deref().map(crate::cloudfront::Resource::pattern) else {
        return;
    };
    match resource.mismatch(&strip_signing_parameters(url)) {
        None => inspection.pass("resource", "covers the URL"),
        Some(section) => {
            let detail = format!("doesn't cover the URL: its {section} differs");
            inspection.fail("resource", Refusal::AccessDenied, detail);
        }
    }
}
