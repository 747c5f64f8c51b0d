//! Settings from the environment.
//!
//! | variable | setting |
//! |---|---|
//! | `SIGNET__SECTION__FIELD`, `SIGNET__SECTION__PART__FIELD` | any |
//! | `SIGNET_LISTEN`, `SIGNET_ADMIN_LISTEN` | `server.listen`, `server.admin_listen` |
//! | `CDN_BASE_URL` | `cdn.base_url` |
//! | `MEDIA_PUBLIC_BASE_URL` | `delivery.public_base_url` |
//! | `MEDIA_BUCKET_PREFIX` | `cdn.path` and `cdn.bucket`, each `{prefix}{key}` |
//! | `MEDIA_S3_BUCKET` | `cdn.bucket`, one for all tenants, with `cdn.path = "{tenant}"` |
//! | `CLOUDFRONT_SIGNED_URL_TTL_SECONDS` | `signing.ttl_seconds` |
//! | `CLUSTER_URL` | `store.mongodb.uri` |
//! | `CLOUDFRONT_SIGNING_PRIVATE_KEY`, `CLOUDFRONT_SIGNING_KEY_PAIR_ID` | `signing.keys`, this one alone |
//! | whatever `private_key_env` names | the private key of one of `signing.keys` |

use std::collections::BTreeMap;
use std::fmt;

use super::{ConfigError, KeySettings, Settings};
use crate::config::signing::Secret;

const PREFIX: &str = "SIGNET__";
const PRIVATE_KEY: &str = "CLOUDFRONT_SIGNING_PRIVATE_KEY";
const KEY_PAIR_ID: &str = "CLOUDFRONT_SIGNING_KEY_PAIR_ID";
/// Variables that each set one setting as it is.
const NAMED: [(&str, &str); 6] = [
    ("SIGNET_LISTEN", "server.listen"),
    ("SIGNET_ADMIN_LISTEN", "server.admin_listen"),
    ("CDN_BASE_URL", "cdn.base_url"),
    ("MEDIA_PUBLIC_BASE_URL", "delivery.public_base_url"),
    ("CLOUDFRONT_SIGNED_URL_TTL_SECONDS", "signing.ttl_seconds"),
    ("CLUSTER_URL", "store.mongodb.uri"),
];

/// The variables of the environment, taken once.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The process's own environment. Variables that aren't UTF-8 are left out.
    #[must_use]
    pub fn of_process() -> Self {
        let utf8 = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(utf8).collect())
    }

    /// An environment of these variables.
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(variables.into_iter().collect())
    }

    /// The variables that are Signet's own alone.
    #[must_use]
    pub fn of_signet(&self) -> Self {
        Self(
            self.0
                .iter()
                .filter(|(name, _)| name.starts_with(PREFIX))
                .map(|(n, v)| (n.clone(), v.clone()))
                .collect(),
        )
    }

    /// Whether a variable isn't there.
    #[must_use]
    pub fn is_unset(&self, name: &str) -> bool {
        self.value(name).is_none()
    }

    /// Settings by their path, each with its value as text.
    pub(super) fn overrides(&self) -> Result<Vec<(String, String)>, ConfigError> {
        let mut overrides = Vec::new();
        for (variable, setting) in NAMED {
            if let Some(value) = self.value(variable) {
                overrides.push((setting.to_owned(), value.to_owned()));
            }
        }
        if let Some(prefix) = self.value("MEDIA_BUCKET_PREFIX") {
            overrides.push(("cdn.path".into(), format!("{prefix}{{key}}")));
            overrides.push(("cdn.bucket".into(), format!("{prefix}{{key}}")));
        }
        if let Some(bucket) = self.value("MEDIA_S3_BUCKET") {
            overrides.push(("cdn.path".into(), "{tenant}".into()));
            overrides.push(("cdn.bucket".into(), bucket.to_owned()));
        }
        for (variable, value) in
            self.0.range(PREFIX.to_owned()..).take_while(|(name, _)| name.starts_with(PREFIX))
        {
            let path = variable[PREFIX.len()..].to_ascii_lowercase();
            let parts: Vec<&str> = path.split("__").collect();
            if !matches!(parts.len(), 2 | 3) || parts.iter().any(|part| part.is_empty()) {
                let detail = "the form is SIGNET__SECTION__FIELD, or SIGNET__SECTION__PART__FIELD".to_owned();
                return Err(ConfigError::Variable { variable: variable.clone(), detail });
            }
            overrides.push((parts.join("."), value.clone()));
        }
        Ok(overrides)
    }

    /// What can't be set by a path.
    pub(super) fn apply(&self, settings: &mut Settings) -> Result<(), ConfigError> {
        let missing = |variable: &str, other: &str| ConfigError::Variable {
            variable: variable.to_owned(),
            detail: format!("it is needed where {other} is set"),
        };
        match (self.value(PRIVATE_KEY), self.value(KEY_PAIR_ID)) {
            (Some(pem), Some(id)) => {
                settings.signing.keys =
                    vec![KeySettings { private_key: Some(Secret::new(pem)), ..KeySettings::new(id) }];
                Ok(())
            }
            (None, Some(_)) => Err(missing(PRIVATE_KEY, KEY_PAIR_ID)),
            (Some(_), None) => Err(missing(KEY_PAIR_ID, PRIVATE_KEY)),
            (None, None) => self.apply_named_keys(&mut settings.signing.keys),
        }
    }

    fn apply_named_keys(&self, keys: &mut [KeySettings]) -> Result<(), ConfigError> {
        for key in keys {
            let Some(variable) = &key.private_key_env else { continue };
            let Some(pem) = self.value(variable) else {
                let detail =
                    format!("it isn't set, and private_key_env of the key pair {:?} names it", key.id);
                return Err(ConfigError::Variable { variable: variable.clone(), detail });
            };
            key.private_key = Some(Secret::new(pem));
        }
        Ok(())
    }

    /// A variable that is set to something.
    fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}
