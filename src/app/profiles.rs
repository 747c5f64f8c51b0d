//! Profiles of documents: from settings, or from a file, to rules.
//!
//! 1. [`profiles`]: what a node knows, the shipped ones and `[documents.profiles]`.
//! 2. [`of_argument`]: what `signet document --profile` names.
//! 3. [`report`]: what `signet check` says of them.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use super::StartError;
use crate::config::{ProfileSettings, ReferencesSetting, Settings};
use crate::document::{Limits, MediaHost, Profile, ProfileError, References, Rules};
use crate::service::Profiles;

/// The profiles of the settings. `origins` are those of the distribution.
///
/// # Errors
/// The setting that can't be.
pub fn profiles(settings: &Settings, origins: &[String]) -> Result<Profiles, StartError> {
    let documents = &settings.documents;
    let references = references(documents.references);
    let limits = Limits { depth: documents.max_depth, links: documents.max_links };
    let rules = |profile, origins: &[String], references| Rules {
        profile,
        hosts: origins.iter().map(|origin| MediaHost::origin(origin)).collect(),
        references,
        limits,
    };
    let mut named: Vec<(String, Rules)> = Profile::SHIPPED
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), rules(Profile::shipped(name)?, origins, references))))
        .collect();
    for (name, given) in &documents.profiles {
        let place = format!("documents.profiles.{name}");
        check_name(name).map_err(|detail| StartError::setting(&place, detail))?;
        let profile = profile(given).map_err(|error| wrong_field(&place, &error))?;
        let hosts = match &given.hosts {
            Some(hosts) => own_hosts(hosts, origins)
                .map_err(|detail| StartError::setting(format!("{place}.hosts"), detail))?,
            None => origins.to_vec(),
        };
        let references = given.references.map_or(references, self::references);
        named.push((name.clone(), rules(profile, &hosts, references)));
    }
    Profiles::new(&documents.profile, named).map_err(|error| StartError::setting("documents.profile", error))
}

/// Checks that a tenant's profile is one of the settings'.
///
/// # Errors
/// What there is.
pub fn check_known(settings: &Settings, name: &str) -> Result<(), String> {
    let own = settings.documents.profiles.keys().map(String::as_str);
    let known: BTreeSet<&str> = Profile::SHIPPED.into_iter().chain(own).collect();
    if known.contains(name) {
        return Ok(());
    }
    let known: Vec<&str> = known.into_iter().collect();
    Err(format!("there is no profile {name:?}; there are {}", known.join(", ")))
}

/// A shipped profile by its name, or one from a file.
///
/// # Errors
/// The file, and the field of it that can't be.
pub fn of_argument(name: &str) -> Result<Profile, StartError> {
    if let Some(shipped) = Profile::shipped(name) {
        return Ok(shipped);
    }
    let file = Path::new(name);
    if !file.exists() {
        let shipped = Profile::SHIPPED.join(", ");
        let detail = format!("{name:?} is no file, and no shipped profile; these are {shipped}");
        return Err(StartError::setting("--profile", detail));
    }
    let given = ProfileSettings::load(file)?;
    for (field, set, option) in [
        ("hosts", given.hosts.is_some(), "--host"),
        ("references", given.references.is_some(), "--references"),
    ] {
        if set {
            let detail = format!("is a setting of a node; give {option} instead");
            return Err(StartError::setting(format!("{name}: {field}"), detail));
        }
    }
    profile(&given).map_err(|error| StartError::setting(format!("{name}: {}", error.field), error.detail))
}

/// What `signet check` says: a line for each profile.
pub fn report(profiles: &Profiles) -> String {
    let mut report = String::new();
    for (name, rules, default) in profiles.all() {
        let Profile { key, output, .. } = &rules.profile;
        let default = if default { ", the default" } else { "" };
        // Writing to a String can't fail.
        let _ = writeln!(report, "profile     ok  {name}: {key} → {output}{default}");
    }
    report.trim_end().to_owned()
}

/// The profile that the fields describe, checked.
fn profile(given: &ProfileSettings) -> Result<Profile, ProfileError> {
    let like = given.like.as_deref().unwrap_or(Profile::SHIPPED[0]);
    let mut profile = Profile::shipped(like).ok_or_else(|| {
        let detail = format!("{like:?} is no shipped profile; these are {}", Profile::SHIPPED.join(", "));
        ProfileError { field: "like", detail }
    })?;
    macro_rules! take {
        ($($field:ident)+) => { $(if let Some(value) = &given.$field { profile.$field.clone_from(value); })+ };
    }
    take!(key companions strong kind kinds name meta derivatives derivative_format);
    take!(output source srcset write_src key_members id_members);
    profile.check()?;
    Ok(profile)
}

fn check_name(name: &str) -> Result<(), String> {
    if Profile::SHIPPED.contains(&name) {
        return Err(format!("is a shipped profile; take another name, with like = {name:?}"));
    }
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    if !(1..=64).contains(&name.len()) || !name.bytes().all(plain) {
        return Err("the name of a profile must be 1 to 64 of a-z 0-9 - _".to_owned());
    }
    Ok(())
}

/// The origins that are named, as the distribution has them.
fn own_hosts(hosts: &[String], origins: &[String]) -> Result<Vec<String>, String> {
    let bare = |origin: &str| origin.trim_end_matches('/').to_owned();
    let own = |host: &String| {
        let found = origins.iter().find(|origin| bare(origin) == bare(host));
        found.cloned().ok_or_else(|| {
            format!("{host:?} is neither [cdn] base_url nor one of its aliases: {}", origins.join(", "))
        })
    };
    hosts.iter().map(own).collect()
}

fn references(setting: ReferencesSetting) -> References {
    match setting {
        ReferencesSetting::Inline => References::Inline,
        ReferencesSetting::Object => References::Object,
        ReferencesSetting::Leave => References::Leave,
    }
}

fn wrong_field(place: &str, error: &ProfileError) -> StartError {
    StartError::setting(format!("{place}.{}", error.field), &error.detail)
}
