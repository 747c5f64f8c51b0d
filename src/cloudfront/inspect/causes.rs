//! What probably went wrong: guesses that are tried out against the signature where there is a key.

use thiserror::Error;

use super::credentials::Credentials;
use super::{Inspection, KeyLookup, Outcome, PolicyKind, Refusal, Request, Span};
use crate::cloudfront::encoding;
use crate::cloudfront::names::HashAlgorithm;
use crate::cloudfront::policy::canned_json;
use crate::cloudfront::public_key::PublicKey;
use crate::cloudfront::query::{self, strip_signing_parameters};
use crate::cloudfront::resource::Resource;

/// A likely reason for a refusal.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Cause {
    /// No signature at all.
    #[error("the URL is unsigned: it carries no signing parameters, and no signed cookies came with it")]
    Unsigned,
    /// Past its time.
    #[error("the link has expired: sign again, or sign for longer")]
    Expired,
    /// Early or late by minutes.
    #[error("the link is only {0} off its time: the clock of the signer, or of whoever asks, may be wrong")]
    ClockSkew(String),
    /// Before its time.
    #[error("the link is not valid yet: it was signed with a later start")]
    NotYetValid,
    /// The signature fits without this parameter.
    #[error("the parameter {0} was added after signing: sign the URL with it, or leave it out")]
    ParameterAdded(String),
    /// The signature fits another spelling of the URL.
    #[error("the URL was re-encoded after signing: what was signed is {0}")]
    Reencoded(String),
    /// The signature fits the other scheme.
    #[error("the URL was signed for {0}")]
    OtherScheme(&'static str),
    /// The signature fits with the other hash.
    #[error("the policy was signed with {0}: the Hash-Algorithm parameter doesn't say so")]
    OtherHash(HashAlgorithm),
    /// Nothing that was tried makes it fit.
    #[error(
        "another private key signed it than the one that belongs to this public key, or the link was changed after signing"
    )]
    WrongKey,
    /// The key pair id is not known.
    #[error("the key pair id is not in the key group: a wrong id, or a key that was rotated out")]
    UnknownKey,
    /// The policy is for other URLs.
    #[error("the resource {resource} doesn't cover the URL: its {section} differs")]
    NotCovered {
        /// The policy's resource.
        resource: String,
        /// The section that differs.
        section: &'static str,
    },
    /// The viewer is elsewhere.
    #[error("the link is for viewers in {0} alone")]
    OtherIp(String),
    /// No viewer sends it, or it could leave the folder that its policy covers.
    #[error("the URL can't be served as it stands: {0}")]
    Unservable(String),
    /// Damaged on its way.
    #[error(
        "the signing parameters were escaped or damaged on their way: they must arrive as they were made"
    )]
    Damaged,
}

/// Within this many seconds of its start or end, a clock may be to blame.
const SKEW: u64 = 300;
/// More own parameters than this are not tried one by one.
const TRIED_PARAMETERS: usize = 16;

/// The likely causes of a refusal, the most telling first; empty where the request would be served. Tries
/// out up to 25 signatures.
pub fn likely_causes(
    request: &Request<'_>,
    inspection: &Inspection,
    keys: Option<KeyLookup<'_, '_>>,
) -> Vec<Cause> {
    let mut causes = Vec::new();
    if inspection.verdict.is_ok() {
        return causes;
    }
    let credentials = Credentials::of(request.url, request.cookies).map(|(_, credentials)| credentials);
    let Some(credentials) = credentials else { return vec![Cause::Unsigned] };
    if inspection.failed("key") && inspection.verdict == Err(Refusal::UnknownKey) {
        causes.push(Cause::UnknownKey);
    }
    let damaged = ["signed", "parameters", "policy"].into_iter().any(|check| inspection.failed(check))
        || inspection.failed("hash") && inspection.hash.is_none();
    if damaged || is_escaped(&credentials) {
        causes.push(Cause::Damaged);
    } else if inspection.failed("signature") {
        let trial = Trial::new(&credentials, inspection, keys);
        causes.push(trial.and_then(|trial| trial.explain(request.url)).unwrap_or(Cause::WrongKey));
    }
    if inspection.failed("resource") {
        causes.extend(explain_resource(request.url, inspection));
    }
    causes.extend(explain_times(request.at, inspection));
    if let (true, Some(range)) = (inspection.failed("ip"), inspection.source_ip) {
        causes.push(Cause::OtherIp(range.to_string()));
    }
    let unservable =
        inspection.checks.iter().filter(|check| check.name == "url" && check.outcome == Outcome::Fail);
    causes.extend(unservable.map(|check| Cause::Unservable(check.detail.clone())));
    causes
}

