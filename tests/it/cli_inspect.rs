//! `signet inspect`: what it says of a link, and its exit code.

use serde_json::Value;

use crate::support::program::{ID, PAGE, Run, file, sign_with, signet};

fn link(args: &[&str]) -> String {
    let run = sign_with("rsa", args, b"");
    assert_eq!(run.code, 0, "{}", run.diagnostics);
    run.answer.trim_end().to_owned()
}

fn inspect(args: &[&str]) -> Run {
    let key = file("vectors/rsa-public");
    signet(&[&["inspect", "--public-key", &key], args].concat(), b"")
}

fn json(args: &[&str]) -> (i32, Value) {
    let run = inspect(&[&["--json"], args].concat());
    (run.code, serde_json::from_str(&run.answer).unwrap())
}

#[test]
fn a_link_that_cloudfront_serves_is_exit_0() {
    let run = inspect(&["--at", "1893455940", &link(&["--expires", "1893456000", PAGE])]);
    assert_eq!((run.code, run.diagnostics.as_str()), (0, ""));
    for part in [ID, "SHA1, by default", "canned", PAGE, "2030-01-01T00:00:00Z (1893456000)", "1 min to go"] {
        assert!(run.answer.contains(part), "{part} in {}", run.answer);
    }
    assert!(!run.answer.contains("FAIL") && run.answer.ends_with("CloudFront would serve it.\n"));
}

#[test]
fn the_json_says_all_that_the_text_does() {
    let args = ["--expires", "1893456000", "--not-before", "1893369600", "--ip", "203.0.113.0/24", PAGE];
    let link = link(&args);
    let (code, answer) = json(&["--at", "1893400000", "--ip", "203.0.113.7", &link]);
    assert_eq!(code, 0);
    assert_eq!(answer["served"], true);
    assert_eq!(answer["complete"], true);
    assert_eq!(answer["keyPairId"], ID);
    assert_eq!(answer["kind"], "custom");
    assert_eq!(answer["resource"], PAGE);
    assert_eq!(answer["notBefore"], 1_893_369_600);
    assert_eq!(answer["expires"], 1_893_456_000);
    assert_eq!(answer["ip"], "203.0.113.0/24");
    assert!(answer["checks"].as_array().unwrap().iter().all(|check| check["outcome"] == "pass"), "{answer}");
    let (code, answer) = json(&["--at", "1893400000", "--ip", "2001:db8::1", &link]);
    assert_eq!((code, &answer["refusal"]), (1, &Value::from("Access denied.")));
}

#[test]
fn a_refusal_is_exit_1_with_its_words_and_likely_cause() {
    let link = link(&["--expires", "1893456000", PAGE]);
    for (url, at, words, cause) in [
        (PAGE.to_owned(), "0", "Missing Key-Pair-Id", "unsigned"),
        (link.clone(), "1893456001", "Access denied.", "has expired"),
        (format!("{link}&utm=1"), "0", "Access denied.", "utm was added after signing"),
        (link.replace("%20", "%2520"), "0", "Access denied.", "re-encoded"),
        (link.replace("Expires=", "Expires=x"), "0", "Malformed Policy.", "damaged"),
    ] {
        let run = inspect(&["--at", at, &url]);
        assert_eq!(run.code, 1, "{url}");
        assert!(run.answer.contains(words) && run.answer.contains(cause), "{}", run.answer);
        assert_eq!(run.diagnostics.lines().count(), 1);
        assert!(run.diagnostics.starts_with("signet: ") && run.diagnostics.contains(words));
    }
}

#[test]
fn without_a_public_key_the_signature_is_not_checked_and_that_is_said() {
    let link = link(&["--expires", "1893456000", PAGE]);
    let run = signet(&["inspect", "--at", "0", &link], b"");
    assert_eq!(run.code, 0);
    assert!(run.answer.ends_with("as far as it was checked.\n"), "{}", run.answer);
    let late = signet(&["inspect", "--at", "1893456000", &link], b"");
    assert_eq!(late.code, 1);
}

#[test]
fn a_cookie_header_is_judged_with_its_url() {
    let cookies =
        link(&["--expires", "1893456000", "--resource", "https://media.vivreal.io/v-x/*", "--cookies"]);
    let header = format!("Cookie: a=b; {}", cookies.lines().collect::<Vec<_>>().join("; "));
    let (code, answer) = json(&["--at", "0", "--cookie", &header, PAGE]);
    assert_eq!((code, &answer["source"]), (0, &Value::from("cookies")), "{answer}");
    let (code, answer) = json(&["--at", "0", "--cookie", &header, "https://media.vivreal.io/v-y/a.png"]);
    assert_eq!(code, 1);
    assert!(answer["causes"][0].as_str().unwrap().contains("doesn't cover"), "{answer}");
}

#[test]
fn a_named_key_pair_is_the_only_one_known() {
    let link = link(&["--expires", "1893456000", PAGE]);
    assert_eq!(inspect(&["--at", "0", "--key-pair-id", ID, &link]).code, 0);
    let run = inspect(&["--at", "0", "--key-pair-id", "KOTHER", &link]);
    assert_eq!(run.code, 1);
    assert!(run.answer.contains("Unknown Key."));
}

#[test]
fn wrong_usage_is_exit_2_and_a_wrong_key_file_exit_1() {
    assert_eq!(signet(&["inspect"], b"").code, 2);
    assert_eq!(inspect(&["--at", "noon", PAGE]).code, 2);
    assert_eq!(inspect(&["--ip", "x", PAGE]).code, 2);
    let key = file("vectors/rsa");
    let run = signet(&["inspect", "--public-key", &key, PAGE], b"");
    assert_eq!(run.code, 1);
    assert!(run.diagnostics.contains("it is a private key"), "{}", run.diagnostics);
}
