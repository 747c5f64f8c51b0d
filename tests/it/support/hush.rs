//! What nobody may read who reads along.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value;

/// Parameters of signed URLs that are worth as much as the URL.
const SIGNED: [&str; 4] = ["Signature", "Policy", "X-Amz-Signature", "signature"];

/// What stands beside secrets that no test knows: signatures that are made on the way, tokens, keys.
const MARKS: [&str; 7] =
    ["Signature=", "AWS4-HMAC-SHA256", "X-Amz-", "x-amz-", "PRIVATE KEY-----", "Bearer ey", "CloudFront-"];

/// Secrets, each with what it is.
#[derive(Default)]
pub struct Hush(Vec<(String, String)>);

impl Hush {
    /// A secret, in all forms in which it may be met.
    pub fn add(&mut self, what: &str, secret: &str) {
        assert!(secret.len() >= 8, "{what}: {secret} is found everywhere");
        let mut forms = vec![
            secret.to_owned(),
            utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
            percent_decode_str(secret).decode_utf8_lossy().into_owned(),
            STANDARD.encode(secret),
            URL_SAFE_NO_PAD.encode(secret),
            secret.bytes().map(|byte| format!("{byte:02x}")).collect(),
            secret.escape_debug().to_string(),
            secret.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", "),
        ];
        // As part of something longer it begins at any of three places.
        for before in 1..3 {
            let shifted = STANDARD_NO_PAD.encode([&[0_u8].repeat(before), secret.as_bytes()].concat());
            forms.push(shifted[4..shifted.len() - 4].to_owned());
        }
        forms.sort();
        forms.dedup();
        self.0.extend(forms.into_iter().map(|form| (what.to_owned(), form)));
    }

    /// A signed URL: itself, and each of its parameters that makes it one.
    pub fn add_url(&mut self, what: &str, url: &str) {
        self.add(what, url);
        let (_, query) = url.split_once('?').unwrap_or_else(|| panic!("{what}: {url} isn't signed"));
        let parameters = query.split('&').filter_map(|parameter| parameter.split_once('='));
        let mut signed = parameters.filter(|(name, _)| SIGNED.contains(name)).peekable();
        assert!(signed.peek().is_some(), "{what}: {url} isn't signed");
        signed.for_each(|(name, value)| self.add(&format!("{what}: {name}"), value));
    }

    /// A PEM: each line of it.
    pub fn add_pem(&mut self, what: &str, pem: &str) {
        let lines = pem.lines().filter(|line| !line.starts_with("-----") && line.len() >= 16);
        lines.for_each(|line| self.add(what, line));
    }

    /// Each signed URL in an answer.
    pub fn add_all(&mut self, what: &str, answer: &Value) {
        match answer {
            Value::String(text) => {
                for url in text.split(' ').filter(|text| text.starts_with("http") && text.contains('?')) {
                    self.add_url(what, url);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.add_all(what, item)),
            Value::Object(members) => members.values().for_each(|member| self.add_all(what, member)),
            _ => {}
        }
    }

    /// That none of them is in a text, nor anything that looks like one.
    pub fn assert_unseen(&self, text: &str) {
        let marks = MARKS.iter().map(|mark| ("a mark".to_owned(), (*mark).to_owned()));
        let seen: Vec<String> = self
            .0
            .iter()
            .cloned()
            .chain(marks)
            .filter_map(|(what, secret)| {
                let line = text.lines().find(|line| line.contains(secret.as_str()))?;
                Some(format!("{what} ({secret}): {}", line.chars().take(600).collect::<String>()))
            })
            .collect();
        assert!(
            seen.is_empty(),
            "{} forms of secrets are told, of {}:\n{}",
            seen.len(),
            self.0.len(),
            seen.join("\n")
        );
    }

    /// How many forms of secrets there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}
