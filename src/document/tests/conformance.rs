//! JSON texts of every production of RFC 8259, and what serde_json makes of them.

use serde::de::IgnoredAny;

use super::support::{refused, rules};
use crate::document::{ScanError, scan};

/// Well-formed texts, by the section of RFC 8259.
const ACCEPTED: &[&str] = &[
    // 2: JSON-text = ws value ws; begin-array … value-separator; ws
    "null",
    " \t\r\n null \n\r\t ",
    "[]",
    "[ ]",
    "{}",
    "{\t}",
    "[1]",
    "[ 1 , 2 ]",
    "{\"a\":1}",
    "{ \"a\" : 1 , \"b\" : 2 }",
    // 3: false null true object array number string
    "true",
    "false",
    "\"\"",
    "0",
    "[true,false,null]",
    "[[],{},\"\",0]",
    // 4: objects, names that come twice, empty names
    "{\"\":{}}",
    "{\"a\":1,\"a\":2}",
    "{\"a\":{\"b\":{\"c\":[]}}}",
    "{\"\\u0061\":1,\"a\":2}",
    // 5: arrays of anything
    "[[[[]]],[],[[]]]",
    "[1,\"a\",null,{\"b\":[]}]",
    // 6: minus int frac exp
    "-0",
    "-1",
    "10",
    "1234567890",
    "0.0",
    "-0.0",
    "1.5",
    "0.10",
    "1e5",
    "1E5",
    "1e+5",
    "1e-5",
    "0e0",
    "0E+00",
    "1.5e300",
    "1e400",
    "-1e-400",
    "123456789012345678901234567890",
    "0.00000000000000000000000000000001",
    "1e0000000001",
    // 7: unescaped, and every escape
    "\"a\"",
    "\" !#[]~\"",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
    "\"\\u0000\\u001f\\uABCD\\uabcd\"",
    "\"\\ud83d\\ude00\"",
    "\"\\uD800\\uDC00\\uDBFF\\uDFFF\"",
    "\"\\\\u12\"",
    "\"\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}\"",
    "\"\u{2028}\u{2029}\u{feff}\"",
    "\"//not a comment\"",
    "\"1234567\"",
    "\"12345678\"",
    "\"123456789012345\\n\"",
    "\"1234567890123456\\\"\"",
];

/// Ill-formed texts, the byte that was not expected, and a part of what was.
const REFUSED: &[(&str, usize, &str)] = &[
    // 2
    ("", 0, "value"),
    (" \n", 2, "value"),
    ("1 2", 2, "end of the input"),
    ("[] ,", 3, "end of the input"),
    ("{}}", 2, "end of the input"),
    ("null\0", 4, "end of the input"),
    ("\u{feff}1", 0, "byte order mark"),
    ("\u{a0}1", 0, "value"),
    ("\u{b}1", 0, "value"),
    ("\u{c}1", 0, "value"),
    ("1 // one", 2, "end of the input"),
    ("/* one */ 1", 0, "value"),
    ("]", 0, "value"),
    ("}", 0, "value"),
    (",", 0, "value"),
    (":", 0, "value"),
    // 3
    ("nul", 0, "null"),
    ("nulL", 0, "null"),
    ("True", 0, "value"),
    ("tru", 0, "true"),
    ("truee", 4, "end of the input"),
    ("falsy", 0, "false"),
    ("undefined", 0, "value"),
    ("NaN", 0, "value"),
    ("Infinity", 0, "value"),
    ("'a'", 0, "value"),
    ("nullnull", 4, "end of the input"),
    // 4
    ("{", 1, "member name"),
    ("{,}", 1, "member name"),
    ("{1:2}", 1, "member name"),
    ("{a:1}", 1, "member name"),
    ("{'a':1}", 1, "member name"),
    ("{\"a\"}", 4, "`:`"),
    ("{\"a\" 1}", 5, "`:`"),
    ("{\"a\":}", 5, "value"),
    ("{\"a\":1", 6, "`,` or `}`"),
    ("{\"a\":1]", 6, "`,` or `}`"),
    ("{\"a\":1,}", 7, "member name"),
    ("{\"a\":1,,\"b\":2}", 7, "member name"),
    ("{\"a\":1 \"b\":2}", 7, "`,` or `}`"),
    ("{\"a\"::1}", 5, "value"),
    ("{null:1}", 1, "member name"),
    ("{[]:1}", 1, "member name"),
    ("{\"a\":1;}", 6, "`,` or `}`"),
    ("{\"a", 3, "not closed"),
    // 5
    ("[", 1, "value"),
    ("[1", 2, "`,` or `]`"),
    ("[1}", 2, "`,` or `]`"),
    ("[1,]", 3, "value"),
    ("[,1]", 1, "value"),
    ("[1,,2]", 3, "value"),
    ("[1 2]", 3, "`,` or `]`"),
    ("[1:2]", 2, "`,` or `]`"),
    ("[[]", 3, "`,` or `]`"),
    ("[1,", 3, "value"),
    ("[\"a\":1]", 4, "`,` or `]`"),
    ("[]]", 2, "end of the input"),
    // 6
    ("-", 1, "digit"),
    ("--1", 1, "digit"),
    ("+1", 0, "value"),
    (".5", 0, "value"),
    ("01", 1, "end of the input"),
    ("-01", 2, "end of the input"),
    ("00", 1, "end of the input"),
    ("1.", 2, "decimal point"),
    ("1.e5", 2, "decimal point"),
    ("-.5", 1, "digit"),
    ("1e", 2, "exponent"),
    ("1e+", 3, "exponent"),
    ("1e1.5", 3, "end of the input"),
    ("1E-", 3, "exponent"),
    ("0x10", 1, "end of the input"),
    ("1_000", 1, "end of the input"),
    ("1e5e5", 3, "end of the input"),
    ("[-]", 2, "digit"),
    ("[1.]", 3, "decimal point"),
    ("1a", 1, "end of the input"),
    ("-Infinity", 1, "digit"),
    ("1.5.5", 3, "end of the input"),
    ("\u{ff11}", 0, "value"),
    // 7
    ("\"", 1, "not closed"),
    ("\"a", 2, "not closed"),
    ("\"a\nb\"", 2, "control"),
    ("\"\t\"", 1, "control"),
    ("\"\0\"", 1, "control"),
    ("\"1234567\u{1f}\"", 8, "control"),
    ("\"\\x41\"", 2, "after `\\`"),
    ("\"\\a\"", 2, "after `\\`"),
    ("\"\\'\"", 2, "after `\\`"),
    ("\"\\U0041\"", 2, "after `\\`"),
    ("\"\\\"", 3, "not closed"),
    ("\"\\", 2, "after `\\`"),
    ("\"\\u\"", 3, "hexadecimal"),
    ("\"\\u12\"", 5, "hexadecimal"),
    ("\"\\u123\"", 6, "hexadecimal"),
    ("\"\\u123g\"", 6, "hexadecimal"),
    ("\"\\u+123\"", 3, "hexadecimal"),
    ("\"\\u 123\"", 3, "hexadecimal"),
    ("\"\\u12", 5, "hexadecimal"),
    ("\"\\\u{e9}\"", 2, "after `\\`"),
    ("\"a\"b", 3, "end of the input"),
];

