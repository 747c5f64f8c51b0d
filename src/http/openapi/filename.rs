//! Which characters of a file's name are seen, as a pattern says it.

/// A character that is seen, and no slash behind it: something of the last segment is left once it is
/// cleaned.
pub(super) fn pattern() -> String {
    let mut seen = String::from(r"[^/\\.");
    for (first, last) in UNSEEN {
        seen.push_str(&character(*first));
        if last != first {
            seen.push('-');
            seen.push_str(&character(*last));
        }
    }
    format!(r"{seen}][^/\\]*$")
}

/// A character in a pattern. Beyond the first plane there is no escape that all dialects know: it stands
/// there itself.
fn character(character: char) -> String {
    match u16::try_from(u32::from(character)) {
        Ok(code) => format!("\\u{code:04x}"),
        Err(_) => character.to_string(),
    }
}

/// What cleaning drops, and white space, which it drops at the ends.
const UNSEEN: &[(char, char)] = &[
    ('\0', ' '),
    ('\u{7f}', '\u{a0}'),
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{1680}', '\u{1680}'),
    ('\u{180e}', '\u{180e}'),
    ('\u{2000}', '\u{200f}'),
    ('\u{2028}', '\u{202f}'),
    ('\u{205f}', '\u{206f}'),
    ('\u{3000}', '\u{3000}'),
    ('\u{fdd0}', '\u{fdef}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{fff9}', '\u{fffb}'),
    ('\u{fffe}', '\u{ffff}'),
    ('\u{1fffe}', '\u{1ffff}'),
    ('\u{2fffe}', '\u{2ffff}'),
    ('\u{3fffe}', '\u{3ffff}'),
    ('\u{4fffe}', '\u{4ffff}'),
    ('\u{5fffe}', '\u{5ffff}'),
    ('\u{6fffe}', '\u{6ffff}'),
    ('\u{7fffe}', '\u{7ffff}'),
    ('\u{8fffe}', '\u{8ffff}'),
    ('\u{9fffe}', '\u{9ffff}'),
    ('\u{afffe}', '\u{affff}'),
    ('\u{bfffe}', '\u{bffff}'),
    ('\u{cfffe}', '\u{cffff}'),
    ('\u{dfffe}', '\u{dffff}'),
    ('\u{e0000}', '\u{e007f}'),
    ('\u{efffe}', '\u{effff}'),
    ('\u{ffffe}', '\u{fffff}'),
    ('\u{10fffe}', '\u{10ffff}'),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Filename;

    #[test]
    fn the_pattern_and_the_rule_agree_on_every_character() {
        for character in '\0'..=char::MAX {
            let listed = UNSEEN.iter().any(|(first, last)| (*first..=*last).contains(&character));
            let allowed = !listed && !matches!(character, '/' | '\\' | '.');
            let cleaned = Filename::clean(&character.to_string()).is_some();
            assert_eq!(allowed, cleaned, "{:04x}", u32::from(character));
        }
    }

    #[test]
    fn the_pattern_escapes_what_all_dialects_know() {
        let pattern = pattern();
        assert!(pattern.starts_with(r"[^/\\.\u0000-\u0020\u007f-\u00a0\u00ad"), "{pattern}");
        assert!(pattern.ends_with(r"][^/\\]*$"), "{pattern}");
    }
}
