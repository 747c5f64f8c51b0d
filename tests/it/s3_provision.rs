//! `signet tenant provision` and `signet check`, with a real server.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::support::SIGNET;
use crate::support::program::run;
use crate::support::s3::{DISTRIBUTION, ORIGIN, server};
use crate::support::settings::two_tenants;

/// What a run has said, and its exit code.
struct Said {
    code: Option<i32>,
    answer: String,
    diagnostics: String,
}

impl Said {
    /// The states of the steps, in order.
    fn states(&self) -> Vec<(&str, &str)> {
        let steps = ["bucket", "public access block", "encryption", "policy", "cors"];
        let states = ["so already", "to be done", "done", "failed"];
        let step = |line: &'_ str| {
            let name = steps.into_iter().find(|name| line.starts_with(&format!("{name}  ")))?;
            let rest = line[name.len()..].trim_start();
            Some((name, states.into_iter().find(|state| rest.starts_with(state)).unwrap()))
        };
        self.answer.lines().filter_map(step).collect()
    }
}

/// Settings with a layout, and the program with the server's environment.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new(layout: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let settings = two_tenants(folder.path(), layout, "vectors/rsa", false);
        std::fs::write(folder.path().join("signet.toml"), format!("[cdn]\n{settings}")).unwrap();
        Self { folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("signet.toml")
    }

    fn run(&self, args: &[&str], environment: &[(&str, &str)]) -> Said {
        let mut command = Command::new(SIGNET);
        command.args(args).arg("--config").arg(self.file()).env_clear();
        command.envs(server().environment(&server().address)).envs(environment.iter().copied());
        let output = run(&mut command, b"");
        Said {
            code: output.status.code(),
            answer: String::from_utf8(output.stdout).unwrap(),
            diagnostics: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn provision(&self, more: &[&str]) -> Said {
        let args = ["tenant", "provision", "anna", "--distribution-arn", DISTRIBUTION, "--origin", ORIGIN];
        self.run(&[&args[..], more].concat(), &[])
    }
}

/// This server has no public access block: the step says so, and nothing else waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_first_described_then_made_then_left_alone() {
    let place = Place::new("path = \"vivreal-{key}\"\nbucket = \"made-{key}\"");
    let failed = ("public access block", "failed");
    let dry = place.provision(&[]);
    let to_be_done =
        ["bucket", "public access block", "encryption", "policy", "cors"].map(|step| (step, "to be done"));
    assert_eq!((dry.code, dry.states()), (Some(0), to_be_done.to_vec()), "{}", dry.diagnostics);
    assert!(dry.answer.contains("made-anna in eu-central-1"), "{}", dry.answer);
    assert!(dry.answer.contains("\"Resource\":\"arn:aws:s3:::made-anna/*\""), "{}", dry.answer);
    assert!(dry.answer.ends_with("nothing was changed; --apply does it\n"), "{}", dry.answer);
    assert_eq!(place.provision(&[]).states(), dry.states(), "it was only said");

    let applied = place.provision(&["--apply"]);
    let done = |state: &'static str| {
        vec![("bucket", state), failed, ("encryption", state), ("policy", state), ("cors", state)]
    };
    assert_eq!((applied.code, applied.states()), (Some(1), done("done")), "{}", applied.answer);
    assert!(applied.answer.contains("this server lacks the operation (NotImplemented"), "{}", applied.answer);
    for more in [&[][..], &["--apply"]] {
        let again = place.provision(more);
        assert_eq!((again.code, again.states()), (Some(1), done("so already")), "{}", again.answer);
        assert!(!again.answer.contains("--apply"));
    }

    // Another distribution and origin replace Signet's own statement and rule.
    let other = ["--apply", "--origin", "https://*.example.org"];
    let changed = place.provision(&other).states().contains(&("cors", "done"));
    assert!(changed && place.provision(&other).states().contains(&("cors", "so already")));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bucket_is_made_once_for_all_tenants() {
    let place = Place::new("path = \"{tenant}\"\nbucket = \"made-media\"");
    let first = place.provision(&["--apply"]);
    assert!(first.answer.starts_with("all tenants share one bucket: "), "{}", first.answer);
    assert_eq!(first.states()[0], ("bucket", "done"));
    let args = ["tenant", "provision", "ben", "--distribution-arn", DISTRIBUTION, "--origin", ORIGIN];
    let second = place.run(&args, &[]);
    assert_eq!(second.states()[0], ("bucket", "so already"), "{}", second.answer);
    assert!(!second.states().iter().any(|(_, state)| *state == "to be done"), "{}", second.answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_named_before_anything_is_done() {
    let by_key = Place::new("path = \"{tenant}\"\nbucket = \"named-{key}\"");
    let by_id = Place::new("path = \"{tenant}\"\nbucket = \"made-{tenant}\"");
    let arn = ["--distribution-arn", DISTRIBUTION];
    let origin = ["--origin", ORIGIN];
    let both = [&arn[..], &origin].concat();
    for (place, key, more, environment, expected) in [
        (&by_key, "anna", &origin[..], [("A", "b")], "cdn.distribution_arn: is needed"),
        (&by_key, "anna", &arn, [("A", "b")], "store.s3.upload_origins: is needed"),
        (&by_key, "anna", &both, [("SIGNET__STORE__OBJECTS", "embedded")], "store.objects: "),
        (&by_key, "anna", &both, [("AWS_SECRET_ACCESS_KEY", "")], "there are no AWS credentials"),
        (&by_key, "anna", &both, [("AWS_REGION", "")], "store.s3.region: no AWS region is set"),
        (&by_id, "nobody", &both, [("A", "b")], "--id: is needed"),
        (&by_key, "a_b", &both, [("A", "b")], "KEY: must be"),
        (&by_key, "anna", &[&origin[..], &["--distribution-arn", "E1"]].concat(), [("A", "b")], "is no ARN"),
        (&by_key, "anna", &[&arn[..], &["--origin", "*"]].concat(), [("A", "b")], "must be an origin"),
        (&by_id, "anna", &both, [("A", "b")], "cdn.bucket: gives the name \"made-t_anna\""),
    ] {
        let said = place.run(&[&["tenant", "provision", key][..], more].concat(), &environment);
        assert_eq!((said.code, said.answer.as_str()), (Some(1), ""), "{key} {more:?}");
        assert!(said.diagnostics.contains(expected), "{key} {more:?}: {}", said.diagnostics);
        assert_eq!(said.diagnostics.lines().count(), 1, "{}", said.diagnostics);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_asks_for_the_bucket() {
    let place = Place::new("path = \"{tenant}\"\nbucket = \"checked-media\"");
    let missing = place.run(&["check"], &[]);
    assert_eq!(missing.code, Some(1), "{}", missing.answer);
    assert!(missing.diagnostics.contains("checked-media: "), "{}", missing.diagnostics);
    server().make_bucket("checked-media").await;
    let there = place.run(&["check"], &[]);
    assert_eq!(there.code, Some(0), "{}", there.diagnostics);
    assert!(there.answer.contains("objects     ok  S3, region eu-central-1, the bucket checked-media"));

    let place = Place::new("path = \"vivreal-{key}\"\nbucket = \"vivreal-{key}\"");
    let each = place.run(&["check"], &[]);
    assert_eq!(each.code, Some(0), "{}", each.diagnostics);
    assert!(each.answer.contains("a bucket a tenant, vivreal-{key}: "), "{}", each.answer);
    let nobody = place.run(&["check"], &[("AWS_ACCESS_KEY_ID", "")]);
    assert_eq!(nobody.code, Some(1), "{}", nobody.answer);
    assert!(nobody.diagnostics.contains("there are no AWS credentials"), "{}", nobody.diagnostics);
}
