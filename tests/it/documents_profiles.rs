//! Profiles: what counts as media in a document is data, chosen by request, tenant or node.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use signet::cloudfront::PublicKey;
use tempfile::TempDir;

use crate::support::http::{Answer, post, send};
use crate::support::program::{ID, Run, file, signet};
use crate::support::splices::{parse, unsigned};
use crate::support::verify::{assert_served, now, public_key};
use crate::support::{Node, fresh_dev};

const SHOP: &str = "sk_shop_0123456789abcdef";
const PLAIN: &str = "sk_plain_0123456789abcdef";
const ALIAS: &str = "https://alias.example.com";

/// `signet serve` where `by-key` is the default, `shop_1` a tenant's, and `plain` is without one.
fn serve(folder: &Path, profiles: &str, tenants: &str) -> Node {
    let key = file("vectors/rsa");
    let settings = format!(
        "aliases = [\"{ALIAS}\"]\n[store]\npath = \"data\"\n\
         [[signing.keys]]\nid = \"{ID}\"\nprivate_key_file = \"{key}\"\n{tenants}{profiles}"
    );
    Node::serve(folder, &settings, &[])
}

fn tenant(id: &str, api_key: &str, more: &str) -> String {
    format!("[[tenants]]\nid = \"t_{id}\"\nkey = \"{id}\"\napi_key = \"{api_key}\"\n{more}\n")
}

const PROFILES: &str = r#"
[documents]
profile = "by-key"
[documents.profiles.by-key]
key_members = ["imageKey"]
[documents.profiles.shop_1]
like = "vivreal"
hosts = ["https://alias.example.com/"]
references = "leave"
output = "media"
source = "url"
write_src = true
"#;

async fn sign(node: &Node, api_key: &str, query: &str, document: &str) -> Answer {
    post(&format!("{}/media/v1/documents{query}", node.api), api_key, document).await
}

/// Each signed link of an answer, after a look at it, with its place.
fn links(answer: &str, key: &PublicKey) -> Vec<(String, String)> {
    let mut links = Vec::new();
    collect(&parse(answer.as_bytes()), String::new(), &mut links);
    for (_, link) in &links {
        assert_served(link, key, now());
    }
    links
}

fn collect(value: &Value, pointer: String, links: &mut Vec<(String, String)>) {
    match value {
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(index, item)| collect(item, format!("{pointer}/{index}"), links));
        }
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| collect(member, format!("{pointer}/{name}"), links));
        }
        Value::String(text) if text.contains("Signature=") => {
            links.push((pointer, text.split(' ').next().unwrap().to_owned()))
        }
        _ => {}
    }
}

