//! `signet sign` and `signet keygen`: answers, refusals and exit codes.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::program::{ID, PAGE, Run, file, sign_with, signet};

fn sign(args: &[&str]) -> Run {
    sign_with("rsa", args, b"")
}

fn parameters(link: &str) -> (String, BTreeMap<String, String>) {
    let (base, query) = link.split_once('?').unwrap();
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap());
    (base.to_owned(), pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

#[test]
fn the_vectors_come_out_of_the_command() {
    let text =
        std::fs::read_to_string(format!("{}/tests/vectors/links.json", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let vectors: Value = serde_json::from_str(&text).unwrap();
    for case in vectors["cases"].as_array().unwrap() {
        let field = |name: &str| case[name].as_str();
        let number = |name: &str| case[name].as_u64().map(|number| number.to_string());
        let (expires, start) = (number("expires").unwrap(), number("notBefore"));
        let mut args = vec!["--expires", &expires, "--hash", field("hash").unwrap()];
        for (option, value) in
            [("--not-before", start.as_deref()), ("--ip", field("ip")), ("--resource", field("resource"))]
        {
            args.extend(value.into_iter().flat_map(|value| [option, value]));
        }
        let cookies = field("kind") == Some("cookies");
        args.push(field("url").unwrap_or("--cookies"));
        let run = sign_with(field("key").unwrap(), &args, b"");
        assert_eq!((run.code, run.diagnostics.as_str()), (0, ""), "{}", field("id").unwrap());
        if cookies {
            let expected: BTreeMap<String, String> = serde_json::from_value(case["cookies"].clone()).unwrap();
            let lines = run.answer.lines().map(|line| line.split_once('=').unwrap());
            let ours: BTreeMap<_, _> =
                lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            assert_eq!(ours, expected);
        } else if field("key") == Some("rsa") {
            assert_eq!(parameters(run.answer.trim_end()), parameters(field("signed").unwrap()));
        }
    }
}

#[test]
fn a_time_is_unix_seconds_or_rfc_3339() {
    let seconds = sign(&["--expires", "1893456000", PAGE]);
    let rfc = sign(&["--expires", "2030-01-01T01:00:00+01:00", PAGE]);
    assert_eq!(seconds.code, 0);
    assert_eq!(seconds.answer, rfc.answer);
    assert!(seconds.answer.starts_with(&format!("{PAGE}&Expires=1893456000&")));
}

#[test]
fn a_ttl_gives_a_link_of_more_than_half_of_it() {
    let run = sign(&["--ttl", "600", PAGE]);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let expires: u64 = parameters(run.answer.trim_end()).1["Expires"].parse().unwrap();
    assert!((now + 298..=now + 600).contains(&expires), "{expires} at {now}");
}

#[test]
fn a_list_loses_nothing_and_names_what_is_refused() {
    let input = b"https://h/1\r\n\nhttps://h/b d\nhttps://h/\xff\nhttps://h/2";
    let run = sign_with("rsa", &["--expires", "1893456000", "https://h/0", "-", "https://h/3"], input);
    assert_eq!(run.code, 1);
    let starts: Vec<&str> = run.answer.lines().map(|line| line.split_once('?').unwrap().0).collect();
    assert_eq!(starts, ["https://h/0", "https://h/1", "https://h/2", "https://h/3"]);
    let lines: Vec<&str> = run.diagnostics.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].starts_with("signet: line 3: https://h/b d: it holds a space"), "{}", lines[0]);
    assert!(lines[1].starts_with("signet: line 4: "), "{}", lines[1]);
    assert_eq!(lines[2], "signet: refused 2 of 6 URLs");
}

#[test]
fn one_grant_of_a_resource_serves_many_urls() {
    let run =
        sign(&["--expires", "1893456000", "--resource", "https://h/a*", "https://h/a1", "https://h/a2?w=1"]);
    assert_eq!(run.code, 0);
    let signatures: Vec<String> =
        run.answer.lines().map(|line| parameters(line).1.remove("Signature").unwrap()).collect();
    assert_eq!(signatures.len(), 2);
    assert_eq!(signatures[0], signatures[1]);
    let other = sign(&["--expires", "1893456000", "--resource", "https://h/a*", "https://h/b"]);
    assert_eq!((other.code, other.answer.as_str()), (1, ""));
    assert!(other.diagnostics.contains("doesn't cover it: its path differs"), "{}", other.diagnostics);
}

#[test]
fn a_grant_that_cloudfront_would_refuse_is_refused_with_exit_1() {
    let long = format!("https://h/{}", "a".repeat(8_000));
    let end = ["--expires", "1893456000"];
    for (key, args, reason) in [
        ("rsa", vec!["--ip", "2001:db8::/32", PAGE], "IPv6"),
        ("rsa", vec!["--ip", "1.2.3", PAGE], "IPv4"),
        ("rsa", vec!["--not-before", "1893456000", PAGE], "before the end"),
        ("rsa", vec!["--resource", "https://h/ *", "https://h/a"], "a space"),
        ("rsa", vec!["--cookies", "--resource", "https://h/a*", "https://h/b"], "doesn't cover"),
        ("rsa", vec![&long], "8192"),
        ("rsa", vec!["https://h/a*"], "wildcard"),
        ("rsa", vec!["https://h/a?Expires=1"], "already"),
        ("ecdsa", vec!["--hash", "SHA1", PAGE], "ECDSA"),
    ] {
        let run = sign_with(key, &[&end[..], &args].concat(), b"");
        assert_eq!((run.code, run.answer.as_str()), (1, ""), "{args:?}");
        assert!(
            run.diagnostics.starts_with("signet: ") && run.diagnostics.contains(reason),
            "{}",
            run.diagnostics
        );
    }
    let late = sign(&["--expires", "9223372036854775808", PAGE]);
    assert_eq!(late.code, 1);
    assert!(late.diagnostics.contains("9223372036854775807"), "{}", late.diagnostics);
}

#[test]
fn wrong_usage_is_exit_2() {
    for args in [
        vec![PAGE],
        vec!["--expires", "1893456000"],
        vec!["--expires", "1893456000", "--ttl", "300", PAGE],
        vec!["--expires", "tomorrow", PAGE],
        vec!["--ttl", "1", PAGE],
        vec!["--ttl", "604801", PAGE],
        vec!["--expires", "1893456000", "--hash", "MD5", PAGE],
        vec!["--expires", "1893456000", "--nonce", "none", PAGE],
        vec!["--expires", "1893456000", "--cookies"],
        vec!["--expires", "1893456000", "--else", PAGE],
    ] {
        let run = sign(&args);
        assert_eq!((run.code, run.answer.as_str()), (2, ""), "{args:?}");
        assert!(run.diagnostics.starts_with("signet: "), "{}", run.diagnostics);
    }
    assert_eq!(signet(&["--help"], b"").code, 0);
    assert_eq!(signet(&["fly"], b"").code, 2);
}

#[test]
fn a_file_that_is_not_the_private_key_is_named_in_one_line() {
    for (name, reason) in [
        ("vectors/rsa-public", "public key"),
        ("keys/certificate", "certificate"),
        ("keys/encrypted", "encrypted"),
        ("keys/p384", "P-384"),
        ("keys/nothing-there", "No such file"),
    ] {
        let path = file(name);
        let run = signet(
            &["sign", "--private-key", &path, "--key-pair-id", ID, "--expires", "1893456000", PAGE],
            b"",
        );
        assert_eq!((run.code, run.answer.as_str()), (1, ""), "{name}");
        assert_eq!(run.diagnostics.lines().count(), 1, "{}", run.diagnostics);
        assert!(run.diagnostics.contains(&path) && run.diagnostics.contains(reason), "{}", run.diagnostics);
    }
}

#[test]
fn a_key_of_another_size_signs_with_a_warning() {
    let path = file("keys/rsa1024");
    let run =
        signet(&["sign", "--private-key", &path, "--key-pair-id", ID, "--expires", "1893456000", PAGE], b"");
    assert_eq!(run.code, 0);
    assert!(run.diagnostics.starts_with("signet: warning: ") && run.diagnostics.contains("1024"));
}

#[test]
fn deterministic_nonces_give_the_same_link() {
    let sign = |nonce| sign_with("ecdsa", &["--expires", "1893456000", "--nonce", nonce, PAGE], b"").answer;
    assert_eq!(sign("deterministic"), sign("deterministic"));
    assert_ne!(sign("random"), sign("random"));
}

#[test]
fn a_closed_stdout_is_no_panic() {
    let key = file("vectors/ecdsa");
    let mut child = Command::new(env!("CARGO_BIN_EXE_signet"))
        .args(["sign", "--private-key", &key, "--key-pair-id", ID, "--expires", "1893456000", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let _ = child.stdin.take().unwrap().write_all(&b"https://h/a\n".repeat(100));
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn keygen_makes_a_pair_that_signs_and_never_overwrites() {
    let folder = tempfile::tempdir().unwrap();
    for kind in ["rsa", "ecdsa"] {
        let out = folder.path().join("new").join(kind);
        let out = out.to_str().unwrap();
        let run = signet(&["keygen", "--type", kind, "--out", out], b"");
        assert_eq!((run.code, run.diagnostics.as_str()), (0, ""));
        let (private, public) = (format!("{out}/private.pem"), format!("{out}/public.pem"));
        assert!(run.answer.starts_with(&format!("{private}\n{public}\n")), "{}", run.answer);
        assert_eq!(std::fs::metadata(&private).unwrap().permissions().mode() & 0o777, 0o600);
        let before = std::fs::read(&private).unwrap();
        let again = signet(&["keygen", "--type", kind, "--out", out], b"");
        assert_eq!(again.code, 1);
        assert!(again.diagnostics.contains("never overwrites"), "{}", again.diagnostics);
        assert_eq!(std::fs::read(&private).unwrap(), before);
        let link =
            signet(&["sign", "--private-key", &private, "--key-pair-id", ID, "--ttl", "300", PAGE], b"")
                .answer;
        let inspected = signet(&["inspect", "--public-key", &public, link.trim_end()], b"");
        assert_eq!(inspected.code, 0, "{}{}", inspected.answer, inspected.diagnostics);
    }
    assert_eq!(signet(&["keygen", "--type", "dsa", "--out", "x"], b"").code, 2);
}
