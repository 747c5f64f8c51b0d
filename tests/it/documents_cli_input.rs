//! `signet document`: what it reads, which hosts are its own, and how it refuses.

use crate::support::program::{ID, Run, file, signet};
use crate::support::splices::{changes, unsigned};
use crate::support::verify::{assert_served, public_key};

const END: u64 = 1_893_456_000;
const BASE: [&str; 4] = ["--base", "https://media.vivreal.io", "--bucket", "vivreal-demo"];
const SITE: &str = r#"{"logo": {"key": "a/logo.png", "name": "Logo"}}"#;

fn document(args: &[&str], input: &[u8]) -> Run {
    let key = file("vectors/rsa");
    let key = ["document", "--private-key", &key, "--key-pair-id", ID, "--expires", "1893456000"];
    signet(&[&key[..], args].concat(), input)
}

fn based(args: &[&str], input: &[u8]) -> Run {
    document(&[&BASE[..], args].concat(), input)
}

#[test]
fn a_document_comes_from_a_file_or_from_stdin() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.json");
    std::fs::write(&path, SITE).unwrap();
    let from_file = based(&[path.to_str().unwrap()], b"").answer;
    assert_eq!(changes(SITE.as_bytes(), from_file.as_bytes()).len(), 1);
    assert_eq!(based(&["-"], SITE.as_bytes()).answer, from_file);
    assert_eq!(based(&[], SITE.as_bytes()).answer, from_file);
}

#[test]
fn a_document_without_sites_comes_back_as_the_same_bytes() {
    let traps = br#"[{"key":"and/or","name":"x"}, "5 < 6", "<p>a &amp; b</p>", "https://example.com/a.jpg"]"#;
    let texts: [&[u8]; 6] = [
        b" { \"a\" :\t[ 1.0 , 1e400,-0, 12345678901234567890 ],\r\n\"a\":\"\\u00e9\\/\" }\n\n",
        b"null",
        b"\"\"",
        b"[]\n",
        b"\t\"med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E\"",
        traps,
    ];
    for text in texts {
        let run = based(&[], text);
        assert_eq!((run.code, run.answer.as_bytes()), (0, text));
        assert_eq!(run.told(), ["signet: found 0, signed 0, unsigned 0"]);
        let report = based(&["--report"], text).answer;
        let text = String::from_utf8_lossy(text);
        assert_eq!(report.trim_end(), format!("{{\"document\":{text},\"media\":[]}}"));
    }
}

#[test]
fn urls_are_signed_on_the_hosts_that_are_named_and_on_no_other() {
    let public = public_key(file("vectors/rsa-public"));
    let (own, other) =
        ("https://media.vivreal.io/vivreal-demo/a.jpg", "https://cdn.example.com/vivreal-demo/a.jpg");
    let local = "http://127.0.0.1:8081/vivreal-demo/a.jpg";
    let input = format!("[\"{own}\", \"{other}\", \"{local}\"]");
    let signed = |hosts: &[&str]| -> Vec<String> {
        let run = based(hosts, input.as_bytes());
        assert_eq!(run.code, 0, "{}", run.diagnostics);
        let changes = changes(input.as_bytes(), run.answer.as_bytes());
        let links: Vec<String> = changes.iter().flat_map(|change| change.links()).collect();
        links.iter().for_each(|link| assert_eq!(assert_served(link, &public, END - 1), END));
        links.iter().map(|link| unsigned(link)).collect()
    };
    assert_eq!(signed(&[]), [own]);
    assert_eq!(signed(&["--host", "cdn.example.com"]), [other]);
    let all = ["--host", "cdn.example.com", "--host", "media.vivreal.io", "--host", "http://127.0.0.1:8081/"];
    assert_eq!(signed(&all), [own, other, local]);
}

#[test]
fn lines_are_signed_each_for_itself_and_bad_ones_answered_in_their_place() {
    let lines = [SITE, "", "{\"a\":}", "  \t", "[1.0, 1e400]\r", "nul", SITE];
    let input = lines.join("\n");
    let run = based(&["--ndjson"], input.as_bytes());
    assert_eq!(run.code, 1);
    let answers: Vec<&str> = run.answer.split('\n').collect();
    assert_eq!(answers.len(), lines.len(), "a line each, and no newline after the last: {}", run.answer);
    for (line, answer) in lines.iter().zip(&answers) {
        match *line {
            SITE => assert_eq!(changes(line.as_bytes(), answer.as_bytes())[0].links().len(), 1),
            "{\"a\":}" | "nul" => {
                let problem: serde_json::Value = serde_json::from_str(answer).unwrap();
                assert!(problem["detail"].as_str().unwrap().contains("line 1, column"), "{answer}");
            }
            _ => assert_eq!(line, answer),
        }
    }
    let told = run.told();
    assert!(told[0].starts_with("signet: line 3: invalid JSON at line 1, column 6 (byte 5)"), "{told:?}");
    assert!(told[1].starts_with("signet: line 6: "), "{told:?}");
    assert_eq!(told[2..], ["signet: found 2, signed 2, unsigned 0", "signet: 2 of 7 lines can't be signed"]);

    let report = based(&["--ndjson", "--report"], format!("{SITE}\n[]\n").as_bytes());
    let signed = based(&[], SITE.as_bytes()).answer;
    let answers: Vec<&str> = report.answer.split('\n').collect();
    assert_eq!((report.code, answers.len(), answers[2]), (0, 3, ""));
    assert!(answers[0].starts_with(&format!("{{\"document\":{signed},\"media\":[{{")), "{}", answers[0]);
    assert_eq!(answers[1], "{\"document\":[],\"media\":[]}");
}

