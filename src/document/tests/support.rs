//! A resolver that knows one tenant, simply: the true one is in the service layer.

use std::borrow::Cow;

use crate::document::{
    Answer, Limits, Links, MediaHost, Profile, Reason, References, Row, Rules, Scan, ScanError, Want, scan,
};

pub(super) const HOST: &str = "media.vivreal.io";
pub(super) const ROOT: &str = "https://media.vivreal.io/vivreal-demo/";
/// What stands for the signature in tests that say what they expect.
const SHORT: &str = "!";
pub(super) const EXPIRES: u64 = 1_900_000_000;

pub(super) fn rules() -> Rules {
    Rules {
        profile: Profile::vivreal(),
        hosts: vec![MediaHost::host(HOST)],
        references: References::Inline,
        limits: Limits::default(),
    }
}

pub(super) fn scanned<'a>(input: &'a str, rules: &Rules) -> Scan<'a> {
    scan(input.as_bytes(), rules).unwrap_or_else(|error| panic!("{error}: {input}"))
}

pub(super) fn sign(input: &str, rules: &Rules) -> String {
    let scan = scanned(input, rules);
    let signed = scan.splice(&answers(&scan));
    assert_eq!(signed.found, signed.signed + signed.unsigned);
    assert_eq!(signed.unsigned, signed.reasons.iter().map(|(_, sites)| sites).sum::<usize>());
    String::from_utf8(signed.bytes().into_owned()).unwrap()
}

/// `sign` with the shortest links, so that a test can say what it expects.
pub(super) fn sign_short(input: &str, rules: &Rules) -> String {
    sign(input, rules).replace(&signature(), SHORT).replace(&signature().replace('&', "&amp;"), SHORT)
}

/// One line for each row: pointer, kind, subject and reason.
pub(super) fn told(input: &str, rules: &Rules) -> Vec<String> {
    let scan = scanned(input, rules);
    let answers = answers(&scan);
    let tell = |row: &Row<'_>| {
        let reason = row.reason.map(Reason::as_str);
        [Some(row.pointer.as_str()), Some(row.kind.as_str()), row.subject, reason]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ")
    };
    scan.rows(&answers).iter().map(tell).collect()
}

pub(super) fn refused(input: &[u8]) -> ScanError {
    scan(input, &rules()).err().unwrap_or_else(|| panic!("accepted: {}", String::from_utf8_lossy(input)))
}

pub(super) fn answers(scan: &Scan<'_>) -> Vec<Answer> {
    scan.wants().iter().map(resolve).collect()
}

fn signature() -> String {
    format!("Expires={EXPIRES}&Signature=s~-_&Key-Pair-Id=K")
}

fn resolve(want: &Want<'_>) -> Answer {
    match want {
        Want::File { key, derivatives } => {
            let small = derivatives.iter().flat_map(|derivatives| {
                derivatives.widths().iter().map(|width| (u32::from(*width), derivatives.key_of(key, *width)))
            });
            let small: Result<Vec<_>, _> = small.map(|(width, key)| Ok((width, link(&key)?))).collect();
            Ok(Links::with_derivatives(&link(key)?, &small?, EXPIRES))
        }
        Want::Asset { id } if id.ends_with('Z') => Err(Reason::Unknown),
        Want::Asset { id } => Ok(single(link(&format!("{id}/file.png"))?)),
        Want::Url { url } => renew(url).map(single),
        // Whatever is answered, it stays as it is.
        Want::Refused { .. } => Ok(single("refused".to_owned())),
    }
}

fn single(link: String) -> Links {
    Links::new(&link, EXPIRES)
}

fn link(key: &str) -> Result<String, Reason> {
    if key.split('/').any(|segment| matches!(segment, "" | "." | "..")) || key.chars().any(char::is_control) {
        return Err(Reason::InvalidKey);
    }
    let encoded: String = key
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect();
    Ok(format!("{ROOT}{encoded}?{}", signature()))
}

fn renew(url: &str) -> Result<String, Reason> {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let decoded: Cow<'_, str> = path.replace("%2e", ".").replace("%2E", ".").into();
    if !path.starts_with(ROOT) || decoded.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err(Reason::Foreign);
    }
    if url.contains(['*', ' ', '"', '\\', '#']) || !url.is_ascii() || url.contains(char::is_control) {
        return Err(Reason::InvalidUrl);
    }
    let kept: String = query
        .split('&')
        .filter(|pair| {
            !pair.is_empty()
                && *pair != SHORT
                && !["Expires=", "Signature=", "Key-Pair-Id="].iter().any(|name| pair.starts_with(name))
        })
        .map(|pair| format!("{pair}&"))
        .collect();
    Ok(format!("{path}?{kept}{}", signature()))
}