/// Ill-formed, though serde_json lets them pass where it skips a value: surrogates without their half.
const LONE_SURROGATES: &[(&str, usize)] = &[
    ("\"\\ud800\"", 7),
    ("\"\\ud800a\"", 7),
    ("\"\\ud800\\n\"", 7),
    ("\"\\ud800\\u0041\"", 7),
    ("\"\\ud800\\ud800\"", 7),
    ("\"\\udc00\"", 1),
    ("\"\\ude00\\ud83d\"", 1),
    ("\"a\\udfff\"", 2),
    ("{\"\\ud800\":1}", 8),
];

#[test]
fn every_production_is_accepted_as_serde_json_accepts_it() {
    for text in ACCEPTED {
        assert!(serde_json::from_str::<IgnoredAny>(text).is_ok(), "serde_json: {text}");
        for text in [(*text).to_owned(), format!(" [{text}]"), format!("{{\"a\" :{text},\"b\":{text} }}")] {
            assert!(scan(text.as_bytes(), &rules()).is_ok(), "{text}");
        }
    }
}

#[test]
fn every_fault_is_refused_where_it_is() {
    for (text, at, part) in REFUSED {
        assert!(serde_json::from_str::<IgnoredAny>(text).is_err(), "serde_json: {text}");
        check(text, *at, part);
    }
    for (text, at) in LONE_SURROGATES {
        assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "serde_json: {text}");
        check(text, *at, "low surrogate");
    }
}

fn check(text: &str, at: usize, part: &str) {
    match refused(text.as_bytes()) {
        ScanError::Syntax { offset, expected, .. } => {
            assert_eq!(offset, at, "{text}: {expected}");
            assert!(expected.contains(part), "{text}: {expected}");
        }
        error => panic!("{text}: {error}"),
    }
}

#[test]
fn bytes_that_are_no_utf8_are_refused_where_they_are() {
    for bytes in [
        &b"\xff"[..],
        b"\xc3",
        b"\xc0\xaf",
        b"\xe0\x80\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xf8",
        b"\x80",
    ] {
        let text = [b"[\"\xc3\xa9\n", bytes, b"\"]"].concat();
        // The line break is an earlier fault; without it, it is the bytes.
        assert!(
            matches!(refused(&text), ScanError::Syntax { offset: 4, expected, .. } if expected.contains("control"))
        );
        let text = [b"[\n\"\xc3\xa9", bytes, b"\"]"].concat();
        let expected = ScanError::Syntax { offset: 5, line: 2, column: 3, expected: "UTF-8" };
        assert_eq!(refused(&text), expected);
        assert_eq!(expected.to_string(), "invalid JSON at line 2, column 3 (byte 5): expected UTF-8");
        let text = [b"[]", bytes].concat();
        assert!(matches!(refused(&text), ScanError::Syntax { offset: 2, expected: "UTF-8", .. }));
    }
    assert!(matches!(refused(b"\xff\xfe[\0]\0"), ScanError::Syntax { offset: 0, .. }));
}