#[test]
fn what_is_no_document_is_refused_with_its_place_and_exit_1() {
    let deep = "[".repeat(129) + &"]".repeat(129);
    let cases: [(&[u8], &str); 9] = [
        (b"", "line 1, column 1 (byte 0)"),
        (b"{\"a\": 1,}", "line 1, column 9 (byte 8)"),
        (b"{\n  \"gr\xc3\xb6\xc3\x9fe\" 1}", "line 2, column 11 (byte 14)"),
        (b"[1, 2", "line 1, column 6 (byte 5)"),
        (b"\xef\xbb\xbf{}", "line 1, column 1 (byte 0)"),
        (b"{} x", "line 1, column 4 (byte 3)"),
        (b"[\"\xff\"]", "line 1, column 3 (byte 2)"),
        (b"[\"\\ud800\"]", "line 1, column"),
        (deep.as_bytes(), "nested deeper than 128 at line 1, column 129 (byte 128)"),
    ];
    for (input, place) in cases {
        for report in [&[][..], &["--report"], &["--strict"]] {
            let run = based(report, input);
            assert_eq!((run.code, run.answer.as_str()), (1, ""), "{place}");
            assert_eq!(run.diagnostics.lines().count(), 1, "{}", run.diagnostics);
            assert!(run.diagnostics.contains(place), "{place}: {}", run.diagnostics);
        }
    }
    let run = based(&["/nothing/there.json"], b"");
    assert_eq!((run.code, run.answer.as_str()), (1, ""));
    assert!(run.diagnostics.starts_with("signet: /nothing/there.json: "), "{}", run.diagnostics);
}

#[test]
fn wrong_usage_is_exit_2_and_one_that_is_no_private_key_exit_1() {
    let bucket = ["--bucket", "vivreal-demo"];
    for args in [
        vec!["--bucket", "vivreal-demo"],
        vec!["--base", "https://media.vivreal.io"],
        [&BASE[..], &["--ttl", "300"]].concat(),
        [&BASE[..], &["--grant-scope", "folder"]].concat(),
        [&BASE[..], &["--references", "keep"]].concat(),
        [&BASE[..], &["--hash", "MD5"]].concat(),
        [&BASE[..], &["--host", "cdn.example.com/x"]].concat(),
        [&BASE[..], &["a.json", "b.json"]].concat(),
        [&["--base", "media.vivreal.io"], &bucket[..]].concat(),
        [&["--base", "https://media.vivreal.io/x"], &bucket[..]].concat(),
        [&["--base", "https://u@media.vivreal.io"], &bucket[..]].concat(),
        [&["--base", "https://media.vivreal.io"], &["--bucket", "a b"][..]].concat(),
        [&["--base", "https://media.vivreal.io"], &["--bucket", "*"][..]].concat(),
        [&["--base", "https://media.vivreal.io"], &["--bucket", "a/../b"][..]].concat(),
        [&["--base", "https://media.vivreal.io"], &["--bucket", ""][..]].concat(),
    ] {
        let run = document(&args, SITE.as_bytes());
        assert_eq!((run.code, run.answer.as_str()), (2, ""), "{args:?}: {}", run.diagnostics);
        assert!(run.diagnostics.starts_with("signet: "), "{}", run.diagnostics);
    }
    for name in ["vectors/rsa-public", "keys/encrypted", "keys/nothing-there"] {
        let key = file(name);
        let args = ["document", "--private-key", &key, "--key-pair-id", ID, "--ttl", "300"];
        let run = signet(&[&args[..], &BASE].concat(), SITE.as_bytes());
        assert_eq!((run.code, run.answer.as_str()), (1, ""), "{name}");
        assert_eq!(run.diagnostics.lines().count(), 1, "{}", run.diagnostics);
        assert!(run.diagnostics.contains(&key), "{}", run.diagnostics);
    }
}

#[test]
fn a_path_of_several_segments_is_a_root_too() {
    let public = public_key(file("vectors/rsa-public"));
    let args = ["--base", "https://media.vivreal.io/", "--bucket", "/sites/vivreal-demo/"];
    let run = document(&args, SITE.as_bytes());
    let link = &changes(SITE.as_bytes(), run.answer.as_bytes())[0].links()[0];
    assert_served(link, &public, END - 1);
    assert_eq!(unsigned(link), "https://media.vivreal.io/sites/vivreal-demo/a/logo.png");
}

#[test]
fn strict_lines_name_what_stays_unsigned() {
    let bad = "{\"key\":\"../x.jpg\",\"type\":\"image\"}";
    let run = based(&["--ndjson", "--strict"], format!("{SITE}\n{bad}\n").as_bytes());
    assert_eq!(run.code, 1);
    assert!(run.diagnostics.contains("line 2: unsigned: {\"pointer\":\"\""), "{}", run.diagnostics);
    let lines: Vec<&str> = run.answer.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].contains("Signature=") && lines[1].contains("\"title\""), "{}", run.answer);
}
