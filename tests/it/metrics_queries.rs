//! What looks at the metrics fits them: the dashboard and the alerts in `deploy/`, and the pages that explain them.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::support::fresh_dev;
use crate::support::prometheus::{Prometheus, project, promtool, selectors};

fn page(name: &str) -> String {
    fs::read_to_string(project(name)).unwrap()
}

/// The queries of the dashboard, by where they stand, its variables set.
fn dashboard() -> Vec<(String, String)> {
    let board: Value = serde_json::from_str(&page("deploy/grafana/signet.json")).unwrap();
    let mut queries = Vec::new();
    for panel in board["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().into_iter().flatten() {
            queries.push((title.to_owned(), target["expr"].as_str().unwrap().to_owned()));
        }
    }
    for note in board["annotations"]["list"].as_array().unwrap() {
        queries.push(("annotation".to_owned(), note["expr"].as_str().unwrap().to_owned()));
    }
    for variable in board["templating"]["list"].as_array().unwrap() {
        if let Some(query) = variable["query"]["query"].as_str() {
            let inner = query.strip_prefix("label_values(").and_then(|rest| rest.split(',').next()).unwrap();
            queries.push(("variable".to_owned(), inner.to_owned()));
        }
    }
    for (_, query) in &mut queries {
        for (name, value) in [("$instance", ".*"), ("$job", "signet"), ("$__rate_interval", "1m")] {
            *query = query.replace(name, value);
        }
        assert!(!query.contains('$'), "an unknown variable in {query}");
    }
    queries
}

/// The names of the alerts.
fn alerts() -> Vec<String> {
    let rules = page("deploy/prometheus/alerts.yml");
    let names = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    names.map(str::to_owned).collect()
}

#[test]
fn rules_are_good_and_pass_their_tests() {
    for args in [
        &["check", "rules", "alerts.yml"][..],
        &["test", "rules", "alerts_test.yml"],
        &["check", "config", "--syntax-only", "../compose/prometheus.yml"],
    ] {
        promtool(args, "").unwrap_or_else(|said| panic!("{args:?}: {said}"));
    }
}

#[test]
fn every_alert_is_tested_both_ways_and_explained_where_it_points() {
    let (rules, tests) = (page("deploy/prometheus/alerts.yml"), page("deploy/prometheus/alerts_test.yml"));
    let operations = page("docs/operations.md");
    let alerts = alerts();
    assert!(alerts.len() > 20, "{alerts:?}");
    for alert in &alerts {
        assert!(tests.contains(&format!("- name: {alert} fires\n")), "{alert} has no test in which it fires");
        assert!(tests.contains(&format!("- name: {alert} is silent\n")), "{alert} has no test without it");
        assert!(operations.contains(&format!("\n### {alert}\n")), "docs/operations.md lacks {alert}");
        let anchor = format!("runbook_url: docs/operations.md#{}\n", alert.to_lowercase());
        assert!(rules.contains(&anchor), "{alert} points elsewhere");
    }
    let explained = operations.lines().filter_map(|line| line.strip_prefix("### Signet"));
    for name in explained {
        assert!(alerts.contains(&format!("Signet{name}")), "there is no alert Signet{name}");
    }
    let board = page("deploy/grafana/signet.json");
    let named = board.split("Alert: ").chain(board.split("Alerts: ")).skip(1);
    for name in named.filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric()).next()) {
        assert!(
            !name.starts_with("Signet") || alerts.iter().any(|alert| alert == name),
            "{name} is no alert"
        );
    }
}

#[test]
fn links_within_the_operations_page_lead_somewhere() {
    let operations = page("docs/operations.md");
    let anchor = |title: &str| {
        let kept = title.to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.collect::<String>().replace(' ', "-")
    };
    let headings = operations.lines().filter(|line| line.starts_with('#'));
    let anchors: BTreeSet<String> =
        headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect();
    for target in operations.split("](#").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(anchors.contains(target), "there is no #{target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_the_dashboard_and_the_alerts_finds_its_series() {
    let (_folder, node) = fresh_dev();
    let prometheus = Prometheus::scraping(&[&node.admin]);
    // A rate needs two scrapes.
    prometheus.until("count_over_time(signet_build_info[1m]) > 1").await;
    let mut queries = dashboard();
    assert!(queries.len() > 60, "{}", queries.len());
    prometheus.until("ALERTS or vector(1)").await;
    let rules = prometheus.rules().await;
    assert_eq!(rules.len(), alerts().len());
    for rule in &rules {
        let text = |name: &str| rule[name].as_str().unwrap().to_owned();
        assert_ne!(text("health"), "err", "{rule}");
        queries.push((text("name"), text("query")));
    }
    let mut missing = Vec::new();
    for (place, query) in &queries {
        let found = selectors(query);
        assert!(!found.is_empty(), "{place} looks at nothing of Signet's: {query}");
        for selector in found {
            if prometheus.series(&selector).await == 0 {
                missing.push(format!("{place}: {selector}"));
            }
        }
        // What compares may rightly find nothing; the answer proves that it can be asked.
        let compares = [" > ", " < ", " == ", "absent("].iter().any(|sign| query.contains(sign));
        if prometheus.query(query).await == 0 && !compares {
            missing.push(format!("{place}: {query}"));
        }
    }
    assert!(missing.is_empty(), "nothing is found for:\n{}", missing.join("\n"));
    assert_eq!(prometheus.series("signet_nothing_total").await, 0, "what isn't there isn't found");
}

#[test]
fn selectors_are_found_wherever_they_stand() {
    let query =
        r#"sum by (le) (rate(signet_a_bucket{route="/m/{id}",status=~"5.."}[5m])) / up > 0 and process_x"#;
    assert_eq!(selectors(query), [r#"signet_a_bucket{route="/m/{id}",status=~"5.."}"#, "up", "process_x"]);
    assert!(selectors(r#"vector(1) or on () {job="signet_x"}"#).is_empty());
}
