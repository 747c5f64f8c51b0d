//! Runs the program as a shell would.

use std::io::Write as _;
use std::process::{Command, Stdio};

pub const ID: &str = "K2JCJMDEHXQW5F";
pub const PAGE: &str = "https://media.vivreal.io/v-x/a%20b.png?w=640";

/// What a run of the program left behind.
pub struct Run {
    pub code: i32,
    pub answer: String,
    pub diagnostics: String,
}

impl Run {
    /// The diagnostics, without how many bytes were read in how much time.
    pub fn told(&self) -> Vec<&str> {
        let line = |line| match line {
            line if str::starts_with(line, "signet: found ") => {
                let (counts, measured) = line.rsplit_once(" in ").unwrap();
                assert!(measured.ends_with("B/s"), "{line}");
                counts.rsplit_once(", ").unwrap().0
            }
            line => line,
        };
        self.diagnostics.lines().map(line).collect()
    }
}

/// A file of the tests' vectors or keys.
pub fn file(name: &str) -> String {
    format!("{}/tests/{name}.pem", env!("CARGO_MANIFEST_DIR"))
}

pub fn signet(args: &[&str], input: &[u8]) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_signet"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A run that refuses its arguments doesn't read.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    Run {
        code: output.status.code().unwrap(),
        answer: String::from_utf8(output.stdout).unwrap(),
        diagnostics: String::from_utf8(output.stderr).unwrap(),
    }
}

/// `signet sign` with a key of the vectors and these further arguments.
pub fn sign_with(key: &str, args: &[&str], input: &[u8]) -> Run {
    let key = file(&format!("vectors/{key}"));
    let mut all = vec!["sign", "--private-key", &key, "--key-pair-id", ID];
    all.extend(args);
    signet(&all, input)
}
