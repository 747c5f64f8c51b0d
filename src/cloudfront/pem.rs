//! PEM, strictly: one block, and nothing before or after it.
//!
//! Reads what key files look like in practice: white space around them, CRLF, and the `\n` that is written out
//! where a key went through an environment variable. All copies of the content are zeroized.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::key_error::KeyError;

/// One PEM block.
pub(super) struct Block {
    /// What stands after `BEGIN`, such as `RSA PRIVATE KEY`.
    pub label: String,
    /// The decoded content.
    pub der: Zeroizing<Vec<u8>>,
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// Reads the one block of a key file. `EC PARAMETERS`, which some tools write before a key, is skipped.
pub(super) fn read(input: &[u8]) -> Result<Block, KeyError> {
    let text = normalise(input)?;
    let (block, rest) = next_block(text.trim())?;
    let (block, rest) = match (block.label.as_str(), rest) {
        ("EC PARAMETERS", rest) if !rest.is_empty() => next_block(rest)?,
        _ => (block, rest),
    };
    if !rest.is_empty() {
        return Err(KeyError::TrailingGarbage);
    }
    Ok(block)
}

/// A block as text, lines of 64 characters.
pub(super) fn write(label: &str, der: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(STANDARD.encode(der));
    // Room for all of it from the start: growing would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(body.len() + body.len() / 64 + 2 * label.len() + 64));
    text.push_str(BEGIN);
    text.push_str(label);
    text.push_str("-----\n");
    let mut rest = body.as_str();
    while let Some((line, next)) = rest.split_at_checked(64) {
        text.push_str(line);
        text.push('\n');
        rest = next;
    }
    if !rest.is_empty() {
        text.push_str(rest);
        text.push('\n');
    }
    text.push_str(END);
    text.push_str(label);
    text.push_str("-----\n");
    text
}

/// Line ends as `\n`, whichever way they were written.
fn normalise(input: &[u8]) -> Result<Zeroizing<String>, KeyError> {
    let input = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
    if input.trim_ascii().is_empty() {
        return Err(KeyError::Empty);
    }
    let text = str::from_utf8(input).map_err(|_| KeyError::NotPem)?;
    let mut clean = Zeroizing::new(String::with_capacity(text.len()));
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(next) = rest.strip_prefix("\\n") {
            clean.push('\n');
            rest = next;
        } else if let Some(next) = rest.strip_prefix("\\r") {
            rest = next;
        } else {
            if c != '\r' {
                clean.push(c);
            }
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    Ok(clean)
}

/// The block at the start of the text, and the trimmed text after it.
fn next_block(text: &str) -> Result<(Block, &str), KeyError> {
    let Some(after_begin) = text.strip_prefix(BEGIN) else {
        return Err(if text.contains(BEGIN) { KeyError::LeadingGarbage } else { KeyError::NotPem });
    };
    let (label, after_label) = after_begin.split_once(DASHES).ok_or(KeyError::NotPem)?;
    let (body, after_body) = after_label.split_once(END).ok_or(KeyError::Truncated)?;
    let rest = after_body
        .strip_prefix(label)
        .and_then(|rest| rest.strip_prefix(DASHES))
        .ok_or(KeyError::Truncated)?;
    if body.contains("ENCRYPTED") || body.contains("DEK-Info") {
        return Err(KeyError::Encrypted);
    }
    let mut packed = Zeroizing::new(String::with_capacity(body.len()));
    packed.extend(body.chars().filter(|c| !c.is_ascii_whitespace()));
    // Decoding into a buffer of the full size, so that no smaller copy stays behind.
    let mut der = Zeroizing::new(Vec::with_capacity(packed.len()));
    STANDARD.decode_vec(packed.as_bytes(), &mut der).map_err(|_| KeyError::Damaged)?;
    Ok((Block { label: label.to_owned(), der }, rest.trim_start()))
}
