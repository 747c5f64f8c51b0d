//! Settings: TOML, then the environment; checked as a whole before anything starts.
//!
//! 1. [`Settings`]: every section, each in a file of its own with meaning, unit and default.
//! 2. [`load`]: a file, then the names that Vivreal's services use, then `SIGNET__SECTION__FIELD` (and
//!    `SIGNET__SECTION__PART__FIELD`).
//!
//! An unknown setting is an error, in the file and in the environment.

mod auth;
mod cache;
mod cdn;
mod documents;
mod environment;
mod lifecycle;
mod limits;
mod mongodb;
mod profile;
mod s3;
mod server;
mod signing;
mod store;
mod telemetry;
mod tenants;
pub mod time;
mod uploads;

use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use auth::{AuthSettings, TenantsSetting};
pub use cache::CacheSettings;
pub use cdn::{CdnSettings, DeliverySettings, PrivateSetting, PublicSetting};
pub use documents::{DocumentSettings, ReferencesSetting};
pub use environment::Environment;
pub use lifecycle::LifecycleSettings;
pub use limits::LimitSettings;
pub use mongodb::MongodbSettings;
pub use profile::ProfileSettings;
pub use s3::S3Settings;
pub use server::{DocsSetting, EdgeSettings, LogFormat, LogSettings, ServerSettings, TlsSettings};
pub use signing::{
    GrantScopeSetting, KeySettings, KeySource, NonceSetting, OnFailureSetting, Secret, SigningSettings,
};
pub use store::{AssetsSetting, ObjectsSetting, StoreSettings};
pub use telemetry::TelemetrySettings;
pub use tenants::TenantSettings;
pub use uploads::UploadSettings;

/// All settings.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Listeners, and limits of connections.
    pub server: ServerSettings,
    /// How often, and how much at a time.
    pub limits: LimitSettings,
    /// Where media is delivered.
    pub cdn: CdnSettings,
    /// How it is delivered.
    pub delivery: DeliverySettings,
    /// Keys and links.
    pub signing: SigningSettings,
    /// Bearer tokens.
    pub auth: AuthSettings,
    /// What may be uploaded.
    pub uploads: UploadSettings,
    /// What becomes of files when nobody looks.
    pub lifecycle: LifecycleSettings,
    /// How documents are signed.
    pub documents: DocumentSettings,
    /// Where things are kept.
    pub store: StoreSettings,
    /// What is kept in memory of them.
    pub cache: CacheSettings,
    /// The listener that plays CloudFront.
    pub edge: EdgeSettings,
    /// Logs.
    pub log: LogSettings,
    /// Traces.
    pub telemetry: TelemetrySettings,
    /// Tenants to be put into the embedded store at start.
    pub tenants: Vec<TenantSettings>,
}

/// Reads a file and the environment. Relative paths in the file are relative to its folder.
///
/// # Errors
/// What is wrong, and where.
pub fn load(file: &Path, environment: &Environment) -> Result<Settings, ConfigError> {
    let text = std::fs::read_to_string(file)
        .map_err(|source| ConfigError::Unreadable { file: file.to_owned(), source })?;
    let mut settings = parse(&text, environment, &file.display().to_string())?;
    let folder = file.parent().unwrap_or(Path::new(""));
    settings.resolve_paths(folder);
    Ok(settings)
}

/// Reads settings from a text and the environment; `name` is what errors call the text.
///
/// # Errors
/// What is wrong, and where.
pub fn parse(text: &str, environment: &Environment, name: &str) -> Result<Settings, ConfigError> {
    let wrong = |error: config::ConfigError| ConfigError::Wrong {
        name: name.to_owned(),
        detail: on_one_line(&error.to_string()),
    };
    let mut builder =
        config::Config::builder().add_source(config::File::from_str(text, config::FileFormat::Toml));
    for (path, value) in environment.overrides()? {
        builder = builder.set_override(path, value).map_err(wrong)?;
    }
    let mut settings: Settings = builder.build().map_err(wrong)?.try_deserialize().map_err(wrong)?;
    environment.apply(&mut settings)?;
    Ok(settings)
}

