//! Traces: taken over from callers, handed on to others, and sent to a collector; log lines that name their request.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use signet::app::outgoing::connector;
use signet::service::ports::{CurrentTrace, TraceContext};
use signet::store::jwks::{HttpFetch, JwksUrl, KeyFetch};
use tempfile::TempDir;

use crate::support::Node;
use crate::support::collector::{Collector, Seen};
use crate::support::http::{get, raw, send};
use crate::support::recorder::Recorder;
use crate::support::settings::{ANNA, two_tenants};
use crate::support::upload::{finalize, picture, ready};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";
/// How long what is sent in the background may take to arrive.
const LONGEST: Duration = Duration::from_secs(90);

fn parent(flags: &str) -> String {
    format!("00-{TRACE}-{SPAN}-{flags}")
}

/// A `signet dev` that sends spans to a URL.
fn sending(folder: &TempDir, endpoint: &str, more: &[(&str, &str)]) -> Node {
    let endpoint = [("SIGNET__TELEMETRY__OTLP_ENDPOINT", endpoint)];
    tokio::task::block_in_place(|| Node::dev(&folder.path().join("data"), &[&endpoint, more].concat()))
}

/// Ends a node, which sends what is still to be sent.
fn drain(node: Node) {
    assert_eq!(tokio::task::block_in_place(|| node.terminate()), Some(0));
}

