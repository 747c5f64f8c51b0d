//! The bucket's CORS rules: browsers may send uploads, with the headers of a ticket.

use aws_sdk_s3::types::{CorsConfiguration, CorsRule};
use serde_json::{Value, json};

/// The name of Signet's rule.
const ID: &str = "signet-uploads";
const METHODS: [&str; 3] = ["PUT", "GET", "HEAD"];
/// What a ticket asks for.
const HEADERS: [&str; 7] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-type",
    "if-none-match",
    "x-amz-checksum-sha256",
    "x-amz-expected-bucket-owner",
];
/// What completing an upload in parts needs.
const EXPOSED: [&str; 1] = ["etag"];
/// How long a browser may remember the answer, in seconds.
const MAX_AGE: i32 = 3_600;

/// The rule as S3 shows it.
pub(super) fn json(origins: &[String]) -> Value {
    json!({
        "ID": ID,
        "AllowedOrigins": origins,
        "AllowedMethods": METHODS,
        "AllowedHeaders": HEADERS,
        "ExposeHeaders": EXPOSED,
        "MaxAgeSeconds": MAX_AGE,
    })
}

/// The rules to be put in, with all others that are there. `None` where they say it already.
pub(super) fn merged(there: Vec<CorsRule>, origins: &[String]) -> Option<CorsConfiguration> {
    let ours = rule(origins)?;
    if there.iter().any(|rule| says(rule) == says(&ours)) {
        return None;
    }
    let mut rules: Vec<CorsRule> = there.into_iter().filter(|rule| rule.id() != Some(ID)).collect();
    rules.push(ours);
    CorsConfiguration::builder().set_cors_rules(Some(rules)).build().ok()
}

fn rule(origins: &[String]) -> Option<CorsRule> {
    let list = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect());
    CorsRule::builder()
        .id(ID)
        .set_allowed_origins(Some(origins.to_vec()))
        .set_allowed_methods(list(&METHODS))
        .set_allowed_headers(list(&HEADERS))
        .set_expose_headers(list(&EXPOSED))
        .max_age_seconds(MAX_AGE)
        .build()
        .ok()
}

/// What a rule says, whatever its name and order.
fn says(rule: &CorsRule) -> ([Vec<String>; 4], Option<i32>) {
    let set = |texts: &[String]| {
        let mut texts: Vec<String> = texts.iter().map(|text| text.to_ascii_lowercase()).collect();
        texts.sort_unstable();
        texts.dedup();
        texts
    };
    let lists = [
        set(rule.allowed_origins()),
        set(rule.allowed_methods()),
        set(rule.allowed_headers()),
        set(rule.expose_headers()),
    ];
    (lists, rule.max_age_seconds())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins() -> Vec<String> {
        vec!["https://app.example.com".into(), "https://*.example.com".into()]
    }

    #[test]
    fn the_rule_is_what_a_ticket_needs() {
        assert_eq!(
            json(&origins()).to_string(),
            concat!(
                r#"{"ID":"signet-uploads","AllowedOrigins":["https://app.example.com","https://*.example.com"],"#,
                r#""AllowedMethods":["PUT","GET","HEAD"],"#,
                r#""AllowedHeaders":["cache-control","content-disposition","content-encoding","content-type","#,
                r#""if-none-match","x-amz-checksum-sha256","x-amz-expected-bucket-owner"],"#,
                r#""ExposeHeaders":["etag"],"MaxAgeSeconds":3600}"#
            )
        );
        let put = merged(Vec::new(), &origins()).unwrap();
        let [rule] = put.cors_rules() else { panic!("{put:?}") };
        assert_eq!(rule.allowed_methods(), METHODS);
        assert_eq!(rule.allowed_headers(), HEADERS);
        assert_eq!(rule.expose_headers(), EXPOSED);
        assert_eq!(rule.allowed_origins(), origins());
        assert_eq!((rule.id(), rule.max_age_seconds()), (Some(ID), Some(3_600)));
    }

    #[test]
    fn other_rules_stay_and_an_old_one_of_ours_goes() {
        let other = CorsRule::builder()
            .id("theirs")
            .allowed_methods("GET")
            .allowed_origins("https://x.example")
            .build()
            .unwrap();
        let old = rule(&["https://old.example".to_owned()]).unwrap();
        let put = merged(vec![old, other.clone()], &origins()).unwrap();
        assert_eq!(put.cors_rules(), [other, rule(&origins()).unwrap()]);
        assert_eq!(merged(put.cors_rules, &origins()), None, "it is so then");
    }

    #[test]
    fn order_case_and_name_make_no_difference() {
        let same = CorsRule::builder()
            .allowed_methods("HEAD")
            .allowed_methods("GET")
            .allowed_methods("PUT")
            .set_allowed_headers(Some(HEADERS.iter().rev().map(|header| header.to_uppercase()).collect()))
            .expose_headers("ETag")
            .set_allowed_origins(Some(origins().into_iter().rev().collect()))
            .max_age_seconds(3_600)
            .build()
            .unwrap();
        assert_eq!(merged(vec![same], &origins()), None);
    }
}
