//! What CloudFront does with a link, written a second time from its documentation alone: nothing of
//! Signet's is used here, so that a mistake would have to be made twice.
//!
//! 1. The URL is one that viewers send, without dot segments.
//! 2. Credentials: of the URL where it has any, else of the cookies; each once.
//! 3. The key, and the hash that goes with it.
//! 4. The policy: rebuilt from the URL (canned), or read (custom).
//! 5. Its signature, its resource, its times, its addresses.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use p256::ecdsa::signature::Verifier as _;
use rsa::Pkcs1v15Sign;
use serde_json::Value;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

const NAMES: [&str; 5] = ["Expires", "Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm"];

/// A key of the key group.
pub enum Key {
    Rsa(rsa::RsaPublicKey),
    Ecdsa(p256::ecdsa::VerifyingKey),
}

/// A request of a viewer.
#[derive(Debug, Clone)]
pub struct Viewer {
    pub url: String,
    pub cookies: Option<String>,
    pub at: u64,
    pub ip: Ipv4Addr,
}

/// Whether CloudFront would serve it; `None` is a refusal.
pub fn served(viewer: &Viewer, keys: &HashMap<String, Key>) -> bool {
    judge(viewer, keys).is_some()
}

fn judge(viewer: &Viewer, keys: &HashMap<String, Key>) -> Option<()> {
    let url = viewer.url.as_str();
    let sendable = url.bytes().all(|byte| (0x21..=0x7e).contains(&byte) && byte != b'#');
    require(sendable && (url.starts_with("http://") || url.starts_with("https://")))?;
    let (base, query) = match url.find('?') {
        Some(at) => (&url[..at], Some(&url[at + 1..])),
        None => (url, None),
    };
    require(!climbs(base))?;
    let pairs: Vec<&str> = query.map(|query| query.split('&').collect()).unwrap_or_default();
    let mut credentials: Vec<(&str, &str)> = pairs.iter().map(|pair| pair_of(pair)).collect();
    credentials.retain(|(name, _)| NAMES.contains(name));
    if credentials.is_empty() {
        let cookies = viewer.cookies.as_deref().unwrap_or_default().split(';').map(str::trim);
        let cookies = cookies.filter_map(|cookie| cookie.strip_prefix("CloudFront-")?.split_once('='));
        credentials = cookies.filter(|(name, _)| NAMES.contains(name)).collect();
    }
    let count = credentials.len();
    let found: HashMap<&str, &str> = credentials.into_iter().collect();
    require(found.len() == count)?;
    let key = keys.get(*found.get("Key-Pair-Id")?)?;
    let sha1 = match (key, found.get("Hash-Algorithm").copied()) {
        (Key::Rsa(_), None | Some("SHA1")) => true,
        (_, Some("SHA256")) | (Key::Ecdsa(_), None) => false,
        _ => return None,
    };
    let own: Vec<&str> = pairs.into_iter().filter(|pair| !NAMES.contains(&pair_of(pair).0)).collect();
    let bare = match query {
        Some(query) if own.len() == query.split('&').count() => format!("{base}?{query}"),
        _ if own.is_empty() => base.to_owned(),
        _ => format!("{base}?{}", own.join("&")),
    };
    let (message, terms) = match (found.get("Expires"), found.get("Policy")) {
        (Some(expires), None) => {
            let seconds: u64 = expires.parse().ok()?;
            require(seconds.to_string() == *expires && seconds <= i64::MAX as u64)?;
            let message = format!(
                "{{\"Statement\":[{{\"Resource\":\"{bare}\",\"Condition\":{{\"DateLessThan\":{{\"AWS:EpochTime\":{expires}}}}}}}]}}"
            );
            (message, Terms { resource: None, expires: seconds, start: 0, range: None })
        }
        (None, Some(policy)) => {
            let text = String::from_utf8(decoded(policy)?).ok()?;
            let terms = Terms::read(&text)?;
            (text, terms)
        }
        _ => return None,
    };
    require(signed(key, sha1, message.as_bytes(), &decoded(found.get("Signature")?)?))?;
    require(terms.resource.is_none_or(|resource| covers(&resource, &bare)))?;
    require(viewer.at < terms.expires && terms.start <= viewer.at)?;
    require(terms.range.is_none_or(|(address, mask)| (viewer.ip.to_bits() ^ address) & mask == 0))
}

fn require(condition: bool) -> Option<()> {
    condition.then_some(())
}

fn pair_of(pair: &str) -> (&str, &str) {
    match pair.find('=') {
        Some(at) => (&pair[..at], &pair[at + 1..]),
        None => (pair, ""),
    }
}

/// A dot segment in the path, in any spelling.
fn climbs(base: &str) -> bool {
    let after = base.find("://").map_or("", |at| &base[at + 3..]).as_bytes();
    let mut plain = Vec::new();
    let mut at = 0;
    while at < after.len() {
        let (byte, length) = match after[at..].first_chunk::<3>() {
            Some(b"%2e" | b"%2E") => (b'.', 3),
            Some(b"%2f" | b"%2F" | b"%5c" | b"%5C") => (b'/', 3),
            _ if after[at] == b'\\' => (b'/', 1),
            _ => (after[at], 1),
        };
        plain.push(byte);
        at += length;
    }
    let segments = plain.split(|byte| *byte == b'/');
    segments.skip(1).any(|segment| segment == b"." || segment == b"..")
}