fn is_escaped(credentials: &Credentials<'_>) -> bool {
    let Credentials { policy, signature, key_pair_id, .. } = credentials;
    [policy, signature, key_pair_id]
        .into_iter()
        .flatten()
        .any(|value| value.contains(['%', '+', '=', '/', ' ']))
}

fn explain_times(at: u64, inspection: &Inspection) -> Vec<Cause> {
    let (off, cause) = match (inspection.expires, inspection.not_before) {
        (Some(expires), _) if inspection.failed("expiry") => (at.saturating_sub(expires), Cause::Expired),
        (_, Some(start)) if inspection.failed("start") => (start.saturating_sub(at), Cause::NotYetValid),
        _ => return Vec::new(),
    };
    let skew = (off <= SKEW).then(|| Cause::ClockSkew(Span(off).to_string()));
    [cause].into_iter().chain(skew).collect()
}

fn explain_resource(url: &str, inspection: &Inspection) -> Option<Cause> {
    let resource = Resource::pattern(inspection.resource.as_deref()?).ok()?;
    let url = strip_signing_parameters(url);
    if let Some((name, _)) = without_each_parameter(&url).find(|(_, url)| resource.matches(url)) {
        return Some(Cause::ParameterAdded(name));
    }
    if let Some(other) = respellings(&url).find(|other| resource.matches(other)) {
        return Some(Cause::Reencoded(other));
    }
    let section = resource.mismatch(&url)?;
    Some(Cause::NotCovered { resource: resource.to_string(), section })
}

/// A signature that is tried on what might have been signed.
struct Trial<'i, 'k> {
    key: &'k PublicKey,
    signature: Vec<u8>,
    inspection: &'i Inspection,
}

impl<'i, 'k> Trial<'i, 'k> {
    fn new(
        credentials: &Credentials<'_>,
        inspection: &'i Inspection,
        keys: Option<KeyLookup<'_, 'k>>,
    ) -> Option<Self> {
        let key = keys?(credentials.key_pair_id?)?;
        let signature = encoding::decode(credentials.signature?)?;
        Some(Self { key, signature, inspection })
    }

    fn fits(&self, message: &str, hash: HashAlgorithm) -> bool {
        self.key.verify(message.as_bytes(), &self.signature, hash)
    }

    fn explain(&self, url: &str) -> Option<Cause> {
        let hash = self.inspection.hash?;
        let other_hash = match hash {
            HashAlgorithm::Sha1 => HashAlgorithm::Sha256,
            HashAlgorithm::Sha256 => HashAlgorithm::Sha1,
        };
        if self.fits(self.inspection.policy.as_deref()?, other_hash) {
            return Some(Cause::OtherHash(other_hash));
        }
        if self.inspection.kind != Some(PolicyKind::Canned) {
            return None;
        }
        let expires = self.inspection.expires?;
        let fits = |url: &str| self.fits(&canned_json(url, expires), hash);
        let url = strip_signing_parameters(url);
        let added = without_each_parameter(&url).find(|(_, url)| fits(url));
        if let Some((name, _)) = added {
            return Some(Cause::ParameterAdded(name));
        }
        if let Some(other) = respellings(&url).find(|other| fits(other)) {
            return Some(Cause::Reencoded(other));
        }
        let (scheme, other) = match url.strip_prefix("https://") {
            Some(rest) => ("http", format!("http://{rest}")),
            None => ("https", url.replacen("http://", "https://", 1)),
        };
        fits(&other).then_some(Cause::OtherScheme(scheme))
    }
}

