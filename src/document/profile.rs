//! What counts as a descriptor, as data: member names, companions and the output member.

use serde::{Deserialize, Serialize};

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

impl Profile {
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
}
