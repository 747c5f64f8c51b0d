//! The type of a file's content.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A MIME type in lower case and without parameters, for example `image/jpeg`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentType(String);

impl ContentType {
    /// Parses `type/subtype`. Parameters are refused: the store compares the header byte for byte.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, subtype) = text.split_once('/')?;
        let token = |part: &str| {
            (1..=127).contains(&part.len())
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
        };
        (token(kind) && token(subtype)).then(|| Self(text.to_ascii_lowercase()))
    }

    /// The type as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the slash, for example `image`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// Whether this is a picture.
    #[must_use]
    pub fn is_image(&self) -> bool {
        self.kind() == "image"
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ContentType {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a content type is type/subtype, without parameters")
    }
}

impl From<ContentType> for String {
    fn from(content_type: ContentType) -> Self {
        content_type.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_without_parameters() {
        assert_eq!(ContentType::parse("Image/JPEG").unwrap().as_str(), "image/jpeg");
        assert!(ContentType::parse("image/svg+xml").unwrap().is_image());
        for text in ["", "image", "image/", "/png", "image/png; q=1", "image/png\r\nx: y", "a/b/c"] {
            assert!(ContentType::parse(text).is_none(), "{text:?}");
        }
    }
}
