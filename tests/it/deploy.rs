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
}

/// No key, no data and no other folder of the project is sent to whoever builds the image.
#[test]
fn the_image_is_made_of_sources_alone() {
    let dockerfile = std::fs::read_to_string(deploy("Dockerfile")).unwrap();
    let copied = dockerfile.lines().filter_map(|line| line.strip_prefix("COPY "));
    let mut copied: Vec<&str> = copied
        .filter(|line| !line.starts_with("--"))
        .flat_map(|line| line.rsplit_once(' ').unwrap().0.split(' '))
        .collect();
    copied.sort_unstable();
    for source in &copied {
        assert!(deploy("..").join(source).exists(), "{source}");
    }
    let ignored = std::fs::read_to_string(deploy("../.dockerignore")).unwrap();
    let (all, let_through): (Vec<&str>, Vec<&str>) =
        ignored.lines().filter(|line| !line.starts_with('#')).partition(|line| !line.starts_with('!'));
    let mut sent: Vec<&str> = let_through.iter().map(|line| line.trim_start_matches('!')).collect();
    sent.sort_unstable();
    assert_eq!((all, sent), (vec!["*"], copied));
}

/// The number after this, in a text that has it once.
fn number_after(text: &str, before: &str) -> u64 {
    let (_, after) = text.split_once(before).unwrap_or_else(|| panic!("{before} is missing"));
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

#[test]
fn whoever_stops_signet_waits_for_its_drain() {
    let server = signet::config::ServerSettings::default();
    let unit = std::fs::read_to_string(deploy("systemd/signet.service")).unwrap();
    let compose = std::fs::read_to_string(deploy("compose.yaml")).unwrap();
    for grace in [number_after(&unit, "\nTimeoutStopSec="), number_after(&compose, "stop_grace_period: ")] {
        assert!(grace > server.lame_duck_seconds + server.drain_seconds, "{grace} s");
    }
    let files = number_after(&unit, "\nLimitNOFILE=");
    assert!(files > 2 * u64::try_from(server.max_connections).unwrap(), "{files}");
}

#[test]
fn containers_are_asked_by_the_program_itself() {
    let command = r#"["/usr/local/bin/signet", "health"]"#;
    let dockerfile = std::fs::read_to_string(deploy("Dockerfile")).unwrap();
    assert!(dockerfile.contains(&format!(" CMD {command}\n")));
    let compose = std::fs::read_to_string(deploy("compose.yaml")).unwrap();
    assert!(compose.contains(&command.replace('[', r#"["CMD", "#)));
    assert_eq!(crate::support::program::signet(&["health", "--help"], b"").code, 0);
}

/// What a node may do, in the template and in the docs.
#[test]
fn a_node_may_do_what_the_docs_say_and_no_more() {
    let template = std::fs::read_to_string(deploy("cloudformation.yaml")).unwrap();
    let docs = std::fs::read_to_string(deploy("../docs/operations.md")).unwrap();
    let actions = |text: &str, from: &str, to: &str| {
        let (_, text) = text.split_once(from).unwrap_or_else(|| panic!("{from:?} isn't there"));
        let text = text.split(to).next().unwrap();
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != ':');
        let mut actions: Vec<String> =
            words.filter(|word| word.starts_with("s3:") && word.len() > 3).map(str::to_owned).collect();
        // The names of buckets: `arn:aws:s3:::vivreal-*`.
        actions.retain(|action| !action.starts_with("s3::"));
        actions.sort();
        actions.dedup();
        actions
    };
    let node = actions(&template, "  NodePolicy:\n", "  ProvisionPolicy:\n");
    assert_eq!(node, actions(&docs, "What a node needs, and no more.", "A presigned request can do"));
    let provision = actions(&template, "  ProvisionPolicy:\n", "\nOutputs:\n");
    assert_eq!(provision, actions(&docs, "needs, on the buckets:", "\n\n"));
    let reads = ["s3:ListBucket", "s3:ListBucketVersions", "s3:GetBucketVersioning"];
    let harmless = |action: &String| !action.contains("Bucket") || reads.contains(&action.as_str());
    assert!(!node.is_empty() && node.iter().all(harmless));
}

/// No policy lets a node, or whoever provisions, use buckets of other accounts.
#[test]
fn policies_are_bound_to_the_account() {
    let template = std::fs::read_to_string(deploy("cloudformation.yaml")).unwrap();
    let statements: Vec<&str> = template.split("- Sid: ").skip(1).collect();
    let of_s3: Vec<&&str> = statements.iter().filter(|statement| statement.contains(" s3:")).collect();
    assert_eq!(of_s3.len(), 4, "files, whether they are there, buckets, new buckets");
    for statement in of_s3 {
        let operator =
            if statement.contains("s3:CreateBucket") { "StringEqualsIfExists" } else { "StringEquals" };
        let condition =
            format!("Condition: {{{operator}: {{\"aws:ResourceAccount\": !Ref AWS::AccountId}}}}");
        assert!(statement.contains(&condition), "{statement}");
    }
    let docs = std::fs::read_to_string(deploy("../docs/operations.md")).unwrap();
    let mut printed = 0;
    for block in docs.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap()) {
        let policy: serde_json::Value = serde_json::from_str(block).unwrap();
        for statement in policy["Statement"].as_array().into_iter().flatten() {
            let account = &statement["Condition"]["StringEquals"]["aws:ResourceAccount"];
            assert!(account.is_string(), "{statement}");
            printed += 1;
        }
    }
    assert!(printed >= 2, "{printed}");
}

/// Whoever uploads doesn't say how long others keep a file, and a signed link never goes over the network in clear.
#[test]
fn the_distribution_decides_about_caches_and_asks_for_https() {
    let template = std::fs::read_to_string(deploy("cloudformation.yaml")).unwrap();
    assert!(!template.contains("Override: false"));
    assert_eq!(template.matches("Header: Cache-Control").count(), 2);
    let behaviours: Vec<&str> = template.split("TargetOriginId: media").skip(1).collect();
    assert_eq!(behaviours.len(), 4);
    for behaviour in behaviours {
        let is_signed = behaviour.split("FunctionAssociations").next().unwrap().contains("TrustedKeyGroups");
        let expected = if is_signed { "https-only" } else { "redirect-to-https" };
        let (_, policy) = behaviour.split_once("ViewerProtocolPolicy: ").unwrap();
        assert_eq!(policy.lines().next(), Some(expected), "{behaviour}");
    }
}

/// A tag may lead to another image tomorrow; a digest is what was looked at.
#[test]
fn base_images_are_named_by_their_digests() {
    let dockerfile = std::fs::read_to_string(deploy("Dockerfile")).unwrap();
    let images: Vec<&str> =
        dockerfile.lines().filter_map(|line| line.strip_prefix("FROM ")?.split(' ').next()).collect();
    assert_eq!(images.len(), 2);
    for image in images {
        let (tag, digest) = image.split_once("@sha256:").unwrap_or_else(|| panic!("{image} has no digest"));
        assert!(tag.contains(':'), "{image}: the tag says to people what it is");
        assert!(digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{image}");
    }
}
