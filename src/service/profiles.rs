//! Which rules a document is signed by: profiles by name, and one of them where none is named.
//!
//! Choosing costs no copy: each profile has its rules ready for each way of treating references.

use std::sync::Arc;

use crate::document::{References, Rules};

/// Every profile that a node knows.
#[derive(Debug)]
pub struct Profiles {
    /// By name, ascending.
    named: Vec<Named>,
    default: ProfileId,
}

#[derive(Debug)]
struct Named {
    name: String,
    /// The rules, for [`MODES`].
    rules: [Arc<Rules>; 3],
    /// What becomes of references unless the request says so.
    references: References,
}

/// A profile of a [`Profiles`]. Of no other one: a node has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProfileId(usize);

/// There is no profile of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no profile {name:?}; there are {known}")]
pub struct UnknownProfile {
    /// The name.
    pub name: String,
    /// The names that there are, separated by commas.
    pub known: String,
}

impl Profiles {
    /// One profile, which holds for all.
    #[must_use]
    pub fn only(name: &str, rules: Rules) -> Self {
        Self { named: vec![Named::new(name.to_owned(), rules)], default: ProfileId(0) }
    }

    /// Profiles by name, of names that differ; the default is one of them.
    ///
    /// # Errors
    /// Where the default isn't one of them.
    pub fn new(
        default: &str,
        profiles: impl IntoIterator<Item = (String, Rules)>,
    ) -> Result<Self, UnknownProfile> {
        let mut named: Vec<Named> =
            profiles.into_iter().map(|(name, rules)| Named::new(name, rules)).collect();
        named.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let mut profiles = Self { named, default: ProfileId(0) };
        profiles.default = profiles.find(default)?;
        Ok(profiles)
    }

    /// The profile of a name.
    ///
    /// # Errors
    /// Where there is none.
    pub fn find(&self, name: &str) -> Result<ProfileId, UnknownProfile> {
        let found = self.named.binary_search_by(|named| named.name.as_str().cmp(name));
        found.map(ProfileId).map_err(|_| UnknownProfile { name: name.to_owned(), known: self.known() })
    }

    /// The profile that holds where none is named.
    #[must_use]
    pub fn default_profile(&self) -> ProfileId {
        self.default
    }

    /// The names and rules of all profiles, by name, and whether it is the default.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Rules, bool)> {
        self.named.iter().enumerate().map(|(index, named)| {
            let rules: &Rules = named.rules(named.references);
            (named.name.as_str(), rules, ProfileId(index) == self.default)
        })
    }

    /// The rules of a profile; `references` where it is to treat them otherwise.
    #[must_use]
    pub fn rules(&self, profile: ProfileId, references: Option<References>) -> &Arc<Rules> {
        let named = &self.named[profile.0];
        named.rules(references.unwrap_or(named.references))
    }

    fn known(&self) -> String {
        self.named.iter().map(|named| named.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

impl Named {
    fn new(name: String, rules: Rules) -> Self {
        let references = rules.references;
        let rules = MODES.map(|references| Arc::new(Rules { references, ..rules.clone() }));
        Self { name, rules, references }
    }

    fn rules(&self, references: References) -> &Arc<Rules> {
        let [inline, object, leave] = &self.rules;
        match references {
            References::Inline => inline,
            References::Object => object,
            References::Leave => leave,
        }
    }
}

const MODES: [References; 3] = [References::Inline, References::Object, References::Leave];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Limits, Profile};

    fn rules(profile: Profile, references: References) -> Rules {
        Rules { profile, hosts: Vec::new(), references, limits: Limits::default() }
    }

    #[test]
    fn a_profile_is_chosen_by_name_and_treats_references_as_it_says_unless_the_request_says() {
        let profiles = [
            ("shop".to_owned(), rules(Profile::vivreal(), References::Leave)),
            ("assets".to_owned(), rules(Profile::foundation(), References::Object)),
        ];
        let profiles = Profiles::new("shop", profiles).unwrap();
        let assets = profiles.find("assets").unwrap();
        assert_eq!(profiles.default_profile(), profiles.find("shop").unwrap());
        for (asked, expected) in [(None, References::Object), (Some(References::Inline), References::Inline)]
            .into_iter()
            .chain(MODES.map(|mode| (Some(mode), mode)))
        {
            let rules = profiles.rules(assets, asked);
            assert_eq!((rules.profile.key.as_str(), rules.references), ("storageKey", expected));
        }
        let all: Vec<_> =
            profiles.all().map(|(name, rules, default)| (name, rules.references, default)).collect();
        assert_eq!(all, [("assets", References::Object, false), ("shop", References::Leave, true)]);
    }

    #[test]
    fn a_name_that_is_not_there_is_said_with_those_that_are() {
        let profiles = Profiles::only("vivreal", rules(Profile::vivreal(), References::Inline));
        let error = profiles.find("shop").unwrap_err().to_string();
        assert_eq!(error, "there is no profile \"shop\"; there are vivreal");
        assert!(
            Profiles::new("shop", [("a".to_owned(), rules(Profile::vivreal(), References::Inline))]).is_err()
        );
    }
}