/// The URL without one of its own parameters each, with that one's name, and without all of them.
fn without_each_parameter(url: &str) -> impl Iterator<Item = (String, String)> {
    let texts: Vec<&str> = query::parameters(url).collect();
    let all = (!texts.is_empty()).then(|| {
        let names: Vec<&str> = texts.iter().map(|text| query::parameter(text).0).collect();
        (names.join(", "), query::strip(url, |_| true).into_owned())
    });
    let each = texts.into_iter().take(TRIED_PARAMETERS).map(move |unwanted| {
        let name = query::parameter(unwanted).0.to_owned();
        (name, query::strip(url, |text| text == unwanted).into_owned())
    });
    each.chain(all)
}

/// Other spellings of the same URL, as careless libraries make them.
fn respellings(url: &str) -> impl Iterator<Item = String> {
    let (base, query) = match url.split_once('?') {
        Some((base, query)) => (base, format!("?{query}")),
        None => (url, String::new()),
    };
    let start = base.find("://").map_or(0, |at| at + 3);
    let start = base.get(start..).and_then(|rest| rest.find('/')).map_or(base.len(), |at| start + at);
    let (origin, path) = base.split_at(start);
    let mut paths = vec![
        decode_where(path, |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)),
        decode_where(path, |byte| byte.is_ascii_graphic() && !b"%/?#\"\\*".contains(&byte)),
        encode_where(path, b"~"),
        encode_where(path, b"~!'()*"),
        encode_where(path, b"!$&'()*+,;=:@~"),
        path.replace("%25", "%"),
        path.replace('%', "%25"),
        path.replace('+', "%20"),
        path.replace("%20", "+"),
        recase_escapes(path, true),
        recase_escapes(path, false),
    ];
    paths.retain(|other| other != path);
    let origin = origin.to_owned();
    paths.into_iter().map(move |path| format!("{origin}{path}{query}"))
}

/// Decodes the escapes of those bytes alone.
fn decode_where(path: &str, wanted: impl Fn(u8) -> bool) -> String {
    rewrite_escapes(path, |escape| {
        let byte = u8::from_str_radix(escape, 16).ok().filter(|&byte| byte.is_ascii() && wanted(byte));
        byte.map(|byte| char::from(byte).to_string())
    })
}

fn recase_escapes(path: &str, upper: bool) -> String {
    rewrite_escapes(path, |escape| {
        let cased = if upper { escape.to_ascii_uppercase() } else { escape.to_ascii_lowercase() };
        Some(format!("%{cased}"))
    })
}

/// Replaces each `%XX`, given as `XX`, by what `to` makes of it.
fn rewrite_escapes(path: &str, to: impl Fn(&str) -> Option<String>) -> String {
    let mut pieces = path.split('%');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let hex = piece.get(..2).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        match hex.and_then(&to) {
            Some(text) => {
                out.push_str(&text);
                out.push_str(piece.get(2..).unwrap_or_default());
            }
            None => {
                out.push('%');
                out.push_str(piece);
            }
        }
    }
    out
}

fn encode_where(path: &str, unwanted: &[u8]) -> String {
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        match u8::try_from(c) {
            Ok(byte) if unwanted.contains(&byte) => out.push_str(&format!("%{byte:02X}")),
            _ => out.push(c),
        }
    }
    out
}

impl Inspection {
    /// Whether everything was checked: no key or address was missing.
    pub fn is_complete(&self) -> bool {
        self.checks.iter().all(|check| check.outcome != Outcome::NotChecked)
    }
}
