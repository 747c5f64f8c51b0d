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

#[test]
fn the_table_of_attacks_names_tests_that_are_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/security");
    let text = page("docs/security.md");
    let named: Vec<(&str, &str)> = text.split('`').filter_map(|code| code.split_once("::")).collect();
    assert!(named.len() > 40, "{named:?}");
    for (file, test) in &named {
        let source = fs::read_to_string(folder.join(format!("{file}.rs"))).unwrap_or_default();
        assert!(source.contains(&format!("fn {test}(")), "there is no test {file}::{test}");
    }
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let listed = named.iter().any(|(file, _)| *file == name);
        assert!(listed || name == "mod", "docs/security.md names no test of {name}");
    }
}
