//! Where a file lies under its tenant's root.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use super::Derivatives;

/// The key of a file under its tenant's root, for example `groupObjects/68bf/17573/logo.png`.
///
/// Rules, which keep a key where it belongs however it is read:
/// 1. 1 to 1,024 bytes of UTF-8, as S3 has it;
/// 2. no segment between slashes is empty, `.` or `..`;
/// 3. no control character and no backslash;
/// 4. the first segment isn't `trash`: deleted files lie there, and nothing that a caller names leads to them.
///    Only [`ObjectKey::in_trash`] makes such a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectKey(String);

/// The folder that no folder grant, cookie or stable URL reaches.
const PRIVATE_FOLDER: &str = "private/";
/// The folder of deleted files, which no caller can name.
const TRASH_FOLDER: &str = "trash/";

impl ObjectKey {
    /// The folder in which PRIVATE files lie, with the slash at its end.
    pub const PRIVATE_FOLDER: &'static str = PRIVATE_FOLDER;
    /// The longest key that S3 takes, in bytes.
    pub const MAX_BYTES: usize = 1_024;

    /// Parses a key.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidKey> {
        let text = text.into();
        check(&text)?;
        Ok(Self(text))
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the file lies in the folder `private/`.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.0.starts_with(PRIVATE_FOLDER)
    }

    /// The key of the same file where it is PUBLIC: without the folder `private/` or `trash/`.
    #[must_use]
    pub fn in_public(&self) -> Self {
        Self(self.base().to_owned())
    }

    /// The key of the same file where it is PRIVATE.
    #[must_use]
    pub fn in_private(&self) -> Self {
        Self(format!("{PRIVATE_FOLDER}{}", self.base()))
    }

    /// The key of the same file where it is deleted.
    #[must_use]
    pub fn in_trash(&self) -> Self {
        Self(format!("{TRASH_FOLDER}{}", self.base()))
    }

    fn base(&self) -> &str {
        let text = self.0.as_str();
        text.strip_prefix(PRIVATE_FOLDER).or_else(|| text.strip_prefix(TRASH_FOLDER)).unwrap_or(text)
    }

    /// The key as it stands in a URL's path: each segment percent-encoded, all but
    /// `A-Z a-z 0-9 - . _ ~`, so that data can never widen a resource.
    #[must_use]
    pub fn encoded(&self) -> String {
        const SEGMENT: &AsciiSet =
            &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
        utf8_percent_encode(&self.0, SEGMENT).to_string()
    }

    /// The key of a derivative of this file: `{key}.{width}.{format}`.
    ///
    /// # Errors
    /// Where that is too long for a key.
    pub fn derivative(&self, width: u32, format: &str) -> Result<Self, InvalidKey> {
        Self::parse(format!("{}.{width}.{format}", self.0))
    }

    /// Returns whether a key is this one, or that of a derivative of this file: by its name alone, since documents
    /// name derivatives that no metadata does.
    #[must_use]
    pub fn covers(&self, key: &str) -> bool {
        let Some(rest) = key.strip_prefix(self.as_str()) else { return false };
        if rest.is_empty() {
            return true;
        }
        let Some((width, format)) = rest.strip_prefix('.').and_then(|rest| rest.split_once('.')) else {
            return false;
        };
        // A width is written without zeros before it.
        let number = width.parse().ok().filter(|number: &u32| number.to_string() == width);
        number.is_some_and(|number| Derivatives::new(vec![number], format).is_some())
    }

    /// Whether the last segment ends in an extension: a `.` and something after it.
    #[must_use]
    pub fn has_extension(&self) -> bool {
        let name = self.0.rsplit('/').next().unwrap_or_default();
        name.rsplit_once('.').is_some_and(|(stem, extension)| !stem.is_empty() && !extension.is_empty())
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ObjectKey {
    type Error = InvalidKey;

    fn try_from(text: String) -> Result<Self, InvalidKey> {
        Self::parse(text)
    }
}

impl From<ObjectKey> for String {
    fn from(key: ObjectKey) -> Self {
        key.0
    }
}

fn check(text: &str) -> Result<(), InvalidKey> {
    if text.is_empty() {
        return Err(InvalidKey::Empty);
    }
    if text.len() > ObjectKey::MAX_BYTES {
        return Err(InvalidKey::TooLong { bytes: text.len() });
    }
    if text.chars().any(|character| character.is_control() || character == '\\') {
        return Err(InvalidKey::Character);
    }
    if text.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
        return Err(InvalidKey::Segment);
    }
    if text.split('/').next() == Some(TRASH_FOLDER.trim_end_matches('/')) {
        return Err(InvalidKey::Trash);
    }
    Ok(())
}

