//! That the docs keep up with the code.

use std::fs;
use std::path::Path;

use signet::config::{Environment, load};
use signet::document::Reason;
use signet::http::problem::Kind;

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[test]
fn every_problem_and_every_reason_is_documented() {
    let api = page("docs/api.md");
    for kind in Kind::ALL {
        let row = format!("| `{}` | {} |", kind.slug(), kind.status().as_u16());
        assert!(api.contains(&row), "docs/api.md has no row {row}");
    }
    for reason in Reason::ALL {
        assert!(api.contains(&format!("`{}`", reason.as_str())), "docs/api.md lacks {}", reason.as_str());
    }
}

#[test]
fn the_commented_settings_are_the_defaults() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/signet.toml");
    let settings = load(&file, &Environment::of([])).unwrap();
    let mut shown = settings.clone();
    let mut defaults = signet::config::Settings::default();
    // What has no default: a key pair and a tenant as examples, and a folder beside the file.
    shown.signing.keys.clear();
    shown.tenants.clear();
    defaults.store.path = settings.store.path;
    assert_eq!(format!("{shown:?}"), format!("{defaults:?}"));
}
