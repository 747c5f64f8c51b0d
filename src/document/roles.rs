//! Which part a member plays, by its name: one look into a table of 256 slots for most names.

use super::profile::Profile;
use super::rules::References;

/// A set of parts; a member may play several.
pub(super) type Role = u16;

pub(super) const KEY: Role = 1;
pub(super) const COMPANION: Role = 1 << 1;
pub(super) const STRONG: Role = 1 << 2;
pub(super) const KIND: Role = 1 << 3;
pub(super) const NAME: Role = 1 << 4;
pub(super) const META: Role = 1 << 5;
pub(super) const DERIVATIVES: Role = 1 << 6;
pub(super) const FORMAT: Role = 1 << 7;
pub(super) const OUTPUT: Role = 1 << 8;
/// The string is an object key.
pub(super) const BARE_KEY: Role = 1 << 9;
/// An asset id in it is no reference.
pub(super) const NOT_REFERENCE: Role = 1 << 10;
/// The members of a reference object.
pub(super) const ID: Role = 1 << 11;
pub(super) const URL: Role = 1 << 12;
pub(super) const EXPIRES: Role = 1 << 13;

/// The members of a reference object, as they are written.
pub(super) const REFERENCE_MEMBERS: [&str; 3] = ["id", "url", "expiresAt"];

/// The most names that can be told apart, those of a reference object among them.
pub(super) const MOST_NAMES: usize = 254;

/// The parts of all member names of a profile.
pub(super) struct Roles<'r> {
    /// Index of the first entry of a slot, plus one; 0 for none.
    slots: [u8; 256],
    entries: Vec<Entry<'r>>,
}

struct Entry<'r> {
    name: &'r [u8],
    /// What short names are compared by.
    words: Words,
    role: Role,
    /// The next entry of the same slot, plus one; 0 for none.
    next: u8,
}

impl<'r> Roles<'r> {
    pub(super) fn new(profile: &'r Profile, references: References) -> Self {
        let mut roles = Self { slots: [0; 256], entries: Vec::with_capacity(24) };
        roles.add(&profile.key, KEY);
        for (names, role) in [
            (&profile.companions, COMPANION),
            (&profile.strong, COMPANION | STRONG),
            (&profile.key_members, BARE_KEY),
            (&profile.id_members, NOT_REFERENCE),
        ] {
            names.iter().for_each(|name| roles.add(name, role));
        }
        roles.add(&profile.kind, KIND | COMPANION);
        roles.add(&profile.name, NAME);
        roles.add(&profile.meta, META);
        roles.add(&profile.derivatives, DERIVATIVES);
        roles.add(&profile.derivative_format, FORMAT);
        roles.add(&profile.output, OUTPUT);
        if references != References::Inline {
            for (name, role) in REFERENCE_MEMBERS.into_iter().zip([ID, URL, EXPIRES]) {
                roles.add(name, role);
            }
        }
        roles
    }

    /// The parts of the member of this (decoded) name.
    pub(super) fn of(&self, name: &[u8]) -> Role {
        self.find(Words::of(name), name.len(), |entry| entry.name == name)
    }

    /// The parts of the member whose name, without escapes, is `input[start..end]`.
    #[inline(always)]
    pub(super) fn at(&self, input: &[u8], start: usize, end: usize) -> Role {
        let length = end.wrapping_sub(start);
        match Words::at(input, start, length) {
            // The words and the length of a short name are the name.
            Some(words) => {
                self.find(words, length, |entry| entry.words == words && entry.name.len() == length)
            }
            None => self.of(input.get(start..end).unwrap_or_default()),
        }
    }

    #[inline(always)]
    fn find(&self, words: Words, length: usize, is: impl Fn(&Entry<'_>) -> bool) -> Role {
        let mut index = self.slots[words.slot(length)];
        while let Some(entry) = usize::from(index).checked_sub(1).and_then(|at| self.entries.get(at)) {
            if is(entry) {
                return entry.role;
            }
            index = entry.next;
        }
        0
    }

    /// Adds parts to a name. Names beyond [`MOST_NAMES`] have none: [`Profile::check`] refuses them.
    fn add(&mut self, name: &'r str, role: Role) {
        let name = name.as_bytes();
        let words = Words::of(name);
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.words == words && entry.name == name)
        {
            entry.role |= role;
        } else if let Ok(index) = u8::try_from(self.entries.len() + 1) {
            let next = std::mem::replace(&mut self.slots[words.slot(name.len())], index);
            self.entries.push(Entry { name, words, role, next });
        }
    }
}

/// The first eight bytes of a name, and the last eight where there are more, as numbers.
#[derive(Clone, Copy, PartialEq)]
struct Words(u64, u64);

impl Words {
    const BYTES: usize = 8;

    fn of(name: &[u8]) -> Self {
        let word = |part: &[u8]| part.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        let last = if name.len() > Self::BYTES { word(&name[name.len() - Self::BYTES..]) } else { 0 };
        Self(word(&name[..name.len().min(Self::BYTES)]), last)
    }

    /// The same for a name of 1 to 16 bytes in the input.
    #[inline(always)]
    fn at(input: &[u8], start: usize, length: usize) -> Option<Self> {
        let word = |at: usize| Some(u64::from_le_bytes(*input.get(at..)?.first_chunk()?));
        match length {
            // What comes after the name is cut off.
            1..=8 => Some(Self(word(start)? & (u64::MAX >> (8 * (Self::BYTES - length))), 0)),
            9..=16 => Some(Self(word(start)?, word(start + length - Self::BYTES)?)),
            _ => None,
        }
    }

    #[inline(always)]
    fn slot(self, length: usize) -> usize {
        ((self.0 ^ length as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_a_profile_is_found_with_all_its_parts_and_no_other() {
        let profile =
            Profile { key_members: (0..200).map(|n| format!("key{n}")).collect(), ..Profile::vivreal() };
        let roles = Roles::new(&profile, References::Object);
        assert_eq!(roles.of(b"key"), KEY);
        assert_eq!(roles.of(b"name"), COMPANION | NAME);
        assert_eq!(roles.of(b"type"), COMPANION | KIND);
        assert_eq!(roles.of(b"meta"), COMPANION | STRONG | META);
        assert_eq!(roles.of(b"currentFile"), COMPANION | STRONG | OUTPUT);
        assert_eq!(roles.of(b"id"), NOT_REFERENCE | ID);
        assert!(profile.key_members.iter().all(|name| roles.of(name.as_bytes()) == BARE_KEY));
        assert!([&b""[..], b"Key", b"keys", b"nam", b"title"].iter().all(|name| roles.of(name) == 0));
        for name in ["key", "keys", "ke", "", "derivativeFormat", "derivativeFormats", "key199", "a\u{e9}"] {
            for tail in ["\"", "\":1}                "] {
                let input = format!("\"{name}{tail}");
                assert_eq!(
                    roles.at(input.as_bytes(), 1, 1 + name.len()),
                    roles.of(name.as_bytes()),
                    "{name}"
                );
            }
        }
        // A decoded name may hold what no name in the source can.
        assert_eq!(roles.of(b"key\0"), 0);
        assert_eq!(Roles::new(&profile, References::Inline).of(b"id"), NOT_REFERENCE);
    }
}
