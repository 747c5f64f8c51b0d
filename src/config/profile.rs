//! What counts as media in a document, and what it gets.

use std::path::Path;

use serde::Deserialize;

use super::{ConfigError, ReferencesSetting, on_one_line};

/// `[documents.profiles.NAME]`, and the file of `signet document --profile`. What isn't set is as in `like`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProfileSettings {
    /// The shipped profile that it begins with, `vivreal` or `foundation`. Default `vivreal`.
    pub like: Option<String>,
    /// Which of the distribution's origins are its media hosts. Default all.
    pub hosts: Option<Vec<String>>,
    /// What becomes of references. Default `[documents] references`.
    pub references: Option<ReferencesSetting>,
    /// Member that holds the object key.
    pub key: Option<String>,
    /// Members that go with a key: with one of them, a path with an extension is media.
    pub companions: Option<Vec<String>>,
    /// Companions that only media has: with one of them, a path or a file name is media.
    pub strong: Option<Vec<String>>,
    /// Companion that is strong where its value is one of `kinds` or a MIME type.
    pub kind: Option<String>,
    /// The words that make `kind` strong.
    pub kinds: Option<Vec<String>>,
    /// Member whose string the output repeats as `name`.
    pub name: Option<String>,
    /// Member that holds `derivatives` and `derivative_format`.
    pub meta: Option<String>,
    /// Member of `meta` with the widths of the derivatives.
    pub derivatives: Option<String>,
    /// Member of `meta` with the format of the derivatives.
    pub derivative_format: Option<String>,
    /// Member that is written.
    pub output: Option<String>,
    /// Member of the output that holds the link.
    pub source: Option<String>,
    /// Member of the output that holds the links of the derivatives.
    pub srcset: Option<String>,
    /// Whether the output holds the link once more as `src`.
    pub write_src: Option<bool>,
    /// Members whose bare string is an object key; the link takes its place.
    pub key_members: Option<Vec<String>>,
    /// Members in which an asset id is no reference.
    pub id_members: Option<Vec<String>>,
}

impl ProfileSettings {
    /// Reads a file of a profile's fields.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| ConfigError::UnreadableProfile { file: file.to_owned(), source })?;
        let parsed = config::Config::builder()
            .add_source(config::File::from_str(&text, config::FileFormat::Toml))
            .build()
            .and_then(config::Config::try_deserialize);
        parsed.map_err(|error| ConfigError::WrongProfile {
            file: file.to_owned(),
            detail: on_one_line(&error.to_string()),
        })
    }
}
