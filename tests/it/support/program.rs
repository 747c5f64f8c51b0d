//! Runs the program, and others, as a shell would.

use std::io::{Read, Write as _};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long a command may take. Those of the tools of a test take a minute or two on a busy machine.
const LONGEST: Duration = Duration::from_secs(600);
/// How long its output may stay open after its end: processes that it has left behind hold it.
const LEFT_OPEN: Duration = Duration::from_secs(10);

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

/// What a command wrote, and how it ended.
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Ended {
    /// What it wrote to both.
    pub fn said(&self) -> String {
        [&self.stdout, &self.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
    }
}

/// Gives a command its input, and waits for its end while its output is read. It never outlives the test: one that
/// takes too long is killed, and the test fails.
pub fn run(command: &mut Command, input: &[u8]) -> Ended {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_owned());
    // One that refuses its arguments doesn't read.
    std::thread::spawn(move || stdin.write_all(&input));
    let (stdout, stderr) = (read(child.stdout.take().unwrap()), read(child.stderr.take().unwrap()));
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if begun.elapsed() > LONGEST {
            child.kill().unwrap();
            child.wait().unwrap();
            break None;
        }
        // What ends soon is seen soon.
        std::thread::sleep((begun.elapsed() / 8).min(Duration::from_millis(50)));
    };
    let [stdout, stderr] = [stdout, stderr].map(|output| output.recv_timeout(LEFT_OPEN).unwrap_or_default());
    match status {
        Some(status) => Ended { status, stdout, stderr },
        None => panic!("{command:?} doesn't end: {}", String::from_utf8_lossy(&stderr)),
    }
}

fn read(mut output: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (done, reading) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = output.read_to_end(&mut bytes);
        done.send(bytes)
    });
    reading
}

pub fn signet(args: &[&str], input: &[u8]) -> Run {
    let ended = run(Command::new(env!("CARGO_BIN_EXE_signet")).args(args), input);
    Run {
        code: ended.status.code().unwrap(),
        answer: String::from_utf8(ended.stdout).unwrap(),
        diagnostics: String::from_utf8(ended.stderr).unwrap(),
    }
}

/// `signet sign` with a key of the vectors and these further arguments.
pub fn sign_with(key: &str, args: &[&str], input: &[u8]) -> Run {
    let key = file(&format!("vectors/{key}"));
    let mut all = vec!["sign", "--private-key", &key, "--key-pair-id", ID];
    all.extend(args);
    signet(&all, input)
}
