//! What counts as a descriptor, as data: member names, companions and the output member.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::roles::{MOST_NAMES, REFERENCE_MEMBERS};

/// The shape of a platform's descriptors. Every field has the value of [`Profile::vivreal`] unless set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// Member that holds the object key: `key`.
    pub key: String,
    /// Members that go with a key, the strong ones among them.
    pub companions: Vec<String>,
    /// Members that only media has.
    pub strong: Vec<String>,
    /// Companion that is strong where its value is one of `kinds` or a MIME type: `type`.
    pub kind: String,
    /// The words that make `kind` strong.
    pub kinds: Vec<String>,
    /// Member whose string the output repeats: `name`.
    pub name: String,
    /// Member that holds `derivatives` and `derivative_format`: `meta`.
    pub meta: String,
    /// Member of `meta` with the widths: `derivatives`.
    pub derivatives: String,
    /// Member of `meta` with the format of the derivatives: `derivativeFormat`.
    pub derivative_format: String,
    /// Member that is written: `currentFile`.
    pub output: String,
    /// Member of the output that holds the link: `source`.
    pub source: String,
    /// Member of the output that holds the links of the derivatives: `srcset`.
    pub srcset: String,
    /// Whether the output holds the link once more as `src`. Off unless set.
    pub write_src: bool,
    /// Members whose bare string is an object key, such as `imageKey`; the link takes its place. None unless set.
    pub key_members: Vec<String>,
    /// Members in which an asset id is no reference: `id`, `_id`, `assetId`.
    pub id_members: Vec<String>,
}

/// A profile that no document can be signed by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {detail}")]
pub struct ProfileError {
    /// The field of [`Profile`].
    pub field: &'static str,
    /// What is wrong with it.
    pub detail: String,
}

