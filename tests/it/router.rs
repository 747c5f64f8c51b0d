//! The CloudFront Function of `deploy/cloudfront`: what it does with CloudFront's events, that it routes by the rules
//! by which Signet signs, and that the template has it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::{Value, json};
use signet::media::ObjectKey;
use signet::service::layout::{Layout, Template};

use crate::support::program::run;

const ID: &str = "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E";
/// What hostile and honest paths are made of.
const ATOMS: [&str; 22] = [
    "/",
    ".",
    "..",
    "a",
    "\\",
    "%",
    "%2e",
    "%2F",
    "%5c",
    "%00",
    "%252e",
    "%252f",
    "%ff",
    "%C3%A9",
    "%c2%85",
    "é",
    "+~",
    "private/",
    "%70rivate/",
    "trash/",
    "%74rash",
    "med_x/",
];
/// First segments, each in place of the honest one.
const TENANTS: [&str; 13] = [
    "",
    ".",
    "..",
    "vivreal-",
    "vivreal-a",
    "vivreal-A",
    "vivreal-a_b",
    "vivreal-a.b",
    "vivreal-..",
    "vivreal-a%62",
    "t_1",
    "T1",
    "other",
];

fn project(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Where the function sends a request.
#[derive(Debug, Deserialize, PartialEq, Eq)]
struct Route {
    bucket: String,
    key: String,
    /// The bucket in the cache key.
    cached: String,
}

/// Both layouts: the function's settings, and Signet's.
fn layouts(delivery: &str) -> [(Value, Layout); 2] {
    [("vivreal-", "", "vivreal-{key}", "vivreal-{key}"), ("vivreal-", "media", "{tenant}", "media")].map(
        |(prefix, one, path, bucket)| {
            let settings = json!({
                "MediaBucketPrefix": prefix, "MediaS3Bucket": one, "BucketRegion": "eu-central-1", "Delivery": delivery,
            });
            let template = |text| Template::parse(text).unwrap();
            (settings, Layout::new("https://m.io", &[], template(path), template(bucket)))
        },
    )
}

/// What the function answers, path by path.
fn routes(settings: &Value, paths: &[String]) -> Vec<Option<Route>> {
    let input = json!({"settings": settings, "paths": paths}).to_string();
    let output = run(Command::new("node").arg(project("tests/cloudfront/answers.mjs")), input.as_bytes());
    assert!(output.status.success(), "{}", output.said());
    let answers: Vec<Option<Route>> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers.len(), paths.len());
    answers
}

/// All that up to three atoms make, behind an honest tenant and with what else leads somewhere.
fn rests() -> Vec<String> {
    let mut rests = vec![String::new()];
    for length in 0..3 {
        let from = if length == 0 { 0 } else { rests.len() - ATOMS.len().pow(length) };
        for at in from..rests.len() {
            rests.extend(ATOMS.map(|atom| format!("{}{atom}", rests[at])));
        }
    }
    let files = ["a.jpg", "b/a.jpg", "", "%2e%2e/a.jpg"];
    let folders = ["", "t_1/", "private/", "private/t_1/", "%70rivate/t_1/", "t_1/x/", "private%2ft_1/"];
    let ids = [ID, "med_x", "med_01jc8z3v5n7q9r1t3w5y7a9c1e", "%6ded_01JC8Z3V5N7Q9R1T3W5Y7A9C1E"];
    for (folder, id) in folders.iter().flat_map(|folder| ids.map(|id| (folder, id))) {
        rests.extend(files.map(|file| format!("{folder}{id}/{file}")));
    }
    rests
}

fn paths(tenant: &str) -> Vec<String> {
    let mut paths: Vec<String> = rests().iter().map(|rest| format!("/{tenant}/{rest}")).collect();
    for tenant in TENANTS {
        paths.extend(["a", "a/b.jpg", "../a", "//a"].map(|rest| format!("/{tenant}/{rest}")));
        paths.push(format!("/{tenant}"));
    }
    paths.push("a/b".to_owned());
    paths.extend([1_024, 1_025].map(|length| format!("/{tenant}/{}", "x".repeat(length))));
    paths
}