/// How many spans have ended so.
async fn spans(node: &Node, outcome: &str) -> u64 {
    let text = get(&format!("{}/metrics", node.admin), &[]).await.text();
    let series = format!("signet_spans_total{{outcome=\"{outcome}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&series)).unwrap().parse().unwrap()
}

/// The only span of a request.
fn of_request<'a>(spans: &'a [Seen], id: &str) -> &'a Seen {
    let mut found =
        spans.iter().filter(|span| span.fields.get("signet.request.id").is_some_and(|it| it == id));
    let one = found.next().unwrap_or_else(|| panic!("no span of {id} in {spans:#?}"));
    assert_eq!(found.next(), None);
    one
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_arrive_below_their_callers_and_a_drain_sends_the_rest() {
    let (folder, collector) = (TempDir::new().unwrap(), Collector::start().await);
    let node = sending(&folder, &collector.endpoint(), &[]);
    let asset =
        ready(&node.api, &node.api_key, "a.jpg", &picture(500, 1), json!({"visibility": "PUBLIC"})).await;
    let permalink = format!("{}/m/{}", node.api, asset["assetId"].as_str().unwrap());
    let (sampled, wrong) = (parent("01"), format!("00-{}-{SPAN}-01", TRACE.to_uppercase()));
    let by = |id: &'static str, parent: &'static str| {
        [("x-request-id", id), ("traceparent", parent), ("tracestate", "rojo=1,congo=2")]
    };
    let (sampled, wrong): (&'static str, &'static str) = (sampled.leak(), wrong.leak());
    for (id, parent) in [("first", sampled), ("second", sampled), ("third", wrong)] {
        assert_eq!(get(&permalink, &by(id, parent)).await.status, 302);
    }
    let key = [("authorization", node.api_key.as_str()), ("content-type", "application/json")];
    let document = r#"{"a": {"key": "x/a.jpg", "type": "image"}, "b": "med_00000000000000000000000000"}"#;
    let documents = format!("{}/media/v1/documents", node.api);
    let signed = send("POST", &documents, &[&key[..], &by("document", sampled)].concat(), document).await;
    assert_eq!(signed.status, 200);
    let head = get(&format!("{}/nowhere?token=x", node.api), &by("nowhere", sampled)).await;
    head.assert_problem(404, "not-found");
    get(&format!("{}/metrics", node.admin), &by("metrics", sampled)).await;
    let edge = get(asset["url"].as_str().unwrap(), &by("edge", sampled)).await;
    assert_eq!(edge.status, 200);
    drain(node);

    let spans = collector.spans();
    let service = &collector.services()[0];
    assert_eq!(
        (service["service.name"].as_str(), service["service.version"].as_str()),
        ("signet", env!("CARGO_PKG_VERSION"))
    );
    for (id, name, status) in [
        ("first", "GET /m/{id}", "302"),
        ("second", "GET /m/{id}", "302"),
        ("document", "POST /media/v1/documents", "200"),
        ("nowhere", "GET", "404"),
        ("edge", "GET", "200"),
    ] {
        let span = of_request(&spans, id);
        assert_eq!((span.name.as_str(), span.kind), (name, 2));
        assert_eq!(
            (span.trace.as_str(), span.parent.as_str(), span.state.as_str()),
            (TRACE, SPAN, "rojo=1,congo=2")
        );
        assert_eq!(span.fields["http.response.status_code"], status);
        assert!(!span.failed);
        assert!(span.nanoseconds > 0, "{span:?}");
    }
    let fields: Vec<&str> = of_request(&spans, "document").fields.keys().map(String::as_str).collect();
    let expected = [
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "signet.request.id",
        "signet.tenant",
    ];
    assert_eq!(fields, expected);
    let third = of_request(&spans, "third");
    assert_eq!((third.parent.as_str(), third.state.as_str()), ("", ""));
    assert_ne!(third.trace, TRACE);
    assert!(spans.iter().all(|span| span.fields.get("signet.request.id").is_none_or(|id| id != "metrics")));

    // What is done for a request is below its span; the store's call is where it was asked for.
    let below = |parent: &Seen| -> Vec<&Seen> {
        spans.iter().filter(|span| span.parent == parent.id && span.trace == parent.trace).collect()
    };
    let document = below(of_request(&spans, "document"));
    let work = document.iter().find(|span| span.name == "document").unwrap();
    assert_eq!((work.kind, work.fields["signet.document.found"].as_str()), (1, "2"));
    let asked = below(work);
    let asked: BTreeSet<(&str, i32)> = asked.iter().map(|span| (span.name.as_str(), span.kind)).collect();
    assert_eq!(asked, BTreeSet::from([("find_assets", 3), ("existing", 3)]));
    // Each span but those of requests is below another one; nothing that no request asked for is there.
    let ids: BTreeSet<&str> = spans.iter().map(|span| span.id.as_str()).collect();
    for span in spans.iter().filter(|span| span.kind != 2) {
        assert!(ids.contains(span.parent.as_str()), "{span:?}");
    }
    let names: BTreeSet<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    for name in ["insert_asset", "update_asset", "presign_put", "head"] {
        assert!(names.contains(name), "{name} isn't in {names:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_began_a_trace_decides_whether_it_is_sent_and_else_the_ratio() {
    let (folder, collector) = (TempDir::new().unwrap(), Collector::start().await);
    let ratio = [("SIGNET__TELEMETRY__SAMPLE_RATIO", "0.0"), ("SIGNET__TELEMETRY__SERVICE_NAME", "media")];
    let node = sending(&folder, &collector.endpoint(), &ratio);
    let asset =
        ready(&node.api, &node.api_key, "a.jpg", &picture(500, 1), json!({"visibility": "PUBLIC"})).await;
    let permalink = format!("{}/m/{}", node.api, asset["assetId"].as_str().unwrap());
    for _ in 0..2 {
        get(&permalink, &[]).await;
        get(&permalink, &[("traceparent", &parent("00"))]).await;
        get(&permalink, &[("traceparent", &parent("01"))]).await;
    }
    drain(node);
    let spans = collector.spans();
    let requests = spans.iter().filter(|span| span.kind == 2);
    assert_eq!(requests.count(), 2, "{spans:#?}");
    assert!(spans.iter().all(|span| span.trace == TRACE));
    assert_eq!(collector.services()[0]["service.name"], "media");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_holds_nobody_up_and_is_taken_back() {
    let (gone, hangs) = (Recorder::start(Some(503), "").await, Recorder::start(None, "").await);
    let mut sizes = Vec::new();
    for recorder in [&gone, &hangs] {
        let folder = TempDir::new().unwrap();
        let node = sending(&folder, &format!("{}/v1/traces", recorder.url), &[]);
        let asset =
            ready(&node.api, &node.api_key, "a.jpg", &picture(500, 1), json!({"visibility": "PUBLIC"})).await;
        let path = format!("/m/{}", asset["assetId"].as_str().unwrap());
        assert_eq!(get(&format!("{}{path}", node.api), &[]).await.status, 302);
        // More than the queue holds, twice.
        let host = node.api.strip_prefix("http://").unwrap();
        let many = |count: usize| {
            let one = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n");
            let last = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
            let answers = raw(&node.api, (one.repeat(count - 1) + &last).as_bytes(), Duration::from_secs(60));
            String::from_utf8(answers).unwrap().matches("HTTP/1.1 302").count()
        };
        let resident = || {
            let status = fs::read_to_string(format!("/proc/{}/statm", node.id())).unwrap();
            status.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
        };
        tokio::task::block_in_place(|| {
            assert_eq!(many(10_000), 10_000);
            let before = resident();
            assert_eq!(many(20_000), 20_000);
            sizes.push(resident().saturating_sub(before));
        });
        // Who refuses at once empties the queue, too.
        assert!(spans(&node, "queue_full").await > 0 || recorder.url == gone.url);
        let began = Instant::now();
        while recorder.heard().is_empty() {
            assert!(began.elapsed() < LONGEST, "nothing is sent");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if recorder.url == gone.url {
            let told = "the collector doesn't take spans";
            while !node.log().contains(told) {
                assert!(began.elapsed() < LONGEST, "{}", node.log());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            assert!(spans(&node, "not_taken").await > 0);
            assert_eq!(spans(&node, "sent").await, 0);
            recorder.set(200);
            let heard = recorder.heard().len();
            while recorder.heard().len() < heard + 2 {
                assert!(began.elapsed() < LONGEST, "nothing is sent again");
                assert_eq!(get(&format!("{}{path}", node.api), &[]).await.status, 302);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            assert_eq!(node.log().matches(told).count(), 1, "{}", node.log());
            while spans(&node, "sent").await == 0 {
                assert!(began.elapsed() < LONGEST, "nothing is counted as sent");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        drain(node);
    }
    assert!(sizes.iter().all(|size| *size < 24 << 20), "{sizes:?}");
}

#[derive(Debug)]
struct Here;

impl CurrentTrace for Here {
    fn current(&self) -> Option<TraceContext> {
        TraceContext::parse(&parent("01"), Some("rojo=1"))
    }
}

#[tokio::test]
async fn the_issuer_is_told_the_trace() {
    let issuer = Recorder::start(Some(200), "{\"keys\":[]}").await;
    let url = JwksUrl::parse(&format!("{}/keys", issuer.url)).unwrap();
    let connector = connector(Some("http")).unwrap();
    HttpFetch::new(url, connector, Arc::new(Here)).fetch().await.unwrap();
    let (head, _) = issuer.heard().remove(0);
    assert_eq!(head.headers["traceparent"], parent("01"));
    assert_eq!(head.headers["tracestate"], "rojo=1");
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_is_told_the_trace_whether_spans_are_sent_or_not_and_no_ticket_is() {
    let collector = Collector::start().await;
    for endpoint in [None, Some(collector.endpoint())] {
        let (s3, folder) = (Recorder::start(Some(404), "").await, TempDir::new().unwrap());
        let layout = format!(
            "path = \"{{tenant}}\"\nbucket = \"b\"\n[store.s3]\nendpoint = \"{}\"\nattempts = 1\n",
            s3.url
        );
        let settings = two_tenants(folder.path(), &layout, "vectors/rsa", false)
            .replace("[store]\n", "[store]\nobjects = \"s3\"\n");
        let mut environment = credentials();
        if let Some(endpoint) = &endpoint {
            environment.push(("SIGNET__TELEMETRY__OTLP_ENDPOINT", endpoint));
        }
        let node = tokio::task::block_in_place(|| Node::serve(folder.path(), &settings, &environment));
        let uploads = format!("{}/media/v1/uploads", node.api);
        let sampled = parent("01");
        let headers = [
            ("authorization", ANNA.2),
            ("content-type", "application/json"),
            ("traceparent", &sampled),
            ("tracestate", "rojo=1"),
        ];
        let wanted = json!({"filename": "a.jpg", "contentType": "image/jpeg", "sizeBytes": 100});
        let ticket = send("POST", &uploads, &headers, wanted.to_string()).await.json();
        assert!(!ticket.to_string().contains("trace"), "{ticket}");
        assert!(s3.heard().is_empty());
        let id = ticket["assetId"].as_str().unwrap();
        let answer = send("POST", &format!("{uploads}/{id}/finalize"), &headers, "").await;
        answer.assert_problem(409, "not-uploaded");
        let heard = s3.heard();
        assert!(!heard.is_empty());
        for (head, _) in heard {
            let told = head.headers["traceparent"].to_str().unwrap();
            assert_eq!(head.headers["tracestate"], "rojo=1");
            assert!(
                !head.headers["authorization"].to_str().unwrap().contains("trace"),
                "it is no part of the signature"
            );
            match &endpoint {
                None => assert_eq!(told, sampled, "where there is no span here, the caller's is the parent"),
                Some(_) => {
                    assert!(told.starts_with(&format!("00-{TRACE}-")) && told.ends_with("-01"), "{told}");
                    assert_ne!(told, sampled);
                }
            }
        }
        // Nobody's trace: S3 is told a new one.
        assert_eq!(finalize(&node.api, ANNA.2, id).await.status, 409);
        let (last, _) = s3.heard().pop().unwrap();
        assert!(TraceContext::parse(last.headers["traceparent"].to_str().unwrap(), None).is_some());
        assert!(!last.headers["traceparent"].to_str().unwrap().contains(TRACE));
        drain(node);
    }
    // The parent that S3 was told is the span of the call.
    assert!(collector.spans().iter().any(|span| span.name == "head" && span.trace == TRACE));
}

fn credentials() -> Vec<(&'static str, &'static str)> {
    vec![("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret"), ("AWS_REGION", "eu-central-1")]
}

/// Requests of all kinds, each with an id of its own; gives the ids, and those of the problems among them.
async fn speak(node: &Node) -> (Vec<String>, Vec<String>) {
    let key = node.api_key.clone();
    let asset = ready(&node.api, &key, "a.jpg", &picture(500, 1), json!({"visibility": "PUBLIC"})).await;
    let id = asset["assetId"].as_str().unwrap().to_owned();
    let lines = "{\"a\": {\"key\": \"x/a.jpg\", \"type\": \"image\"}}\n{\n[1]\n".to_owned();
    let cases = [
        ("GET", format!("/m/{id}"), "", String::new()),
        ("GET", format!("/m/{id}"), "", String::new()),
        ("GET", "/m/nothing".to_owned(), "", String::new()),
        ("GET", "/media/v1/usage".to_owned(), "", String::new()),
        ("POST", "/media/v1/documents".to_owned(), "application/json", "{".to_owned()),
        ("POST", "/media/v1/documents".to_owned(), "application/x-ndjson", lines),
        ("POST", "/media/v1/links".to_owned(), "application/json", json!({"ids": [id]}).to_string()),
        (
            "PATCH",
            format!("/media/v1/assets/{id}"),
            "application/json",
            json!({"visibility": "PRIVATE"}).to_string(),
        ),
        ("GET", format!("/m/{id}"), "", String::new()),
        ("DELETE", format!("/media/v1/assets/{id}"), "", String::new()),
        ("GET", "/nowhere".to_owned(), "", String::new()),
    ];
    let (mut ids, mut problems) = (Vec::new(), Vec::new());
    for (number, (method, path, kind, body)) in cases.into_iter().enumerate() {
        let id = format!("request-{number}");
        let mut headers = vec![
            ("x-request-id", id.as_str()),
            ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ];
        if path != "/media/v1/usage" && !path.starts_with("/m/") {
            headers.push(("authorization", &key));
        }
        if !kind.is_empty() {
            headers.push(("content-type", kind));
        }
        let answer = send(method, &format!("{}{path}", node.api), &headers, body).await;
        assert_eq!(answer.header("x-request-id"), id);
        if answer.header("content-type") == "application/problem+json" {
            assert_eq!(answer.json()["requestId"], id.as_str());
            problems.push(id.clone());
        }
        ids.push(id);
    }
    (ids, problems)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_line_of_a_request_names_it_and_its_trace_in_json() {
    let folder = TempDir::new().unwrap();
    let settings = two_tenants(folder.path(), "", "vectors/rsa", false);
    let level = [("SIGNET__LOG__LEVEL", "trace")];
    let mut node = tokio::task::block_in_place(|| Node::serve(folder.path(), &settings, &level));
    node.api_key = ANNA.2.to_owned();
    let (ids, problems) = speak(&node).await;
    let log = node.log();
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    for line in &lines {
        let target = line["target"].as_str().unwrap();
        let of_none = ["signet::app", "signet::http::server"].iter().any(|room| target.starts_with(room));
        assert!(of_none || line["span"]["id"].is_string(), "{line}");
    }
    for id in &ids {
        let own: Vec<&Value> = lines.iter().filter(|line| line["span"]["id"] == id.as_str()).collect();
        let answered = own.iter().filter(|line| line["message"] == "answered").count();
        assert_eq!(answered, 1, "{id}: {own:#?}");
        assert!(own.iter().all(|line| line["span"]["trace_id"] == TRACE), "{own:#?}");
        assert_eq!(
            own.iter().any(|line| line["problem"].is_string()),
            problems.contains(id) || *id == "request-5",
            "{own:#?}"
        );
    }
    // The body's bad line is told of while the answer is on its way; the tenant is known from then on.
    let lines = lines.iter().filter(|line| line["span"]["id"] == "request-5");
    assert!(lines.clone().any(|line| line["problem"] == "malformed-json"));
    assert!(lines.into_iter().all(|line| line["span"]["tenant"] == ANNA.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_line_of_a_request_names_it_for_people_too() {
    let folder = TempDir::new().unwrap();
    let level = [("SIGNET__LOG__LEVEL", "signet=trace"), ("NO_COLOR", "1")];
    let node = tokio::task::block_in_place(|| Node::dev(&folder.path().join("data"), &level));
    let (ids, _) = speak(&node).await;
    let log = node.log();
    for id in ids {
        let own: Vec<&str> = log.lines().filter(|line| line.contains(&format!("id=\"{id}\""))).collect();
        assert!(own.iter().any(|line| line.contains("answered")), "{id}: {log}");
        assert!(own.iter().all(|line| line.contains(&format!("trace_id={TRACE}"))), "{own:#?}");
    }
    let lines = log.lines().filter(|line| line.contains("problem=") || line.contains("answered"));
    assert!(lines.clone().count() > 11 && lines.clone().all(|line| line.contains("request{")), "{log}");
}
