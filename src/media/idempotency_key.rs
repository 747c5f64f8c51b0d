//! The name that a client gives to a call, so that repeating it does nothing new.

/// 1 to 255 visible ASCII characters, of the client's choice; means nothing outside its tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Parses a key.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let good = (1..=255).contains(&text.len()) && text.iter().all(u8::is_ascii_graphic);
        let text = std::str::from_utf8(text).ok().filter(|_| good)?;
        Some(Self(text.to_owned()))
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_visible_and_short() {
        for good in ["x", "8e03978e-40d5-43dd-bc93-6894a57f9324", "!~\"", &"a".repeat(255)] {
            assert_eq!(IdempotencyKey::parse(good.as_bytes()).unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a\tb", "\u{7f}", "é", &"a".repeat(256)] {
            assert_eq!(IdempotencyKey::parse(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
