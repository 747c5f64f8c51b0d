//! What `signet document` shows of its progress: on a terminal, and only there.

use std::process::Command;

use crate::support::SIGNET;
use crate::support::program::{ID, file, run};

/// Runs the arguments with stderr on a pseudo-terminal, or a pipe, and two slow halves of input; prints stdout's
/// length, a line end, and stderr.
const RUN: &str = r#"
import os, pty, subprocess, sys, threading, time
terminal, half, args = sys.argv[1] == "terminal", sys.argv[2].encode(), sys.argv[3:]
master, slave = pty.openpty() if terminal else os.pipe()
process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=slave)
os.close(slave)
answers = []
reader = threading.Thread(target=lambda: answers.append(process.stdout.read()))
reader.start()
def feed():
    for _ in range(2):
        process.stdin.write(half)
        process.stdin.flush()
        time.sleep(0.7)
    process.stdin.close()
threading.Thread(target=feed).start()
told = b""
while True:
    try:
        piece = os.read(master, 65536)
    except OSError:
        break
    if not piece:
        break
    told += piece
reader.join()
assert process.wait() == 0
sys.stdout.buffer.write(b"%d\n" % len(answers[0]) + told)
"#;

const ERASED: &str = "\r\x1b[2K";

/// What was written to stderr, and how many bytes to stdout.
fn told(terminal: bool, half: &str, more: &[&str], term: &str) -> (String, usize) {
    let key = file("vectors/ecdsa");
    let key = ["document", "--private-key", &key, "--key-pair-id", ID, "--expires", "1893456000"];
    let place = ["--base", "https://media.vivreal.io", "--bucket", "vivreal-demo"];
    let mut command = Command::new("python3");
    command.args(["-c", RUN, if terminal { "terminal" } else { "pipe" }, half, SIGNET]);
    let run = run(command.args(key).args(place).args(more).env("TERM", term), b"");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let told = String::from_utf8(run.stdout).unwrap();
    let (length, told) = told.split_once('\n').unwrap();
    (told.replace("\r\n", "\n"), length.parse().unwrap())
}

/// What a terminal shows in the end: each line from where it was erased last.
fn shown(told: &str) -> Vec<&str> {
    told.lines().map(|line| line.rsplit(ERASED).next().unwrap()).collect()
}

#[test]
fn a_terminal_sees_how_far_lines_are_and_in_the_end_the_summary_alone() {
    let line = "{\"key\":\"a/b.jpg\",\"name\":\"B\"}\n";
    let (told, answered) = told(true, &line.repeat(3), &["--ndjson"], "xterm");
    let statuses: Vec<&str> = told.split(ERASED).filter(|text| text.contains("\x1b[?7l")).collect();
    // 1.4 s at 5 a second, where the machine keeps up.
    assert!((2..=40).contains(&statuses.len()), "{told:?}");
    assert!(statuses.iter().any(|status| status.contains("3 lines, 3 links, ")), "{statuses:?}");
    assert!(statuses.last().unwrap().contains("6 lines, 6 links, "), "{statuses:?}");
    assert!(statuses.iter().all(|status| status.contains(" B") && !status.contains('\n')), "{statuses:?}");
    let shown = shown(&told);
    assert_eq!(shown.len(), 1, "{told:?}");
    assert!(shown[0].starts_with("signet: found 6, signed 6, unsigned 0, "), "{told:?}");
    assert!(answered > line.len() * 6);
}

#[test]
fn a_terminal_sees_how_far_the_reading_of_a_document_is() {
    // Two halves of a string of 100 kB: a quote and white space, twice.
    let half = format!("{}\"", " ".repeat(100_000));
    let (told, answered) = told(true, &half, &["-"], "xterm");
    assert_eq!(answered, 2 * half.len());
    let statuses: Vec<&str> = told.split(ERASED).filter(|text| text.contains("\x1b[?7l")).collect();
    assert!((1..=40).contains(&statuses.len()), "{told:?}");
    assert!(statuses[0].contains("signet: ") && statuses[0].contains(" kB, 0 links, "), "{told:?}");
    let shown = shown(&told);
    assert_eq!(shown.len(), 1, "{told:?}");
    assert!(shown[0].starts_with("signet: found 0, signed 0, unsigned 0, 200.0 kB in "), "{told:?}");
}

#[test]
fn a_pipe_and_a_dumb_terminal_see_the_summary_alone() {
    let line = "{\"key\":\"a/b.jpg\",\"name\":\"B\"}\n";
    for (terminal, term) in [(false, "xterm"), (true, "dumb")] {
        let (told, _) = told(terminal, line, &["--ndjson"], term);
        assert!(told.starts_with("signet: found 2, signed 2, unsigned 0, "), "{told:?}");
        assert!(told.lines().count() == 1 && !told.contains(['\r', '\x1b']), "{told:?}");
    }
}