/// Base64 with `-`, `_`, `~` for `+`, `=`, `/`, whose one spelling counts.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let body = text.trim_end_matches('_');
    let padding = text.len() - body.len();
    require(text.len().is_multiple_of(4) && padding <= 2)?;
    let (mut bits, mut held, mut out) = (0_u32, 0, Vec::new());
    for byte in body.bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'~' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(digit);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    (bits == 0).then_some(out)
}

fn signed(key: &Key, sha1: bool, message: &[u8], signature: &[u8]) -> bool {
    match key {
        Key::Rsa(key) if sha1 => {
            key.verify(Pkcs1v15Sign::new::<Sha1>(), &Sha1::digest(message), signature).is_ok()
        }
        Key::Rsa(key) => {
            key.verify(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(message), signature).is_ok()
        }
        Key::Ecdsa(key) => p256::ecdsa::Signature::from_der(signature)
            .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
    }
}

/// What a custom policy says.
struct Terms {
    resource: Option<String>,
    expires: u64,
    start: u64,
    /// Address and mask.
    range: Option<(u32, u32)>,
}

impl Terms {
    fn read(text: &str) -> Option<Self> {
        // serde_json keeps the last of two members; no name that a policy knows may stand there twice.
        let names = ["Statement", "Resource", "Condition", "DateLessThan", "DateGreaterThan", "IpAddress"];
        require(names.iter().all(|name| text.matches(&format!("\"{name}\"")).count() < 2))?;
        let policy: Value = serde_json::from_str(text).ok()?;
        let [statement] = only(&policy, &["Statement"])?["Statement"].as_array()?.as_slice() else {
            return None;
        };
        let statement = only(statement, &["Resource", "Condition"])?;
        let condition = only(&statement["Condition"], &["DateLessThan", "DateGreaterThan", "IpAddress"])?;
        let time = |name: &str| only(&condition[name], &["AWS:EpochTime"])?["AWS:EpochTime"].as_u64();
        let expires = time("DateLessThan")?;
        let start = if condition.get("DateGreaterThan").is_some() { time("DateGreaterThan")? } else { 0 };
        require(expires <= i64::MAX as u64 && (start == 0 || start < expires))?;
        let range = match condition.get("IpAddress") {
            Some(ip) => Some(range(only(ip, &["AWS:SourceIp"])?["AWS:SourceIp"].as_str()?)?),
            None => None,
        };
        Some(Self { resource: Some(statement["Resource"].as_str()?.to_owned()), expires, start, range })
    }
}

/// An object without other members.
fn only<'v>(value: &'v Value, names: &[&str]) -> Option<&'v Value> {
    value.as_object()?.keys().all(|name| names.contains(&name.as_str())).then_some(value)
}

fn range(text: &str) -> Option<(u32, u32)> {
    let (address, bits) = text.split_once('/').unwrap_or((text, "32"));
    let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 32)?;
    let mask = (u64::from(u32::MAX) << (32 - bits)) as u32;
    Some((address.parse::<Ipv4Addr>().ok()?.to_bits(), mask))
}

/// Whether a policy's resource covers a URL, section by section.
fn covers(resource: &str, url: &str) -> bool {
    if resource == "*" {
        return true;
    }
    let Some(([p_scheme, p_host, p_path], p_query)) = sections(resource, false) else { return false };
    let Some(([scheme, host, path], query)) = sections(url, true) else { return false };
    if !like(p_scheme, scheme) || !like(p_host, host) {
        return false;
    }
    if p_path.is_empty() && p_host.ends_with('*') {
        return true;
    }
    let queries = match (p_query, query) {
        (Some(pattern), Some(query)) => like(pattern, query),
        (None, Some(_)) => p_path.ends_with('*'),
        (Some(_), None) => false,
        (None, None) => true,
    };
    like(p_path, path) && queries
}

/// Scheme, host and path; and the query. In a pattern's host, `?` is a wildcard.
fn sections(text: &str, is_url: bool) -> Option<([&str; 3], Option<&str>)> {
    let (scheme, rest) = text.split_once("://")?;
    let end = rest.find(|char| char == '/' || is_url && char == '?').unwrap_or(rest.len());
    let (host, rest) = rest.split_at(end);
    match rest.split_once('?') {
        Some((path, query)) => Some(([scheme, host, path], Some(query))),
        None => Some(([scheme, host, rest], None)),
    }
}

/// `*` is any text, `?` any character: by a table of what matches up to where.
fn like(pattern: &str, text: &str) -> bool {
    let mut matches = vec![false; text.len() + 1];
    matches[0] = true;
    for wanted in pattern.bytes() {
        let mut next = vec![false; text.len() + 1];
        next[0] = wanted == b'*' && matches[0];
        for (at, byte) in text.bytes().enumerate() {
            next[at + 1] = match wanted {
                b'*' => matches[at + 1] || next[at],
                b'?' => matches[at],
                other => matches[at] && other == byte,
            };
        }
        matches = next;
    }
    matches[text.len()]
}