/// The rule that a key breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// No text at all.
    #[error("an object key can't be empty")]
    Empty,
    /// Longer than S3 allows.
    #[error("an object key has at most 1,024 bytes, this one has {bytes}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A control character or a backslash.
    #[error("an object key can't hold control characters or backslashes")]
    Character,
    /// An empty segment, `.` or `..`.
    #[error("an object key can't hold an empty segment, `.` or `..` between slashes")]
    Segment,
    /// It lies where deleted files do.
    #[error("an object key can't begin with the folder `trash/`, where deleted files lie; rename the folder")]
    Trash,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_could_leave_their_folder_are_refused() {
        for (text, error) in [
            ("", InvalidKey::Empty),
            ("../x", InvalidKey::Segment),
            ("a/./b", InvalidKey::Segment),
            ("a//b", InvalidKey::Segment),
            ("/a", InvalidKey::Segment),
            ("a/", InvalidKey::Segment),
            ("a\\b", InvalidKey::Character),
            ("a\u{0}b", InvalidKey::Character),
            ("a\u{85}b", InvalidKey::Character),
            ("trash", InvalidKey::Trash),
            ("trash/t_1/a", InvalidKey::Trash),
        ] {
            assert_eq!(ObjectKey::parse(text), Err(error), "{text:?}");
        }
        assert!(ObjectKey::parse("x".repeat(1_024)).is_ok());
        assert!(ObjectKey::parse("x".repeat(1_025)).is_err());
    }

    #[test]
    fn a_file_has_a_key_for_each_of_its_places() {
        let public = ObjectKey::parse("t/m/a.jpg").unwrap();
        for key in [public.clone(), public.in_private(), public.in_trash()] {
            assert_eq!(key.in_public(), public);
            assert_eq!(key.in_private().as_str(), "private/t/m/a.jpg");
            assert_eq!(key.in_trash().as_str(), "trash/t/m/a.jpg");
        }
        for text in ["trashed/a", "a/trash/b", "Trash/a", "trash.jpg"] {
            assert!(ObjectKey::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_derivative_is_a_key_too() {
        let of = |length: usize| ObjectKey::parse("x".repeat(length)).unwrap().derivative(320, "jpg");
        assert_eq!(of(1).unwrap().as_str(), "x.320.jpg");
        assert!(of(1_016).is_ok());
        assert_eq!(of(1_017), Err(InvalidKey::TooLong { bytes: 1_025 }));
    }

    #[test]
    fn a_key_covers_itself_and_its_derivatives() {
        let key = ObjectKey::parse("t_1/med_x/a.jpg").unwrap();
        assert!(key.covers(key.as_str()));
        for tail in ["1.jpg", "320.jpg", "16384.webp", "640.avif"] {
            assert!(key.covers(&format!("{key}.{tail}")), "{tail}");
        }
        assert!(key.covers(key.derivative(320, "jpg").unwrap().as_str()));
        for other in ["t_1/med_x/a.jp", "t_1/med_x/b.jpg", "private/t_1/med_x/a.jpg", "t_1/med_x", ""] {
            assert!(!key.covers(other), "{other}");
        }
        for tail in [
            ".",
            ".320",
            ".320.",
            ".0.jpg",
            ".0320.jpg",
            ".+32.jpg",
            ".16385.jpg",
            ".320.JPG",
            ".320.a/b",
            "x",
            "/b",
            ".320.jpg.320.jpg",
        ] {
            assert!(!key.covers(&format!("{key}{tail}")), "{tail}");
        }
    }

    #[test]
    fn what_could_widen_a_resource_is_encoded() {
        let key = ObjectKey::parse("groupObjects/68bf/we*ird?name#1 é+%.jpg").unwrap();
        assert_eq!(key.encoded(), "groupObjects/68bf/we%2Aird%3Fname%231%20%C3%A9%2B%25.jpg");
    }

    #[test]
    fn an_extension_is_looked_for_in_the_last_segment_alone() {
        assert!(ObjectKey::parse("a/b.jpg").unwrap().has_extension());
        assert!(!ObjectKey::parse("a.b/c").unwrap().has_extension());
        assert!(!ObjectKey::parse("a/.hidden").unwrap().has_extension());
        assert!(!ObjectKey::parse("a/b.").unwrap().has_extension());
    }
}