/// Whether S3 could have a bucket of this name.
fn is_bucket(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = name.bytes().next().is_some_and(plain) && name.bytes().last().is_some_and(plain);
    ends && (3..=63).contains(&name.len()) && name.bytes().all(|byte| plain(byte) || b".-".contains(&byte))
}

#[test]
fn it_does_with_cloudfronts_events_what_it_says() {
    let run = run(Command::new("node").arg("--test").arg(project("tests/cloudfront")), b"");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
}

#[test]
fn it_finds_what_signet_finds_and_nothing_else() {
    for ((settings, layout), tenant) in layouts("signed").iter().zip(["vivreal-demo", "t_1"]) {
        let paths = paths(tenant);
        let mut served = 0;
        for (path, route) in paths.iter().zip(routes(settings, &paths)) {
            let found = layout.locate(path);
            if let Some(route) = route {
                let found = found.unwrap_or_else(|| panic!("Signet finds nothing at {path}"));
                assert_eq!((&route.bucket, &route.key), (&found.bucket, &found.key), "{path}");
                assert_eq!(route.cached, route.bucket, "{path}");
                served += 1;
            } else if let Some(found) = found {
                // No link of Signet's has an encoded slash; no name that S3 can't have is a bucket.
                let slash = ["%2f", "%5c"].iter().any(|slash| path.to_ascii_lowercase().contains(slash));
                assert!(slash || !is_bucket(&found.bucket), "{path} is refused, and Signet finds {found:?}");
            }
        }
        assert!(served > 1_000 && served < paths.len() / 2, "{served} of {}", paths.len());
    }
}

#[test]
fn whatever_signet_links_to_is_served() {
    for ((settings, layout), tenant) in layouts("signed").iter().zip(["vivreal-demo", "t_1"]) {
        let place = layout.place_of(tenant, if tenant == "t_1" { "media" } else { tenant });
        let keys: Vec<ObjectKey> =
            rests().into_iter().filter_map(|rest| ObjectKey::parse(rest).ok()).collect();
        let path = |key| place.url(key).strip_prefix("https://m.io").unwrap().to_owned();
        let paths: Vec<String> = keys.iter().map(path).collect();
        for (key, route) in keys.iter().zip(routes(settings, &paths)) {
            let expected = place.location(key);
            let (bucket, key) = (expected.bucket.clone(), expected.key);
            assert_eq!(route, Some(Route { bucket, key, cached: expected.bucket }));
        }
    }
}

/// Whether the behaviours of the template serve a path to anybody.
fn is_for_anybody(path: &str) -> bool {
    let after = |needle: &str| path.get(1..).and_then(|rest| rest.split_once(needle)).map(|(_, after)| after);
    after("/private/").is_none() && after("/med_").is_some_and(|rest| rest.contains('/'))
}

#[test]
fn only_public_assets_are_served_to_anybody() {
    for ((settings, layout), tenant) in layouts("stable").iter().zip(["vivreal-demo", "t_1"]) {
        let paths = paths(tenant);
        let (mut open, mut signed) = (0, 0);
        for (path, route) in paths.iter().zip(routes(settings, &paths)) {
            let Some((place, key)) = layout.find(path).filter(|_| route.is_some()) else { continue };
            // Whether patterns are matched against the path as it is, or decoded first.
            let decoded = percent_encoding::percent_decode_str(path).decode_utf8().unwrap().into_owned();
            if is_for_anybody(path) || is_for_anybody(&decoded) {
                assert!(place.is_public_asset(&key), "{path} would be served to anybody");
                open += 1;
            } else {
                signed += 1;
            }
            let own = place.url(&key) == format!("https://m.io{path}");
            assert!(!own || is_for_anybody(path) == place.is_public_asset(&key), "{path}");
        }
        assert!(open > 0 && signed > 1_000, "{open}, {signed}");
    }
}

#[test]
fn the_template_has_it() {
    let run = run(Command::new(project("deploy/cloudfront/build")).arg("--check"), b"");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}
