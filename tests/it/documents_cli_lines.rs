//! `signet document --ndjson`: many lines, long lines, and lines that come one at a time.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::SIGNET;
use crate::support::program::{ID, Run, file, signet};

const SITE: &str = r#"{"logo": {"key": "a/logo.png", "name": "Logo"}}"#;

fn args(more: &[&str]) -> Vec<String> {
    let key = file("vectors/ecdsa");
    let key = ["document", "--private-key", &key, "--key-pair-id", ID, "--expires", "1893456000"];
    let place = ["--base", "https://media.vivreal.io", "--bucket", "vivreal-demo", "--ndjson"];
    [&key[..], &place, more].concat().into_iter().map(str::to_owned).collect()
}

fn lines(more: &[&str], input: &[u8]) -> Run {
    let args = args(more);
    signet(&args.iter().map(String::as_str).collect::<Vec<_>>(), input)
}

fn started(more: &[&str]) -> Child {
    let mut command = Command::new(SIGNET);
    command.args(args(more)).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().unwrap()
}

#[test]
fn many_lines_are_answered_in_their_order_whatever_each_takes() {
    let (mut input, count) = (String::new(), 1_500);
    for number in 0..count {
        // Every so often one that takes far longer, one that takes no signature, and one that is refused.
        let pictures = if number % 97 == 0 { 40 } else { number % 3 };
        let pictures = (0..pictures).map(|at| format!(r#"{{"key":"{number}/{at}.jpg","name":"x"}}"#));
        let pictures = pictures.collect::<Vec<_>>().join(",");
        let end = if number % 101 == 7 { "" } else { "}" };
        writeln!(input, r#"{{"number":{number},"pictures":[{pictures}]{end}"#).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lines.ndjson");
    std::fs::write(&path, &input).unwrap();
    let run = lines(&[path.to_str().unwrap()], b"");
    let refused = (0..count).filter(|number| number % 101 == 7).count();
    assert_eq!(run.answer.lines().count(), count);
    for (number, (line, answer)) in input.lines().zip(run.answer.lines()).enumerate() {
        let answer: Value = serde_json::from_str(answer).unwrap();
        if number % 101 == 7 {
            assert_eq!(answer["title"], "The document can't be signed");
            continue;
        }
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(answer["number"], line["number"]);
        let (before, after) = (line["pictures"].as_array().unwrap(), answer["pictures"].as_array().unwrap());
        assert_eq!(before.len(), after.len());
        for (before, after) in before.iter().zip(after) {
            let link = after["currentFile"]["source"].as_str().unwrap();
            let key = before["key"].as_str().unwrap();
            assert!(link.starts_with(&format!("https://media.vivreal.io/vivreal-demo/{key}?")), "{link}");
        }
    }
    let told = run.told();
    let numbers = told.iter().filter_map(|line| line.strip_prefix("signet: line ")?.split(':').next());
    let numbers: Vec<usize> = numbers.map(|number| number.parse().unwrap()).collect();
    let expected: Vec<usize> =
        (0..count).filter(|number| number % 101 == 7).map(|number| number + 1).collect();
    assert_eq!(numbers, expected, "diagnostics come in the order of the lines too");
    assert_eq!(told.last().unwrap(), &format!("signet: {refused} of {count} lines can't be signed"));
}

#[test]
fn a_line_is_answered_before_the_next_one_is_there() {
    let mut child = started(&[]);
    let (mut input, mut output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    for _ in 0..3 {
        input.write_all(format!("{SITE}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        output.read_line(&mut answer).unwrap();
        assert!(answer.contains("Signature=") && answer.ends_with("}}\n"), "{answer}");
    }
    // Half a line is no line yet; a whole one before it is.
    input.write_all(format!("[]\n{}", &SITE[..20]).as_bytes()).unwrap();
    let mut answer = String::new();
    output.read_line(&mut answer).unwrap();
    assert_eq!(answer, "[]\n");
    input.write_all(&SITE.as_bytes()[20..]).unwrap();
    drop(input);
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("Signature=") && rest.ends_with("}}"), "{rest}");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_line_that_is_too_long_is_answered_in_its_place() {
    let fits = format!("\"{}\"", "x".repeat(98));
    let long = format!("\"{}\"", "x".repeat(99));
    let input = [SITE, &long, &fits, "", &long].join("\n");
    let run = lines(&["--max-line", "100"], input.as_bytes());
    assert_eq!(run.code, 1);
    let answers: Vec<&str> = run.answer.split('\n').collect();
    assert_eq!(answers.len(), 5, "{}", run.answer);
    assert!(answers[0].contains("Signature="));
    assert_eq!((answers[2], answers[3]), (fits.as_str(), ""));
    for answer in [answers[1], answers[4]] {
        let problem: Value = serde_json::from_str(answer).unwrap();
        assert_eq!(problem["detail"], "it has more than 100 bytes");
    }
    let told = [
        "signet: line 2: it has more than 100 bytes",
        "signet: line 5: it has more than 100 bytes",
        "signet: found 1, signed 1, unsigned 0",
        "signet: 2 of 5 lines can't be signed",
    ];
    assert_eq!(run.told(), told);
    let usage = ["--base", "https://h", "--bucket", "b", "--max-line", "100"];
    let key = ["document", "--private-key", "x", "--key-pair-id", ID, "--ttl", "60"];
    assert_eq!(signet(&[&key[..], &usage].concat(), b"").code, 2, "only lines have a longest one");
}

#[test]
fn memory_stays_small_however_long_a_line_or_the_whole_is() {
    let mut child = started(&["--max-line", "1000000"]);
    let (mut input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let status = format!("/proc/{}/status", child.id());
    // The last answer tells that all before it has been read.
    let reader = std::thread::spawn(move || {
        let mut count = 0;
        for line in output.lines().map(Result::unwrap) {
            count += 1;
            if line == "\"last\"" {
                break;
            }
        }
        count
    });
    let (long, many) = (vec![b'x'; 1 << 20], "[1, 2, 3]\n".repeat(25_000));
    for _ in 0..128 {
        input.write_all(&long).unwrap();
    }
    input.write_all(b"\n").unwrap();
    for _ in 0..4 {
        input.write_all(many.as_bytes()).unwrap();
    }
    input.write_all(b"\"last\"\n").unwrap();
    assert_eq!(reader.join().unwrap(), 100_002);
    let status = std::fs::read_to_string(status).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 64 * 1024, "{peak} kB at the most for a line of 128 MiB");
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(1));
}
