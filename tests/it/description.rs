//! The description of the API: as the code is, whole, and served with a page to try it that needs nobody else.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::http::{get, send};
use crate::support::program::signet;
use crate::support::shared_dev;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn printed(args: &[&str]) -> String {
    let run = signet(&[&["openapi"], args].concat(), b"");
    assert_eq!((run.code, run.diagnostics.as_str()), (0, ""));
    run.answer
}

fn document() -> Value {
    serde_json::from_str(&printed(&[])).unwrap()
}

/// Each operation with its method and path.
fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths.flat_map(|(path, item)| {
        item.as_object()
            .unwrap()
            .iter()
            .map(|(method, operation)| (method.as_str(), path.as_str(), operation))
    })
}

#[test]
fn the_committed_description_is_what_the_code_makes() {
    let committed = fs::read_to_string(root().join("docs/openapi.json")).unwrap_or_default();
    assert!(committed == printed(&[]), "renew it: cargo run -- openapi > docs/openapi.json");
}

#[test]
fn it_says_what_the_settings_say() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("signet.toml");
    let settings = "[uploads]\ncontent_types = [\"image/png\", \"video/mp4\"]\n\
                    [uploads.max_bytes_by_type]\n\"image/*\" = 1000\n[documents.profiles.shop]\nlike = \"vivreal\"\n";
    fs::write(&file, settings).unwrap();
    let document: Value = serde_json::from_str(&printed(&["--config", file.to_str().unwrap()])).unwrap();
    let upload = &document["components"]["schemas"]["UploadRequest"];
    assert_eq!(upload["properties"]["contentType"]["enum"], json!(["image/png", "video/mp4"]));
    assert_eq!(upload["allOf"][0]["then"]["properties"]["sizeBytes"]["maximum"], 1_000);
    assert!(document.to_string().contains("[\"foundation\",\"shop\",\"vivreal\"]"));
    fs::write(&file, "[uploads]\ncontent_types = [\"png\"]").unwrap();
    let run = signet(&["openapi", "--config", file.to_str().unwrap()], b"");
    assert_eq!(run.code, 1);
    assert!(run.diagnostics.contains("uploads.content_types"), "{}", run.diagnostics);
}

