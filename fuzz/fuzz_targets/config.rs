//! Settings, as somebody in a hurry might write them.
//!
//! 1. Nothing panics, and what is wrong is said on one line.
//! 2. A secret is shown neither in errors nor in settings.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signet::config::{Environment, parse};
use signet::service::layout::Template;

const SECRET: &str = "hush-0123456789";

// TOML; after a line of `---`, variables of the environment, a line each.
fuzz_target!(|text: &str| {
    let (toml, variables) = text.split_once("\n---\n").unwrap_or((text, ""));
    let variables = variables.lines().filter_map(|line| line.split_once('='));
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let secrets = ["CLOUDFRONT_SIGNING_PRIVATE_KEY", "SIGNET__AUTH__HS256_SECRET", "CLUSTER_URL"];
    let id = ("CLOUDFRONT_SIGNING_KEY_PAIR_ID".to_owned(), "K2JCJMDEHXQW5F".to_owned());
    let secrets = secrets.map(|name| (name.to_owned(), SECRET.to_owned()));
    let environment = Environment::of(variables.chain(secrets).chain([id]));
    match parse(toml, &environment, "fuzz") {
        Ok(settings) => {
            assert!(!format!("{settings:?}").contains(SECRET) || text.contains(SECRET), "{settings:?}");
            let _ = Template::parse(&settings.cdn.path);
            for key in &settings.signing.keys {
                let _ = key.source();
            }
        }
        Err(error) => {
            let error = error.to_string();
            assert!(!error.contains(SECRET) || text.contains(SECRET), "{error}");
            assert!(error.lines().count() <= 1 || toml.contains(['\r', '\\']), "{error}");
        }
    }
});
