//! A file's name as it may stand in an object key.

use serde::{Deserialize, Serialize};

/// A cleaned file name: one path segment, 1 to 255 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Filename(String);

impl Filename {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 255;

    /// Cleans what a client calls its file:
    /// 1. what stands before the last `/` or `\` is a folder of the client's, and dropped;
    /// 2. control characters are dropped, white space at the ends too;
    /// 3. more than 255 bytes are cut before the extension.
    ///
    /// `None` where nothing is left, or only dots.
    #[must_use]
    pub fn clean(text: &str) -> Option<Self> {
        let name = text.rsplit(['/', '\\']).next().unwrap_or_default();
        let visible: String = name.chars().filter(|character| !character.is_control()).collect();
        let name = shorten(visible.trim());
        // Only now: a name that is kept must be clean when it is read again.
        (!name.chars().all(|character| character == '.')).then_some(Self(name))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Filename {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::clean(&text).ok_or("a file name needs at least one character other than dots")
    }
}

impl From<Filename> for String {
    fn from(name: Filename) -> Self {
        name.0
    }
}

fn shorten(name: &str) -> String {
    if name.len() <= Filename::MAX_BYTES {
        return name.to_owned();
    }
    let extension = name.rfind('.').map(|dot| &name[dot..]).filter(|tail| tail.len() <= 16);
    let tail = extension.unwrap_or_default();
    let mut cut = Filename::MAX_BYTES - tail.len();
    while !name.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}{tail}", name[..cut].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(text: &str) -> Option<String> {
        Filename::clean(text).map(String::from)
    }

    #[test]
    fn folders_and_control_characters_are_dropped() {
        assert_eq!(cleaned("hero.jpg").as_deref(), Some("hero.jpg"));
        assert_eq!(cleaned("../../etc/passwd").as_deref(), Some("passwd"));
        assert_eq!(cleaned("C:\\fake\\Été.jpg").as_deref(), Some("Été.jpg"));
        assert_eq!(cleaned(" a\u{0}b\r\n.png ").as_deref(), Some("ab.png"));
    }

    #[test]
    fn a_name_of_dots_is_no_name() {
        for text in ["", ".", "..", "a/..", "  ", "x/"] {
            assert_eq!(cleaned(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_name_that_was_cut_is_clean() {
        for text in [format!("{} {}", "a".repeat(254), "b".repeat(20)), "é ".repeat(200)] {
            let name = cleaned(&text).unwrap();
            assert_eq!(cleaned(&name), Some(name));
        }
        assert_eq!(cleaned(&format!("{}{}", ".".repeat(300), "a".repeat(17))), None);
    }

    #[test]
    fn a_long_name_keeps_its_extension() {
        let name = cleaned(&format!("{}.jpeg", "é".repeat(200))).unwrap();
        assert!(name.len() <= 255 && name.ends_with("é.jpeg"), "{name}");
    }
}
