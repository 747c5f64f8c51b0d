//! What a caller may do.

use crate::media::Visibility;

/// One thing that a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// See assets, and usage.
    Read,
    /// Upload, change and delete assets.
    Write,
    /// Have links, documents and cookies signed.
    Sign,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Sign];

    /// What tokens and problems call it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "media:read",
            Self::Write => "media:write",
            Self::Sign => "media:sign",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// Nothing may be done.
    pub const NONE: Self = Self(0);
    /// Everything may be done.
    pub const ALL: Self = Self(Scope::Read.bit() | Scope::Write.bit() | Scope::Sign.bit());

    /// The scopes among these words; other words are for other services.
    pub fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let known = |word| Scope::ALL.into_iter().find(|scope| scope.as_str() == word);
        words.into_iter().filter_map(known).fold(Self::NONE, |scopes, scope| Self(scopes.0 | scope.bit()))
    }

    /// Those of both.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether one is among them.
    #[must_use]
    pub const fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Returns whether a tenant's caller may have the link of an asset with this visibility: of a PUBLIC one everybody
    /// may, of a PRIVATE one those who may read or sign.
    #[must_use]
    pub fn may_fetch(self, visibility: Visibility) -> bool {
        visibility == Visibility::Public || self.has(Scope::Read) || self.has(Scope::Sign)
    }
}

/// A caller may not do this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token lacks the scope {}", required.as_str())]
pub struct InsufficientScope {
    /// The scope that would do.
    pub required: Scope,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_link_needs_the_scope_to_read_or_to_sign() {
        for (text, private) in [
            ("", false),
            ("media:write", false),
            ("media:read", true),
            ("media:sign", true),
            ("media:write media:sign", true),
        ] {
            let scopes = Scopes::of(text.split(' '));
            assert_eq!(scopes.may_fetch(Visibility::Private), private, "{text}");
            assert!(scopes.may_fetch(Visibility::Public), "{text}");
        }
    }

    #[test]
    fn scopes_are_whole_words_and_strange_ones_count_for_nothing() {
        let has = |text: &str| Scope::ALL.map(|scope| Scopes::of(text.split(' ')).has(scope));
        assert_eq!(has("openid media:read  media:sign"), [true, false, true]);
        assert_eq!(has("media:write media:write"), [false, true, false]);
        for text in
            ["", "media", "media:", "media:*", "MEDIA:READ", "media:reader", "xmedia:read", "media:read,"]
        {
            assert_eq!(Scopes::of(text.split(' ')), Scopes::NONE, "{text}");
        }
        assert_eq!(Scopes::of(Scope::ALL.map(Scope::as_str)), Scopes::ALL);
    }
}