impl Profile {
    /// The names of the profiles that Signet knows by itself, [`Profile::vivreal`]'s first.
    pub const SHIPPED: [&'static str; 2] = ["vivreal", "foundation"];

    /// The profile of a name of [`Profile::SHIPPED`].
    pub fn shipped(name: &str) -> Option<Self> {
        match name {
            "vivreal" => Some(Self::vivreal()),
            "foundation" => Some(Self::foundation()),
            _ => None,
        }
    }

    /// Vivreal's content documents: `{"key","name","type",…}` gets `currentFile`.
    pub fn vivreal() -> Self {
        Self {
            key: "key".into(),
            companions: words(&[
                "name",
                "fileName",
                "type",
                "mimeType",
                "contentType",
                "size",
                "meta",
                "currentFile",
            ]),
            strong: words(&["mimeType", "contentType", "meta", "currentFile"]),
            kind: "type".into(),
            kinds: words(&["image", "video", "audio", "file", "document"]),
            name: "name".into(),
            meta: "meta".into(),
            derivatives: "derivatives".into(),
            derivative_format: "derivativeFormat".into(),
            output: "currentFile".into(),
            source: "source".into(),
            srcset: "srcset".into(),
            write_src: false,
            key_members: Vec::new(),
            id_members: words(&["id", "_id", "assetId"]),
        }
    }

    /// Foundation's assets: `{"storageKey","filename","contentType",…}` gets `currentFile`.
    pub fn foundation() -> Self {
        Self {
            key: "storageKey".into(),
            companions: words(&[
                "filename",
                "contentType",
                "sizeBytes",
                "checksum",
                "visibility",
                "metadata",
                "currentFile",
            ]),
            strong: words(&["contentType", "checksum", "visibility", "currentFile"]),
            name: "filename".into(),
            meta: "metadata".into(),
            ..Self::vivreal()
        }
    }

    /// Checks that what is written can't be taken for what is read, and that all names can be told apart.
    ///
    /// # Errors
    /// The first field that can't be.
    pub fn check(&self) -> Result<(), ProfileError> {
        for (field, name) in self.singles() {
            check_name(field, name)?;
        }
        for (field, names) in self.lists() {
            names.iter().try_for_each(|name| check_name(field, name))?;
        }
        // Read from one object and from its `meta`, or written into it.
        let parts = [
            ("key", &self.key),
            ("name", &self.name),
            ("kind", &self.kind),
            ("meta", &self.meta),
            ("derivatives", &self.derivatives),
            ("derivative_format", &self.derivative_format),
            ("output", &self.output),
        ];
        distinct(&parts)?;
        // Written side by side into the output; its first member repeats the name.
        let (name, src) = ("name".to_owned(), "src".to_owned());
        distinct(&[
            ("the member \"name\" of the output", &name),
            ("source", &self.source),
            ("srcset", &self.srcset),
        ])?;
        if self.write_src {
            let src = ("the member of write_src", &src);
            distinct(&[src, ("source", &self.source)])?;
            distinct(&[src, ("srcset", &self.srcset)])?;
        }
        if self.key_members.contains(&self.output) {
            let detail = format!("{:?} is the output, which is written", self.output);
            return Err(ProfileError { field: "key_members", detail });
        }
        self.check_count()
    }

    fn check_count(&self) -> Result<(), ProfileError> {
        let lists = self.lists().into_iter().filter(|(field, _)| *field != "kinds");
        let singles = self.singles().into_iter().filter(|(field, _)| !["source", "srcset"].contains(field));
        let mut names: BTreeSet<&str> = REFERENCE_MEMBERS.into_iter().collect();
        names.extend(singles.map(|(_, name)| name));
        for (field, list) in lists {
            names.extend(list.iter().map(String::as_str));
            if names.len() > MOST_NAMES {
                let detail = format!("with these, the profile has more than {MOST_NAMES} member names");
                return Err(ProfileError { field, detail });
            }
        }
        Ok(())
    }

    fn singles(&self) -> [(&'static str, &str); 9] {
        [
            ("key", &self.key),
            ("kind", &self.kind),
            ("name", &self.name),
            ("meta", &self.meta),
            ("derivatives", &self.derivatives),
            ("derivative_format", &self.derivative_format),
            ("output", &self.output),
            ("source", &self.source),
            ("srcset", &self.srcset),
        ]
    }

    fn lists(&self) -> [(&'static str, &[String]); 5] {
        [
            ("companions", &self.companions),
            ("strong", &self.strong),
            ("kinds", &self.kinds),
            ("key_members", &self.key_members),
            ("id_members", &self.id_members),
        ]
    }
}

/// A name in JSON can be anything; one that is empty or holds control characters is a slip.
fn check_name(field: &'static str, name: &str) -> Result<(), ProfileError> {
    let detail = match name {
        "" => "a name must not be empty".to_owned(),
        name if name.chars().any(char::is_control) => format!("{name:?} holds a control character"),
        _ => return Ok(()),
    };
    Err(ProfileError { field, detail })
}

/// Checks that no two parts have one name.
fn distinct(parts: &[(&'static str, &String)]) -> Result<(), ProfileError> {
    for (at, (field, name)) in parts.iter().enumerate() {
        if let Some((other, _)) = parts.iter().take(at).find(|(_, other)| other == name) {
            return Err(ProfileError { field, detail: format!("{name:?} is {other} already") });
        }
    }
    Ok(())
}

impl Default for Profile {
    fn default() -> Self {
        Self::vivreal()
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_is_as_in_vivreal_and_unknown_settings_are_refused() {
        let profile: Profile = serde_json::from_str(r#"{"key_members":["imageKey"]}"#).unwrap();
        assert_eq!(profile, Profile { key_members: vec!["imageKey".into()], ..Profile::vivreal() });
        assert!(serde_json::from_str::<Profile>(r#"{"keys":[]}"#).is_err());
    }
    #[test]
    fn what_could_not_be_told_apart_is_refused_with_its_field() {
        type Change = fn(&mut Profile);
        let cases: [(&str, Change); 16] = [
            ("key", |profile| profile.key.clear()),
            ("output", |profile| profile.output.clear()),
            ("source", |profile| profile.source.clear()),
            ("companions", |profile| profile.companions.push(String::new())),
            ("key_members", |profile| profile.key_members.push("a\0".into())),
            ("output", |profile| profile.output = "key".into()),
            ("name", |profile| profile.name = "key".into()),
            ("meta", |profile| profile.meta = "type".into()),
            ("derivatives", |profile| profile.derivatives = "meta".into()),
            ("derivative_format", |profile| profile.derivative_format = "type".into()),
            ("source", |profile| profile.source = "name".into()),
            ("srcset", |profile| profile.srcset = "source".into()),
            ("source", |profile| (profile.source, profile.write_src) = ("src".into(), true)),
            ("srcset", |profile| (profile.srcset, profile.write_src) = ("src".into(), true)),
            ("key_members", |profile| profile.key_members.push("currentFile".into())),
            ("id_members", |profile| profile.id_members.extend((0..250).map(|n| format!("id{n}")))),
        ];
        for (field, change) in cases {
            let mut profile = Profile::vivreal();
            change(&mut profile);
            assert_eq!(profile.check().unwrap_err().field, field, "{profile:?}");
        }
        let src = Profile { source: "src".into(), ..Profile::vivreal() };
        assert_eq!(src.check(), Ok(()));
    }

    #[test]
    fn as_many_names_as_can_be_told_apart_are_taken_and_all_are_found() {
        let mut profile = Profile::vivreal();
        let full = (0..).take_while(|n| {
            profile.key_members.push(format!("key{n}"));
            profile.check().is_ok()
        });
        assert!(full.count() > 200);
        profile.key_members.pop();
        assert_eq!(profile.check(), Ok(()));
        let roles = crate::document::roles::Roles::new(&profile, crate::document::References::Object);
        let last = profile.key_members.last().unwrap();
        assert!(roles.of(last.as_bytes()) != 0 && roles.of(b"id") != 0 && roles.of(b"expiresAt") != 0);
    }

    #[test]
    fn every_shipped_profile_has_its_name_and_can_be() {
        for name in Profile::SHIPPED {
            assert_eq!(Profile::shipped(name).unwrap().check(), Ok(()), "{name}");
        }
        assert_eq!(Profile::shipped("Vivreal"), None);
    }
}
