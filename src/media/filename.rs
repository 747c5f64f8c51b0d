//! A file's name as it may stand in an object key, and on a disk of any system.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// A cleaned file name: one path segment, 1 to 255 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Filename(String);

/// The longest extension that a cut name keeps, in bytes, its dot included.
const MAX_EXTENSION: usize = 16;

impl Filename {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 255;
    /// The longest name that a client may give to be cleaned, in characters.
    pub const MAX_GIVEN: usize = 4_096;

    /// Cleans what a client calls its file:
    /// 1. what stands before the last `/` or `\` is a folder of the client's, and dropped;
    /// 2. characters that nobody sees are dropped: control characters, those that change the
    ///    direction of writing, those without width, line separators;
    /// 3. the rest is composed (NFC), so that one name has one spelling;
    /// 4. dots and white space at both ends are dropped;
    /// 5. more than 255 bytes are cut before the extension;
    /// 6. a name that Windows keeps for a device, such as `CON` or `nul.txt`, gets a `_` before it.
    ///
    /// `None` where nothing is left. What was cleaned is clean.
    #[must_use]
    pub fn clean(text: &str) -> Option<Self> {
        let name = text.rsplit(['/', '\\']).next().unwrap_or_default();
        let seen: String = name.chars().filter(|character| !is_unseen(*character)).nfc().collect();
        let mut name = shorten(trim(&seen));
        // Only now: a cut may leave a name of a device, where white space stood behind it.
        if is_reserved(&name) {
            name = shorten(&format!("_{name}"));
        }
        (!name.is_empty()).then_some(Self(name))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Filename {
    type Error = &'static str;

    /// Takes a name as it was stored, if it is one path segment: rules may have been fewer then, and
    /// the file lies under that name.
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let segment = (1..=Self::MAX_BYTES).contains(&text.len())
            && !text.chars().any(|character| character.is_control() || matches!(character, '/' | '\\'))
            && !text.chars().all(|character| character == '.');
        segment.then_some(Self(text)).ok_or("a file name is one path segment of 1 to 255 bytes")
    }
}

impl From<Filename> for String {
    fn from(name: Filename) -> Self {
        name.0
    }
}

/// Characters without a picture of their own, by which a name can look like another one.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' // soft hyphen, grapheme joiner, marks
                | '\u{200b}'..='\u{200f}' // without width; direction marks
                | '\u{2028}'..='\u{202e}' // line separators; embeddings and overrides
                | '\u{2060}'..='\u{206f}' // word joiner, invisible operators, isolates
                | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
        || u32::from(character) & 0xfffe == 0xfffe
        || matches!(character, '\u{fdd0}'..='\u{fdef}')
}

fn is_edge(character: char) -> bool {
    character == '.' || character.is_whitespace()
}

fn trim(name: &str) -> &str {
    name.trim_matches(is_edge)
}

/// Whether Windows takes a name for a device, whatever its extension.
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let numbered = |tail: &str| {
        let mut digits = tail.chars();
        matches!(digits.next(), Some('0'..='9' | '¹' | '²' | '³')) && digits.next().is_none()
    };
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$")
        || stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT")).is_some_and(numbered)
}

