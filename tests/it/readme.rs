//! The README's session, run as a reader would run it: what it prints is what the README shows,
//! but for ids, times, signatures and ports.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::support::program::run;
use crate::support::{Node, SIGNET};

const SESSION: &str = include_str!("../../src/app/dev/session.sh");

/// A part of the session, and what the README shows below it.
struct Step {
    commands: String,
    shown: String,
}

#[test]
fn the_session_does_what_it_shows() {
    let steps = steps(&fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap());
    let commands: Vec<&str> = steps.iter().map(|step| step.commands.trim_end()).collect();
    assert_eq!(commands.join("\n\n"), SESSION.trim_end(), "the README and `signet dev` show one session");

    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("target")).unwrap();
    symlink(Path::new(SIGNET).parent().unwrap(), folder.path().join("target/debug")).unwrap();
    let _node = Node::dev(&folder.path().join(".signet"), &[]);

    let mark = "=====";
    let script: String = steps.iter().map(|step| format!("{}\necho {mark}\n", step.commands)).collect();
    let run = run(Command::new("bash").args(["-euo", "pipefail", "-c", &script]).current_dir(&folder), b"");
    let diagnostics = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{diagnostics}");
    let printed = String::from_utf8(run.stdout).unwrap();
    let printed: Vec<&str> = printed.split(&format!("{mark}\n")).collect();
    for (step, printed) in steps.iter().zip(printed) {
        assert_eq!(plain(&step.shown), plain(printed), "after:\n{}\n{diagnostics}", step.commands);
    }
}

/// The `sh` blocks of the section with the session, each with the `text` block that follows it.
fn steps(readme: &str) -> Vec<Step> {
    let section = readme.split("\n## ").find(|section| section.starts_with("A session")).unwrap();
    let mut steps: Vec<Step> = Vec::new();
    for block in section.split("\n```").collect::<Vec<_>>().chunks_exact(2).map(|pair| pair[1]) {
        if let Some(commands) = block.strip_prefix("sh\n") {
            steps.push(Step { commands: format!("{commands}\n"), shown: String::new() });
        } else if let Some(shown) = block.strip_prefix("text\n") {
            steps.last_mut().unwrap().shown = format!("{shown}\n");
        }
    }
    assert!(steps.len() > 3, "the README has a session");
    steps
}

/// A text with what differs from run to run made the same.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for line in text.lines() {
        let mut line = line.trim_end().to_owned();
        for (before, ends) in [
            ("med_", "/\"?& "),
            ("127.0.0.1:", "/\" "),
            ("Expires=", "&\""),
            ("Signature=", "&\""),
            ("Key-Pair-Id=", "&\" "),
            ("\"createdAt\": \"", "\""),
            ("\"updatedAt\": \"", "\""),
            ("\"expiresAt\": \"", "\""),
            ("EpochTime\":", "}"),
            ("expiry     ", "\n"),
            ("at         ", "\n"),
            ("key pair   ", "\n"),
            ("pass  key        ", ","),
            ("pass  expiry     ", "\n"),
        ] {
            line = blanked(&line, before, ends);
        }
        plain.push_str(&line);
        plain.push('\n');
    }
    plain
}

/// What follows `before`, up to one of `ends`, replaced by an ellipsis, wherever it stands.
fn blanked(line: &str, before: &str, ends: &str) -> String {
    let mut parts = line.split(before);
    let mut blanked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.find(|c| ends.contains(c)).map_or("", |end| &part[end..]);
        blanked.push_str(before);
        blanked.push('…');
        blanked.push_str(rest);
    }
    blanked
}
