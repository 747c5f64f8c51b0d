//! What is shipped for deployment fits the program.

use std::path::{Path, PathBuf};

use signet::config::{AssetsSetting, Environment, ObjectsSetting, load};

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

/// The environment of the service `signet` in `compose.yaml`, which stands there a line each.
fn composed_environment(compose: &str) -> Vec<(String, String)> {
    let lines = compose.lines().skip_while(|line| *line != "    environment:").skip(1);
    let lines = lines.take_while(|line| line.starts_with("      "));
    let pairs = lines.map(|line| line.trim().split_once(": ").unwrap());
    pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect()
}

#[test]
fn the_settings_of_compose_are_known_and_use_what_stands_beside() {
    let compose = std::fs::read_to_string(deploy("compose.yaml")).unwrap();
    let environment = composed_environment(&compose);
    assert!(environment.len() > 4, "{environment:?}");
    let settings = load(&deploy("compose/signet.toml"), &Environment::of(environment)).unwrap();
    assert_eq!(settings.store.assets, AssetsSetting::Mongodb);
    assert_eq!(settings.store.objects, ObjectsSetting::S3);
    let uri = settings.store.mongodb.uri.unwrap();
    assert_eq!(uri.expose(), "mongodb://mongo:27017/?replicaSet=rs0");
    assert!(compose.contains("\n  mongo:\n") && compose.contains("\n  s3:\n"), "services of these names");
    assert_eq!(settings.store.s3.public_endpoint.as_deref(), Some("http://127.0.0.1:8333"));
}

#[test]
fn what_compose_mounts_and_builds_is_there() {
    let compose = std::fs::read_to_string(deploy("compose.yaml")).unwrap();
    let mounts =
        compose.lines().filter_map(|line| line.trim().trim_start_matches(['-', ' ']).strip_prefix("./"));
    let mounts: Vec<&str> = mounts.map(|mount| mount.split(':').next().unwrap()).collect();
    assert!(mounts.contains(&"compose/signet.toml"), "{mounts:?}");
    // The keys are made by whoever deploys.
    for mount in mounts.into_iter().filter(|mount| *mount != "compose/keys") {
        assert!(deploy(mount).exists(), "{mount}");
    }
    let dockerfile = std::fs::read_to_string(deploy("Dockerfile")).unwrap();
    let copied = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "))
        .filter(|line| !line.starts_with("--"));
    for line in copied {
        let (sources, _) = line.rsplit_once(' ').unwrap();
        for source in sources.split(' ') {
            assert!(deploy("..").join(source).exists(), "{source}");
        }
    }
}