#[test]
fn every_operation_is_described_whole() {
    let document = document();
    let mut ids = HashSet::new();
    for (method, path, operation) in operations(&document) {
        let name = format!("{method} {path}");
        for member in ["summary", "description", "operationId"] {
            assert!(operation[member].as_str().is_some_and(|text| !text.is_empty()), "{name}: {member}");
        }
        assert!(ids.insert(operation["operationId"].to_string()), "{name}: its id is another's too");
        assert!(operation["security"].as_array().is_some_and(|ways| ways.len() > 1), "{name}: security");
        assert!(operation.get("parameters").is_none_or(Value::is_array), "{name}: parameters");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(
                parameter["description"].is_string() && parameter["schema"].is_object(),
                "{name}: {parameter}"
            );
        }
        if let Some(body) = operation.get("requestBody") {
            assert!(
                body["content"].as_object().unwrap().values().all(|body| body.get("example").is_some()),
                "{name}"
            );
        }
        let answers = operation["responses"].as_object().unwrap();
        for status in ["500", "503"] {
            assert!(answers.contains_key(status), "{name}: {status}");
        }
        assert!(answers.keys().any(|status| status.starts_with(['2', '3'])), "{name}");
        for (status, answer) in answers {
            let shared = answer["$ref"].as_str().and_then(|reference| document.pointer(&reference[1..]));
            let answer = shared.unwrap_or(answer);
            assert!(answer["description"].as_str().is_some_and(|text| !text.is_empty()), "{name} {status}");
            assert!(answer["headers"].get("x-request-id").is_some(), "{name} {status}");
            for content in answer["content"].as_object().into_iter().flat_map(|content| content.values()) {
                let shown = content.get("example").or(content.get("examples"));
                assert!(shown.is_some(), "{name} {status} has no example");
            }
        }
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    let document = document();
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    for reference in &references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(references.contains(&format!("#/components/schemas/{name}")), "nobody uses {name}");
    }
    for (_, _, operation) in operations(&document) {
        let links = operation["responses"]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|answer| answer["links"].as_object());
        for link in links.flat_map(|links| links.values()) {
            let target = &link["operationId"];
            assert!(operations(&document).any(|(_, _, other)| other["operationId"] == *target), "{target}");
        }
    }
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                references.insert(reference.clone());
            }
            members.values().for_each(|member| collect(member, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}

#[test]
fn routes_come_with_their_descriptions() {
    let routes = fs::read_to_string(root().join("src/http/routes/mod.rs")).unwrap();
    let code: String = routes.lines().filter(|line| !line.starts_with("//!")).collect();
    for way in [".route(", ".merge(", ".nest(", ".route_service(", ".fallback"] {
        assert!(!code.contains(way), "`{way}` adds what nobody describes: use .routes(routes!(…))");
    }
    assert!(code.contains(".routes(routes!("));
}

/// A handler may answer more methods than its description says.
#[tokio::test(flavor = "multi_thread")]
async fn paths_take_the_methods_that_are_described_and_no_other() {
    let shared = shared_dev();
    let document = document();
    let mut described: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (method, path, _) in operations(&document) {
        let methods = described.entry(path).or_default();
        methods.insert(method.to_uppercase());
        if method == "get" {
            methods.insert("HEAD".to_owned());
        }
    }
    for (path, methods) in described {
        let url = format!("{}{}", shared.1.api, path.replace("{id}", "x"));
        let answer = send("BREW", &url, &[], "").await;
        answer.assert_problem(405, "method-not-allowed");
        let allowed: BTreeSet<String> = answer.header("allow").split(',').map(str::to_owned).collect();
        assert_eq!(allowed, methods, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_served_to_all_pages_and_kept_until_it_changes() {
    let shared = shared_dev();
    let url = format!("{}/openapi.json", shared.1.api);
    let answer = get(&url, &[("origin", "https://www.example.com")]).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    assert_eq!(answer.json(), document(), "`signet dev` has the default rules");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("cache-control"), "public, no-cache");
    let tag = answer.header("etag");
    let again = get(&url, &[("if-none-match", tag)]).await;
    assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, tag));
    assert_eq!(get(&url, &[("if-none-match", "\"other\"")]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_to_try_it_loads_nothing_from_elsewhere() {
    let shared = shared_dev();
    let api = &shared.1.api;
    let moved = get(&format!("{api}/docs"), &[]).await;
    assert_eq!((moved.status, moved.header("location")), (308, "/docs/"));
    let page = get(&format!("{api}/docs/"), &[]).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html"));
    let policy = page.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self'; ") && !policy.contains("http"),
        "{policy}"
    );
    assert!(policy.contains("connect-src 'self'") && !policy.contains("'unsafe-eval'"), "{policy}");

    let html = page.text();
    let mut assets: Vec<&str> = Vec::new();
    for attribute in ["src=\"", "href=\""] {
        assets.extend(html.split(attribute).skip(1).map(|rest| rest.split('"').next().unwrap()));
    }
    assert!(assets.len() >= 5, "{html}");
    assert!(!html.contains("<script>"), "the policy lets no script run that stands in the page");
    for asset in assets {
        assert!(!asset.contains(':') && !asset.starts_with("//"), "{asset} is elsewhere");
        let file = get(&format!("{api}/docs/{}", asset.trim_start_matches("./")), &[]).await;
        assert_eq!(file.status, 200, "{asset}");
        assert_eq!(file.header("content-security-policy"), policy, "{asset}");
        assert_eq!(file.header("x-content-type-options"), "nosniff", "{asset}");
        if asset.ends_with(".css") {
            let text = file.text();
            assert!(!text.contains("url(http") && !text.contains("@import"), "{asset}");
        }
    }
    let start = get(&format!("{api}/docs/swagger-initializer.js"), &[]).await.text();
    for said in
        ["\"url\": \"/openapi.json\"", "\"validatorUrl\": \"none\"", "\"persistAuthorization\": false"]
    {
        assert!(start.contains(said), "{start}");
    }
    assert!(!start.contains("://"), "{start}");
    get(&format!("{api}/docs/nothing.js"), &[]).await.assert_problem(404, "not-found");
}
