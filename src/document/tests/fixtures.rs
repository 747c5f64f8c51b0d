use serde_json::Value;

use super::properties::assert_only_links_change;
use super::support::{answers, rules, scanned, sign};

pub(super) const FIXTURES: [(&str, &str); 6] = [
    ("collection-objects.json", include_str!("../../../tests/fixtures/collection-objects.json")),
    ("products.json", include_str!("../../../tests/fixtures/products.json")),
    ("rich-text.json", include_str!("../../../tests/fixtures/rich-text.json")),
    ("site-details.json", include_str!("../../../tests/fixtures/site-details.json")),
    ("traps.json", include_str!("../../../tests/fixtures/traps.json")),
    ("view-by-reference.json", include_str!("../../../tests/fixtures/view-by-reference.json")),
];
const EXPECTED: &str = include_str!("../../../tests/fixtures/expected.json");

#[test]
fn every_fixture_has_exactly_the_sites_that_are_expected_of_it() {
    let expected: Value = serde_json::from_str(EXPECTED).unwrap();
    for (file, input) in FIXTURES {
        let scan = scanned(input, &rules());
        let answers = answers(&scan);
        let rows: Vec<Value> = scan
            .rows(&answers)
            .into_iter()
            .map(|row| {
                let mut told = serde_json::Map::new();
                told.insert("pointer".into(), row.pointer.into());
                told.insert("kind".into(), row.kind.as_str().into());
                if let (Some(name), Some(subject)) = (row.kind.subject(), row.subject) {
                    told.insert(name.into(), subject.into());
                }
                // expected.json leaves this reason out: such a descriptor is signed, without srcset.
                if let Some(reason) = row.reason.filter(|reason| reason.as_str() != "invalid_derivatives") {
                    told.insert("reason".into(), reason.as_str().into());
                }
                Value::Object(told)
            })
            .collect();
        assert_eq!(Value::Array(rows), expected["files"][file], "{file}");
    }
}

#[test]
fn a_fixture_gets_its_links_and_keeps_everything_else() {
    for (file, input) in FIXTURES {
        let signed = sign(input, &rules());
        assert_eq!(sign(&signed, &rules()), signed, "{file}: signed twice");
        assert_only_links_change(input);
    }
}

#[test]
fn the_trap_of_an_invalid_set_is_signed_and_told() {
    let scan = scanned(FIXTURES[4].1, &rules());
    let answers = answers(&scan);
    let rows = scan.rows(&answers);
    let row = rows.iter().find(|row| row.pointer == "/odd/2").unwrap();
    assert!(row.signed && row.links.len() == 1 && row.expires.is_some());
    assert_eq!(row.reason.unwrap().as_str(), "invalid_derivatives");
    let signed = scan.splice(&answers);
    assert_eq!((signed.found, signed.unsigned), (21, 11));
}
