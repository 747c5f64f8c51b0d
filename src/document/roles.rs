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

/// The parts of all member names of a profile.
pub(super) struct Roles<'r> {
    /// Index of the first entry of a slot, plus one; 0 for none.
    slots: [u8; 256],
    entries: Vec<Entry<'r>>,
}

struct Entry<'r> {
    name: &'r [u8],
    /// The beginning of the name as a number; of short names, all of it.
    word: u64,
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
        self.find(word(name), name.len(), |entry| entry.name == name)
    }

    /// The parts of the member whose name, without escapes, is `input[start..end]`.
    #[inline(always)]
    pub(super) fn at(&self, input: &[u8], start: usize, end: usize) -> Role {
        let length = end.wrapping_sub(start);
        match input.get(start..).and_then(<[u8]>::first_chunk) {
            Some(chunk) if (1..=SHORT).contains(&length) => {
                // What comes after the name is cut off. The number and the length are the name.
                let word = u64::from_le_bytes(*chunk) & (u64::MAX >> (8 * (SHORT - length)));
                self.find(word, length, |entry| entry.word == word && entry.name.len() == length)
            }
            _ => self.of(input.get(start..end).unwrap_or_default()),
        }
    }

    #[inline(always)]
    fn find(&self, word: u64, length: usize, is: impl Fn(&Entry<'_>) -> bool) -> Role {
        let mut index = self.slots[slot(word, length)];
        while let Some(entry) = usize::from(index).checked_sub(1).and_then(|at| self.entries.get(at)) {
            if is(entry) {
                return entry.role;
            }
            index = entry.next;
        }
        0
    }

    /// Adds parts to a name. Names beyond the 254th have none: no profile comes near.
    fn add(&mut self, name: &'r str, role: Role) {
        let name = name.as_bytes();
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.name == name) {
            entry.role |= role;
        } else if let Ok(index) = u8::try_from(self.entries.len() + 1) {
            let word = word(name);
            let next = std::mem::replace(&mut self.slots[slot(word, name.len())], index);
            self.entries.push(Entry { name, word, role, next });
        }
    }
}

/// Names up to this length are compared as numbers.
const SHORT: usize = 8;

/// The beginning of a name as a number.
fn word(name: &[u8]) -> u64 {
    let mut bytes = [0; SHORT];
    let length = name.len().min(SHORT);
    bytes[..length].copy_from_slice(&name[..length]);
    u64::from_le_bytes(bytes)
}

#[inline(always)]
fn slot(word: u64, length: usize) -> usize {
    ((word ^ length as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as usize
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