/// The places of the links, signed by a key of the vectors.
fn places(answer: &str) -> Vec<String> {
    let links = links(answer, &public_key(file("vectors/rsa-public")));
    links.into_iter().map(|(pointer, _)| pointer).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_request_chooses_before_its_tenant_and_the_tenant_before_the_node() {
    let folder = TempDir::new().unwrap();
    let tenants = tenant("shop", SHOP, "profile = \"shop_1\"") + &tenant("plain", PLAIN, "");
    let node = serve(folder.path(), PROFILES, &tenants);
    let document = json!({
        "imageKey": "a/bare.jpg",
        "picture": {"key": "a/b.jpg", "name": "B"},
        "asset": {"storageKey": "a/c.jpg", "filename": "C", "checksum": null},
    })
    .to_string();
    let by_key = ["/imageKey", "/picture/currentFile/source"];
    for (api_key, query, expected) in [
        (PLAIN, "", &by_key[..]),
        (SHOP, "", &["/picture/media/url", "/picture/media/src"]),
        (SHOP, "?profile=by-key", &by_key),
        (PLAIN, "?profile=shop_1", &["/picture/media/url", "/picture/media/src"]),
        (SHOP, "?profile=vivreal", &["/picture/currentFile/source"]),
        (SHOP, "?profile=foundation&report=false", &["/asset/currentFile/source"]),
    ] {
        let answer = sign(&node, api_key, query, &document).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(places(&answer.text()), expected, "{query}");

        let headers = [("authorization", api_key), ("content-type", "application/x-ndjson")];
        let url = format!("{}/media/v1/documents{query}", node.api);
        let lines = send("POST", &url, &headers, format!("{document}\n{document}\n")).await.text();
        let lines: Vec<&str> = lines.lines().collect();
        assert_eq!(lines.len(), 2);
        for line in lines {
            assert_eq!(places(line), expected, "a line, {query}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn output_hosts_and_references_are_the_profiles() {
    let folder = TempDir::new().unwrap();
    let node = serve(folder.path(), PROFILES, &tenant("shop", SHOP, "profile = \"shop_1\""));
    let (own, alias) = (format!("{}/vivreal-shop/x.jpg", node.edge), format!("{ALIAS}/vivreal-shop/x.jpg"));
    let id = "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E";
    let document = json!([{"key": "a/b.jpg", "name": "B"}, own, alias, id]).to_string();

    let answer = sign(&node, SHOP, "", &document).await;
    let key = public_key(file("vectors/rsa-public"));
    let links = links(&answer.text(), &key);
    let places: Vec<&str> = links.iter().map(|(pointer, _)| pointer.as_str()).collect();
    assert_eq!(places, ["/0/media/url", "/0/media/src", "/2"], "the node's own origin is none of its hosts");
    assert_eq!(answer.header("signet-media"), "found=2, signed=2, unsigned=0", "references are left");
    let (link, other) = (&links[0].1, &links[2].1);
    let expected = format!(
        r#"[{{"key":"a/b.jpg","name":"B","media":{{"name":"B","url":"{link}","src":"{link}"}}}},"{own}","{other}","{id}"]"#
    );
    assert_eq!(answer.text(), expected);
    assert_eq!(unsigned(link), format!("{}/vivreal-shop/a/b.jpg", node.edge));

    // A request may still treat references otherwise, and a profile without hosts has all of them.
    let inline = sign(&node, SHOP, "?references=inline", &document).await;
    assert_eq!(inline.header("signet-media"), "found=3, signed=2, unsigned=1");
    let all = sign(&node, SHOP, "?profile=vivreal&references=leave", &document).await;
    assert_eq!(self::places(&all.text()), ["/0/currentFile/source", "/1", "/2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_of_foundations_is_signed_for_the_edge() {
    let (_folder, node) = fresh_dev();
    let key = public_key(node.facts["publicKey"].as_str().unwrap());
    let asset = json!({"storageKey": "a/b.jpg", "filename": "B", "contentType": "image/jpeg",
        "metadata": {"derivatives": [320], "derivativeFormat": "webp"}});
    let document = json!({"assets": [asset]}).to_string();
    assert_eq!(sign(&node, &node.api_key, "", &document).await.text(), document, "it is none of Vivreal's");
    let answer = sign(&node, &node.api_key, "?profile=foundation&strict=true", &document).await;
    let places: Vec<String> = links(&answer.text(), &key).into_iter().map(|(pointer, _)| pointer).collect();
    let file = "/assets/0/currentFile";
    assert_eq!(places, [format!("{file}/source"), format!("{file}/srcset")]);
    assert_eq!(parse(&answer.body)["assets"][0]["currentFile"]["name"], "B");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_is_not_there_is_never_replaced_by_another() {
    let folder = TempDir::new().unwrap();
    let tenants = tenant("shop", SHOP, "profile = \"shop_1\"");
    let node = serve(folder.path(), PROFILES, &tenants);
    let document = json!({"key": "a/b.jpg", "name": "B"}).to_string();
    for query in ["?profile=nope", "?profile=", "?profile=SHOP_1", "?profile=shop_1&profile=shop_1"] {
        let problem = sign(&node, SHOP, query, &document).await.assert_problem(400, "invalid-query");
        assert_eq!(problem["parameter"], "profile");
        if query == "?profile=nope" {
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.ends_with("must be one of by-key, foundation, shop_1, vivreal"), "{detail}");
        }
    }
    assert_eq!(node.terminate(), Some(0));

    // The store knows the tenant from before; the settings don't know its profile any more.
    let node = serve(folder.path(), "", "");
    let answer = sign(&node, SHOP, "", &document).await;
    let problem = answer.assert_problem(500, "profile-missing");
    assert!(problem["detail"].as_str().unwrap().contains("\"shop_1\""), "{problem}");
    let headers = [("authorization", SHOP), ("content-type", "application/x-ndjson")];
    let url = format!("{}/media/v1/documents", node.api);
    let lines = send("POST", &url, &headers, format!("{document}\n")).await.text();
    assert!(lines.contains("urn:signet:problem:profile-missing"), "{lines}");
    assert_eq!(sign(&node, SHOP, "?profile=vivreal", &document).await.status, 200);
    let log = node.log();
    assert!(log.contains("t_shop") && log.contains("there are foundation, vivreal"), "{log}");
}

/// `signet check` with these settings, after a key pair.
fn check(folder: &Path, settings: &str) -> Run {
    let config = folder.join("check.toml");
    let key = file("vectors/rsa");
    let pair = format!("[[signing.keys]]\nid = \"{ID}\"\nprivate_key_file = \"{key}\"\n");
    fs::write(&config, format!("[store]\npath = \"checked\"\n{pair}{settings}")).unwrap();
    signet(&["check", "--config", config.to_str().unwrap()], b"")
}

#[test]
fn check_names_each_profile_with_what_it_reads_and_writes() {
    let folder = TempDir::new().unwrap();
    let cdn = format!("[cdn]\naliases = [\"{ALIAS}\"]\n");
    let run = check(folder.path(), &format!("{cdn}{PROFILES}"));
    assert_eq!(run.code, 0, "{}", run.diagnostics);
    let profiles: Vec<&str> = run.answer.lines().filter(|line| line.starts_with("profile ")).collect();
    let expected = [
        "profile     ok  by-key: key → currentFile, the default",
        "profile     ok  foundation: storageKey → currentFile",
        "profile     ok  shop_1: key → media",
        "profile     ok  vivreal: key → currentFile",
    ];
    assert_eq!(profiles, expected);
}

#[test]
fn profiles_that_can_not_be_are_refused_at_the_start_with_their_place() {
    let folder = TempDir::new().unwrap();
    let profile = |fields: &str| format!("[documents.profiles.shop]\n{fields}\n");
    let many: Vec<String> = (0..250).map(|n| format!("\"m{n}\"")).collect();
    let many = format!("key_members = [{}]", many.join(","));
    for (settings, reasons) in [
        (profile("keys = []"), ["documents.profiles.shop", "unknown field `keys`"]),
        (profile("write_src = \"maybe\""), ["documents.profiles.shop.write_src", "boolean"]),
        (profile("references = \"all\""), ["documents.profiles.shop.references", "all"]),
        (profile("like = \"shop\""), ["documents.profiles.shop.like: ", "vivreal, foundation"]),
        (profile("key = \"\""), ["documents.profiles.shop.key: ", "empty"]),
        (profile("source = \"\""), ["documents.profiles.shop.source: ", "empty"]),
        (profile("output = \"key\""), ["documents.profiles.shop.output: ", "is key already"]),
        (profile("hosts = [\"https://x.example\"]"), ["documents.profiles.shop.hosts: ", "base_url"]),
        (profile(&many), ["documents.profiles.shop.", "more than 254"]),
        ("[documents.profiles.vivreal]\n".to_owned(), ["documents.profiles.vivreal: ", "like = \"vivreal\""]),
        ("[documents.profiles.foundation]\n".to_owned(), ["documents.profiles.foundation: ", "shipped"]),
        ("[documents.profiles.Shop]\n".to_owned(), ["documents.profiles.Shop: ", "a-z 0-9 - _"]),
        ("[documents.profiles.\"a b\"]\n".to_owned(), ["documents.profiles.a b: ", "a-z 0-9 - _"]),
        ("[documents]\nprofile = \"nope\"\n".to_owned(), ["documents.profile: ", "foundation, vivreal"]),
        (
            tenant("x", SHOP, "profile = \"nope\"") + &profile(""),
            ["tenants[0].profile: ", "foundation, shop, vivreal"],
        ),
    ] {
        let run = check(folder.path(), &settings);
        assert_eq!((run.code, run.diagnostics.lines().count()), (1, 1), "{settings}: {}", run.diagnostics);
        for reason in reasons {
            assert!(run.diagnostics.contains(reason), "{reason}: {}", run.diagnostics);
        }
    }
}

/// `signet document` with a key of the vectors.
fn document(args: &[&str], input: &str) -> Run {
    let key = file("vectors/rsa");
    let all = ["document", "--private-key", &key, "--key-pair-id", ID, "--expires", "1893456000"];
    let place = ["--base", "https://media.vivreal.io", "--bucket", "vivreal-demo"];
    signet(&[&all[..], &place, args].concat(), input.as_bytes())
}

#[test]
fn the_command_takes_a_shipped_profile_or_a_file() {
    let folder = TempDir::new().unwrap();
    let shop = folder.path().join("shop.toml");
    fs::write(
        &shop,
        "like = \"foundation\"\nkey_members = [\"imageKey\", \"Cover\"]\noutput = \"cdn-file\"\n",
    )
    .unwrap();
    let input = json!({
        "imageKey": "a/bare.jpg",
        "Cover": "cover.png",
        "imagekey": "a/other.jpg",
        "picture": {"key": "a/b.jpg", "name": "B"},
        "asset": {"storageKey": "a/c.jpg", "filename": "C", "checksum": null},
    })
    .to_string();
    for (profile, expected) in [
        (None, &["/picture/currentFile/source"][..]),
        (Some("vivreal"), &["/picture/currentFile/source"]),
        (Some("foundation"), &["/asset/currentFile/source"]),
        (Some(shop.to_str().unwrap()), &["/imageKey", "/Cover", "/asset/cdn-file/source"]),
    ] {
        let args: Vec<&str> = profile.iter().flat_map(|profile| ["--profile", profile]).collect();
        let run = document(&args, &input);
        assert_eq!(run.code, 0, "{}", run.diagnostics);
        assert_eq!(places(&run.answer), expected, "{profile:?}");
        let again = document(&args, &run.answer);
        assert_eq!(again.answer, run.answer, "a signed document stays as it is");
    }
    let line = document(&["--ndjson", "--profile", "foundation"], &format!("{input}\n"));
    assert!(serde_json::from_str::<Value>(&line.answer).unwrap()["asset"]["currentFile"].is_object());
}

#[test]
fn a_bad_file_of_a_profile_is_refused_with_its_name_and_field() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("shop.toml");
    for (text, reason) in [
        ("key = \"\"", "shop.toml: key: "),
        ("output = \"name\"", "shop.toml: output: "),
        ("like = \"shop\"", "shop.toml: like: "),
        ("hosts = []", "shop.toml: hosts: is a setting of a node; give --host"),
        ("references = \"leave\"", "shop.toml: references: is a setting of a node; give --references"),
        ("keys = []", "unknown field `keys`"),
        ("key = 1\nkind = [", "line 2"),
        ("key_members = \"imageKey\"", "key_members"),
    ] {
        fs::write(&path, text).unwrap();
        let run = document(&["--profile", path.to_str().unwrap()], "{}");
        assert_eq!((run.code, run.answer.as_str()), (1, ""), "{text}: {}", run.diagnostics);
        assert_eq!(run.diagnostics.lines().count(), 1, "{}", run.diagnostics);
        assert!(
            run.diagnostics.contains("shop.toml") && run.diagnostics.contains(reason),
            "{}",
            run.diagnostics
        );
    }
    for (name, reason) in [("vivrael", "vivreal, foundation"), (folder.path().to_str().unwrap(), "directory")]
    {
        let run = document(&["--profile", name], "{}");
        assert_eq!(run.code, 1);
        assert!(run.diagnostics.contains(name) && run.diagnostics.contains(reason), "{}", run.diagnostics);
    }
}