/// What a TOML parser says over several lines, without its picture of the place: line and column stand
/// before it.
fn on_one_line(text: &str) -> String {
    let picture = |line: &str| {
        line.trim_start_matches([' ', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']).starts_with('|')
    };
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !picture(line))
        .collect::<Vec<_>>()
        .join(": ")
}

impl Settings {
    /// How long any link may live, in seconds.
    #[must_use]
    pub fn longest_life(&self) -> u64 {
        self.signing.ttl_seconds.max(self.delivery.private_ttl)
    }

    fn resolve_paths(&mut self, folder: &Path) {
        let resolve = |path: &mut PathBuf| {
            if path.is_relative() {
                *path = folder.join(&*path);
            }
        };
        resolve(&mut self.store.path);
        for key in &mut self.signing.keys {
            key.private_key_file.iter_mut().for_each(resolve);
            key.public_key_file.iter_mut().for_each(resolve);
        }
        self.server.tls.certificate_file.iter_mut().for_each(resolve);
        self.server.tls.private_key_file.iter_mut().for_each(resolve);
        self.auth.jwks_file.iter_mut().for_each(resolve);
    }
}

/// Settings that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("can't read the settings in {}: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file of a profile can't be read.
    #[error("can't read the profile in {}: {source}", file.display())]
    UnreadableProfile {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A field of a profile's file is unknown, or of the wrong type.
    #[error("wrong profile in {}: {detail}", file.display())]
    WrongProfile {
        /// The file.
        file: PathBuf,
        /// Which, and why.
        detail: String,
    },
    /// A setting is unknown, of the wrong type, or impossible.
    #[error("wrong settings in {name}: {detail}")]
    Wrong {
        /// The file.
        name: String,
        /// Which, and why.
        detail: String,
    },
    /// A variable of the environment can't be used.
    #[error("wrong setting in the environment variable {variable}: {detail}")]
    Variable {
        /// Its name.
        variable: String,
        /// Why.
        detail: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::of(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn nothing_set_means_the_defaults() {
        let settings = parse("", &environment(&[]), "test").unwrap();
        assert_eq!(settings.signing.ttl_seconds, 300);
        assert_eq!(settings.cdn.path, "vivreal-{key}");
    }

    #[test]
    fn an_unknown_setting_is_an_error_wherever_it_stands() {
        let error = parse("[signing]\nttl = 3", &environment(&[]), "test").unwrap_err().to_string();
        assert!(error.contains("ttl"), "{error}");
        let error =
            parse("", &environment(&[("SIGNET__SIGNING__TTL", "3")]), "test").unwrap_err().to_string();
        assert!(error.contains("ttl"), "{error}");
        let error = parse("", &environment(&[("SIGNET__SERVER", "3")]), "test").unwrap_err().to_string();
        assert!(error.contains("SIGNET__SERVER"), "{error}");
    }

    #[test]
    fn an_error_is_one_line_that_says_where_it_is() {
        for (text, place) in
            [("a = 1\nx y\n", "line 2, column 3"), ("[signing\n", "line 1"), ("a = \"\n", "line 1")]
        {
            let error = parse(text, &environment(&[]), "test").unwrap_err().to_string();
            assert!(error.contains(place) && !error.contains(['\n', '|']), "{error}");
        }
    }

    #[test]
    fn the_environment_wins_and_vivreals_names_work() {
        let text = "[signing]\nttl_seconds = 600\n[cdn]\nbase_url = \"https://a.example\"";
        let settings = parse(
            text,
            &environment(&[
                ("CLOUDFRONT_SIGNED_URL_TTL_SECONDS", "86400"),
                ("CDN_BASE_URL", "https://media.vivreal.io"),
                ("MEDIA_BUCKET_PREFIX", "acme-"),
                ("MEDIA_PUBLIC_BASE_URL", "https://cdn.example.com"),
                ("CLOUDFRONT_SIGNING_PRIVATE_KEY", "-----BEGIN…"),
                ("CLOUDFRONT_SIGNING_KEY_PAIR_ID", "K1"),
                ("SIGNET_LISTEN", "127.0.0.1:1"),
                ("SIGNET__DELIVERY__PRIVATE_TTL", "120"),
                ("CLUSTER_URL", "mongodb+srv://cluster.example"),
                ("SIGNET__STORE__MONGODB__POOL_SIZE", "5"),
            ]),
            "test",
        )
        .unwrap();
        assert_eq!(settings.signing.ttl_seconds, 86_400);
        assert_eq!(settings.cdn.base_url, "https://media.vivreal.io");
        assert_eq!((settings.cdn.path.as_str(), settings.cdn.bucket.as_str()), ("acme-{key}", "acme-{key}"));
        assert_eq!(settings.signing.keys.len(), 1);
        assert_eq!(settings.signing.keys[0].id, "K1");
        assert_eq!(settings.server.listen, "127.0.0.1:1");
        assert_eq!(settings.delivery.private_ttl, 120);
        let mongodb = settings.store.mongodb;
        assert_eq!(mongodb.uri.unwrap().expose(), "mongodb+srv://cluster.example");
        assert_eq!((mongodb.pool_size, settings.store.assets), (5, AssetsSetting::Embedded));
        assert_eq!(settings.delivery.public_base_url.as_deref(), Some("https://cdn.example.com"));
        assert_eq!(settings.delivery.public, PublicSetting::Signed, "an origin alone changes nothing");
    }

    #[test]
    fn parts_of_a_section_can_be_set_by_the_environment() {
        let settings = parse(
            "[store.s3]\nattempts = 2",
            &environment(&[
                ("SIGNET__STORE__OBJECTS", "s3"),
                ("SIGNET__STORE__S3__PATH_STYLE", "true"),
                ("MEDIA_S3_BUCKET", "media"),
            ]),
            "test",
        )
        .unwrap();
        assert_eq!(settings.store.objects, ObjectsSetting::S3);
        assert_eq!((settings.store.s3.path_style, settings.store.s3.attempts), (true, 2));
        assert_eq!((settings.cdn.path.as_str(), settings.cdn.bucket.as_str()), ("{tenant}", "media"));
        for name in ["SIGNET__STORE__S3__BUCKET", "SIGNET__STORE__S3__A__B", "SIGNET__STORE__S4__REGION"] {
            let error = parse("", &environment(&[(name, "x")]), "test").unwrap_err().to_string();
            assert!(error.to_ascii_lowercase().contains("s3") || error.contains("s4"), "{error}");
        }
    }

    #[test]
    fn half_a_key_pair_is_an_error() {
        let half = environment(&[("CLOUDFRONT_SIGNING_KEY_PAIR_ID", "K1")]);
        let error = parse("", &half, "test").unwrap_err().to_string();
        assert!(error.contains("CLOUDFRONT_SIGNING_PRIVATE_KEY"), "{error}");
    }

    #[test]
    fn a_private_key_comes_from_exactly_one_source() {
        let keys = |lines: &str| {
            let text = format!("[[signing.keys]]\nid = \"K1\"\n{lines}");
            parse(&text, &environment(&[("PEM_OF_K1", "pem")]), "test").map(|settings| settings.signing.keys)
        };
        let from_environment = keys("private_key_env = \"PEM_OF_K1\"").unwrap();
        assert!(
            matches!(from_environment[0].source(), Ok(KeySource::Environment(key)) if key.expose() == "pem")
        );
        let error = keys("private_key_env = \"PEM_OF_K2\"").unwrap_err().to_string();
        assert!(error.contains("PEM_OF_K2") && error.contains("K1"), "{error}");
        let secret = keys("private_key_secret = \"a/b\"\nprivate_key_secret_field = \"pem\"").unwrap();
        assert!(matches!(secret[0].source(), Ok(KeySource::Secret { name: "a/b", field: Some("pem") })));
        for lines in [
            "",
            "private_key_file = \"a\"\nprivate_key_secret = \"b\"",
            "private_key_file = \"a\"\nprivate_key_env = \"PEM_OF_K1\"",
            "private_key_file = \"a\"\nprivate_key_secret_field = \"b\"",
            "private_key_secret = \"a\"\nid_secret_field = \"b\"",
        ] {
            assert!(keys(lines).unwrap()[0].source().is_err(), "{lines}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let secret = environment(&[
            ("CLOUDFRONT_SIGNING_PRIVATE_KEY", "hush"),
            ("CLOUDFRONT_SIGNING_KEY_PAIR_ID", "K1"),
        ]);
        let settings = parse("[[tenants]]\nid=\"t\"\nkey=\"k\"\napi_key=\"hush\"", &secret, "test").unwrap();
        assert!(!format!("{settings:?}").contains("hush"));
    }
}