fn shorten(name: &str) -> String {
    if name.len() <= Filename::MAX_BYTES {
        return name.to_owned();
    }
    let extension = name.rfind('.').map(|dot| &name[dot..]).filter(|tail| tail.len() <= MAX_EXTENSION);
    let tail = extension.unwrap_or_default();
    let mut cut = Filename::MAX_BYTES - tail.len();
    while !name.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}{tail}", name[..cut].trim_end_matches(is_edge))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::media::ObjectKey;

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
    fn what_nobody_sees_is_dropped() {
        assert_eq!(cleaned("photo\u{202e}gpj.exe").as_deref(), Some("photogpj.exe"));
        assert_eq!(
            cleaned("\u{feff}a\u{200b}\u{200d}\u{2066}b\u{2069}\u{61c}.png").as_deref(),
            Some("ab.png")
        );
        assert_eq!(cleaned("a\u{2028}b\u{fffe}.png").as_deref(), Some("ab.png"));
        assert_eq!(cleaned("\u{200b}\u{202e}"), None);
    }

    #[test]
    fn a_name_has_one_spelling() {
        assert_eq!(cleaned("E\u{301}te\u{301}.jpg").as_deref(), Some("Été.jpg"));
        assert_eq!(cleaned("e\u{200b}\u{301}.jpg").as_deref(), Some("é.jpg"), "also once both meet");
        assert_eq!(cleaned("한국어 写真 🌊.jpg").as_deref(), Some("한국어 写真 🌊.jpg"));
    }

    #[test]
    fn a_name_of_dots_is_no_name() {
        for text in ["", ".", "..", "a/..", "  ", "x/", ". .", "\u{3000}.\u{a0}"] {
            assert_eq!(cleaned(text), None, "{text:?}");
        }
    }

    #[test]
    fn dots_and_spaces_at_the_ends_are_dropped() {
        assert_eq!(cleaned(".htaccess").as_deref(), Some("htaccess"));
        assert_eq!(cleaned("a.jpg. . ").as_deref(), Some("a.jpg"));
        assert_eq!(cleaned(" ..a b..c.jpg").as_deref(), Some("a b..c.jpg"));
    }

    #[test]
    fn names_of_devices_are_marked() {
        for text in ["CON", "nul.txt", "Aux.tar.gz", "com1", "LPT9.jpg", "com¹.png", "prn .x", "CONOUT$"] {
            assert_eq!(cleaned(text), Some(format!("_{text}")), "{text}");
        }
        for text in ["CONSOLE", "com10.txt", "com.txt", "a.con", "null", "_con", "lptx"] {
            assert_eq!(cleaned(text).as_deref(), Some(text));
        }
        // A cut takes the spaces and what stood behind them.
        assert_eq!(cleaned(&format!("CON{}x.txt", " ".repeat(300))).as_deref(), Some("_CON.txt"));
        let long = cleaned(&format!("nul.{}", "a".repeat(251))).unwrap();
        assert!(long.starts_with("_nul.aaa") && long.len() == 255, "{long}");
    }

    #[test]
    fn a_long_name_keeps_its_extension() {
        let name = cleaned(&format!("{}.jpeg", "é".repeat(200))).unwrap();
        assert!(name.len() <= 255 && name.ends_with("é.jpeg"), "{name}");
        assert_eq!(cleaned(&format!("{}{}", ".".repeat(300), "a".repeat(17))), Some("a".repeat(17)));
    }

    #[test]
    fn a_name_that_was_stored_is_read_as_it_is() {
        for old in [".htaccess", "con.txt", "e\u{301}.jpg", "a\u{200b}", "a.", "\u{200b}"] {
            let read: Filename = serde_json::from_value(old.into()).unwrap();
            assert_eq!(read.as_str(), old);
        }
        for never in ["", "..", "a/b", "a\\b", "a\nb", &"a".repeat(256)] {
            assert!(serde_json::from_value::<Filename>(never.into()).is_err(), "{never:?}");
        }
    }

    /// Text of what is dropped, cut, marked or composed, far more often than chance would have it.
    fn trap() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            any::<char>().prop_map(String::from),
            prop::sample::select(vec![
                "/", "\\", ".", " ", "\u{3000}", "\u{202e}", "\u{200b}", "\u{301}", "e", "\u{958}",
                "\u{1100}", "\u{1161}", "con", "NUL", "com1", "_", "\u{0}", "\u{37e}", ".jpg",
            ])
            .prop_map(String::from),
            (1_usize..260).prop_map(|length| "a".repeat(length)),
            (1_usize..300).prop_map(|length| " ".repeat(length)),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn what_is_cleaned_is_clean_and_one_legal_segment(text in trap()) {
            let Some(name) = Filename::clean(&text) else { return Ok(()) };
            prop_assert_eq!(Filename::clean(name.as_str()), Some(name.clone()));
            let key = ObjectKey::parse(name.as_str());
            prop_assert!(key.is_ok() && !name.as_str().contains('/'), "{:?}", name);
            prop_assert!(name.as_str().len() <= 255 && !is_reserved(name.as_str()));
            prop_assert!(!name.as_str().chars().any(is_unseen));
            prop_assert!(unicode_normalization::is_nfc(name.as_str()));
            prop_assert_eq!(trim(name.as_str()), name.as_str());
            let read: Result<Filename, _> = serde_json::from_value(name.as_str().into());
            prop_assert!(read.is_ok_and(|read| read == name), "it is read as it was written");
        }
    }
}
