//! What is never logged: keys, tokens, signatures and signed URLs, however much is asked to be logged.
//!
//! Real processes, on real stores, log everything that they can while they do all that they do with secrets; then
//! all that they have written is searched.

use std::process::Command;
use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rustls::version::TLS13;
use serde_json::{Value, json};
use signet::cloudfront::NewKey;
use signet::media::Timestamp;
use signet::store::jwks::Issuer;
use tempfile::TempDir;

use crate::support::backed::Ground;
use crate::support::collector::Collector;
use crate::support::http::{Answer, get, get_as, patch, post, raw, send};
use crate::support::hush::Hush;
use crate::support::multipart::{InParts, SMALL_PARTS, three_parts};
use crate::support::proxy::Wire;
use crate::support::rotate::{KEYS, make_pair, pair, put};
use crate::support::s3::server;
use crate::support::settings::ANNA;
use crate::support::tls::{Client, Pair, agreed, connect, serve};
use crate::support::upload::{finalize, picture, ticket};
use crate::support::{Node, SIGNET, upload, verify};

/// Everything, by name too.
const LOUD: &str = "trace,signet=trace,hyper=trace,hyper_util=trace,h2=trace,rustls=trace,tower=trace,axum=trace,\
    aws_config=trace,aws_runtime=trace,aws_sdk_s3=trace,aws_sigv4=trace,aws_smithy_runtime=trace,\
    aws_smithy_runtime_api=trace,aws_smithy_http_client=trace,mongodb=trace,opentelemetry=trace,\
    opentelemetry_sdk=trace,opentelemetry_otlp=trace,reqwest=trace,jsonwebtoken=trace,[request]=trace";
const SHARED_SECRET: &str = "hs-secret-0123456789-0123456789-abcdef";
const COLLECTOR_SECRET: &str = "collector-secret-0123456789";
const S3_SECRET: &str = "a-secret-of-the-tests";

/// `LOUD`, by all names that there are for it.
fn loud() -> [(&'static str, &'static str); 4] {
    [("SIGNET__LOG__LEVEL", LOUD), ("RUST_LOG", LOUD), ("AWS_LOG", "trace"), ("OTEL_LOG_LEVEL", "trace")]
}

/// A node, and what must not be told.
struct Scene {
    node: Node,
    hush: Hush,
    collector: Collector,
    folder: TempDir,
}

impl Scene {
    /// On S3, with key pairs that can be changed, tokens by both kinds of key, and a collector.
    async fn new() -> Self {
        let (folder, collector) = (TempDir::new().unwrap(), Collector::start().await);
        let mut hush = Hush::default();
        server().make_bucket("hush-anna").await;
        for (name, kind) in [("K1", NewKey::Rsa2048), ("K2", NewKey::EcdsaP256)] {
            hush.add_pem(name, &make_pair(folder.path(), name, kind));
        }
        let jwks = Issuer::open_or_create(folder.path()).unwrap().jwks_path().to_owned();
        hush.add_pem("the issuer's key", &std::fs::read_to_string(folder.path().join("jwt.pem")).unwrap());
        let settings = format!(
            "path = \"vivreal-{{key}}\"\nbucket = \"hush-{{key}}\"\n[delivery]\nprivate = \"s3\"\n\
             [auth]\njwks_file = \"{}\"\nissuer = \"{}\"\naudience = \"{}\"\nhs256_secret = \"{SHARED_SECRET}\"\n\
             [store]\npath = \"data\"\n[[tenants]]\nid = \"{}\"\nkey = \"{}\"\napi_key = \"{}\"\n{KEYS}{}",
            jwks.display(),
            Issuer::ISSUER,
            Issuer::AUDIENCE,
            ANNA.0,
            ANNA.1,
            ANNA.2,
            pair("K1", "")
        );
        let told = format!("authorization=Bearer {COLLECTOR_SECRET}");
        let mut environment = server().environment(&server().address);
        environment.push(("SIGNET__TELEMETRY__OTLP_ENDPOINT", collector.endpoint()));
        environment.push(("OTEL_EXPORTER_OTLP_HEADERS", told));
        let environment: Vec<(&str, &str)> =
            environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let environment = [&environment[..], &SMALL_PARTS, &loud()].concat();
        let node = tokio::task::block_in_place(|| Node::serve(folder.path(), &settings, &environment));
        for (what, secret) in [
            ("the API key", ANNA.2),
            ("the secret of S3", S3_SECRET),
            ("the secret of tokens", SHARED_SECRET),
            ("the collector's token", COLLECTOR_SECRET),
        ] {
            hush.add(what, secret);
        }
        Self { node, hush, collector, folder }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.node.api)
    }

    /// The answer's signed URLs are secrets.
    fn heard(&mut self, what: &str, answer: &Answer) -> Value {
        assert!(answer.status < 300, "{what}: {}", answer.text());
        let json = answer.json();
        self.hush.add_all(what, &json);
        json
    }

    /// A file that is uploaded whole, and one in parts.
    async fn uploads(&mut self, token: &str) -> String {
        let bytes = picture(5_000, 7);
        let ticket =
            ticket(&self.node.api, token, "a.jpg", bytes.len(), json!({"visibility": "PUBLIC"})).await;
        self.hush.add_all("a ticket", &ticket);
        let id = ticket["assetId"].as_str().unwrap().to_owned();
        finalize(&self.node.api, token, &id).await.assert_problem(409, "not-uploaded");
        assert_eq!(upload::put(&ticket, bytes).await.status, 200);
        let asset = finalize(&self.node.api, token, &id).await;
        self.heard("an asset", &asset);
        let content = three_parts();
        let parts = InParts::begin(&self.node.api, ANNA.2, &content).await;
        self.hush.add_all("parts", &parts.ticket);
        let listed = parts.parts("").await;
        self.heard("parts, listed", &listed);
        let tags = parts.send_all(&content).await;
        let asset = parts.complete(&tags).await;
        self.heard("an asset of parts", &asset);
        id
    }

    /// Links by all ways, of a PUBLIC and then PRIVATE asset.
    async fn links(&mut self, id: &str) {
        let permalink = self.url(&format!("/m/{id}"));
        for _ in 0..2 {
            let link = get(&permalink, &[]).await.header("location").to_owned();
            self.hush.add_url("a permalink's link", &link);
            assert_eq!(get(&link, &[("cookie", "CloudFront-Signature=abc~secret")]).await.status, 200);
            let wrong = link.replace("Signature=", "Signature=AAAA");
            assert_eq!(get(&wrong, &[]).await.status, 403);
            self.hush.add_url("a wrong link", &wrong);
        }
        let json = get(&format!("{permalink}?format=json"), &[]).await;
        self.heard("a link as JSON", &json);
        let body = json!({"ids": [id, "med_x"], "keys": ["x/a.jpg", "../b"], "urls": []});
        let links = post(&self.url("/media/v1/links"), ANNA.2, body).await;
        let links = self.heard("links", &links);
        let old = links["links"][2]["link"].as_str().unwrap();
        let document = json!({"a": {"key": "x/a.jpg", "type": "image"}, "b": id, "c": old,
            "d": format!("<img src=\"{}\">", old.replace('&', "&amp;"))});
        for (query, kind) in [
            ("?report=true", "application/json"),
            ("?strict=true", "application/json"),
            ("", "application/x-ndjson"),
        ] {
            let headers = [("authorization", ANNA.2), ("content-type", kind)];
            let body = if query.is_empty() {
                format!("{document}\n{{\"x\": \"{old}\n")
            } else {
                document.to_string()
            };
            let answer =
                send("POST", &self.url(&format!("/media/v1/documents{query}")), &headers, body).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let first = answer.text().lines().next().unwrap().to_owned();
            let first: Value = serde_json::from_str(&first).unwrap();
            let members = if query == "?report=true" { &first["document"] } else { &first };
            for member in ["a", "b", "c"] {
                self.hush.add_all("a document", &members[member]);
            }
        }
        let cookies = post(&self.url("/media/v1/cookies"), ANNA.2, json!({"folder": "x/"})).await.json();
        for (name, value) in cookies["cookies"].as_object().unwrap() {
            if name != "CloudFront-Key-Pair-Id" {
                self.hush.add(name, value.as_str().unwrap());
            }
        }
        let path = self.url(&format!("/media/v1/assets/{id}"));
        let moved = patch(&path, ANNA.2, json!({"visibility": "PRIVATE"})).await;
        self.heard("a PRIVATE asset", &moved);
        let read = get_as(&path, ANNA.2).await;
        assert!(self.heard("it again", &read)["url"].as_str().unwrap().contains("X-Amz-Signature="));
        let listed = get_as(&self.url("/media/v1/assets"), ANNA.2).await;
        self.heard("assets", &listed);
    }

    /// Credentials that are refused, in places where they belong and where they don't.
    async fn refusals(&mut self, token: &str, id: &str) {
        let wrong = "sk_wrong_0123456789abcdef";
        let (head, signature) = token.rsplit_once('.').unwrap();
        let broken = format!("{head}.{}", signature.chars().rev().collect::<String>());
        for credentials in [wrong, &broken, &format!("Bearer {wrong}"), "Basic c2VjcmV0LXVzZXI6c2VjcmV0"] {
            let refused = get_as(&self.url("/media/v1/usage"), credentials).await;
            assert_eq!(refused.status, 401);
            self.hush.add("refused credentials", credentials.rsplit(' ').next().unwrap());
        }
        for path in [
            format!("/m/{id}?token={wrong}"),
            format!("/{wrong}"),
            format!("/media/v1/assets?cursor={wrong}"),
        ] {
            assert_ne!(get_as(&self.url(&path), ANNA.2).await.status, 500);
        }
        let body = json!({"folder": wrong, "token": wrong});
        assert_eq!(post(&self.url("/media/v1/cookies"), ANNA.2, body).await.status, 422);
        let unread = format!("{{\"ids\": [\"{wrong}\", ");
        assert_eq!(post(&self.url("/media/v1/links"), ANNA.2, unread).await.status, 400);
    }

    /// Another key pair, and then a file that is none.
    async fn rotation(&mut self) {
        self.node.put_keys(&[pair("K2", ""), pair("K1", "retire_at = 4102444800")].concat());
        self.node.hang_up();
        self.node.reloaded("applied", 1).await;
        let good = std::fs::read_to_string(self.folder.path().join("K1.pem")).unwrap();
        let mut lines: Vec<String> = good.lines().map(str::to_owned).collect();
        lines[1] = lines[1].chars().rev().collect();
        self.hush.add_pem("a broken key", &lines.join("\n"));
        put(&self.folder.path().join("K2.pem"), &lines.join("\n"));
        self.node.hang_up();
        self.node.reloaded("refused", 1).await;
    }

    /// All that was written, and sent to the collector.
    fn end(mut self) -> (Hush, String, String) {
        self.node.signal("TERM");
        assert_eq!(tokio::task::block_in_place(|| self.node.exit_code()), Some(0));
        let sent = self.collector.recorder.heard().into_iter();
        let sent: Vec<String> = sent.map(|(_, body)| String::from_utf8_lossy(&body).into_owned()).collect();
        (self.hush, self.node.log(), sent.join("\n"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_secret_token_signature_or_signed_url_is_logged_or_traced_at_any_level() {
    let mut scene = Scene::new().await;
    let now = Timestamp::from_seconds(verify::now());
    let issuer = Issuer::open_or_create(scene.folder.path()).unwrap();
    let token = issuer.token(&ANNA.0.parse().unwrap(), now, 3_600).unwrap();
    let claims = json!({"iss": Issuer::ISSUER, "aud": Issuer::AUDIENCE, "tenantId": ANNA.0, "exp": verify::now() + 60});
    let secret = EncodingKey::from_secret(SHARED_SECRET.as_bytes());
    let shared = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &secret).unwrap();
    for (what, token) in [("a token", &token), ("a token of the shared secret", &shared)] {
        assert_eq!(get_as(&scene.url("/media/v1/usage"), &format!("Bearer {token}")).await.status, 200);
        token.split('.').skip(1).chain([token.as_str()]).for_each(|part| scene.hush.add(what, part));
    }
    let id = scene.uploads(&format!("Bearer {token}")).await;
    scene.links(&id).await;
    scene.refusals(&token, &id).await;
    scene.rotation().await;
    let (hush, log, sent) = scene.end();

    assert!(hush.len() > 300, "{}", hush.len());
    hush.assert_unseen(&log);
    hush.assert_unseen(&sent);
    // The search is of a log that has it all, and would find what is there.
    for said in
        ["\"DEBUG\"", "answered", "credentials-invalid", "the key ring is replaced", "new keys are refused"]
    {
        assert!(log.contains(said), "{said} isn't in {log}");
    }
    let mut there = Hush::default();
    there.add("a message", "the key ring is replaced");
    assert!(std::panic::catch_unwind(|| there.assert_unseen(&log)).is_err());
    assert!(sent.contains("signet.request.id"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_goes_to_mongodb_and_why_it_can_not_be_reached_tells_no_secret() {
    let ground = Ground::new().await;
    let mut backed = ground.node_with(&loud()).await;
    let mut hush = Hush::default();
    hush.add("the API key", ANNA.2);
    hush.add("the secret of S3", S3_SECRET);
    let ticket = ticket(&backed.node.api, ANNA.2, "a.jpg", 500, json!({"visibility": "PUBLIC"})).await;
    hush.add_all("a ticket", &ticket);
    assert_eq!(upload::put(&ticket, picture(500, 1)).await.status, 200);
    let id = ticket["assetId"].as_str().unwrap();
    let asset = finalize(&backed.node.api, ANNA.2, id).await.json();
    hush.add_all("an asset", &asset);
    // Nothing can be asked: what is said of it names no more.
    backed.mongo.set(Wire::Cut);
    backed.s3.set(Wire::Cut);
    let unknown = get_as(&backed.url("/media/v1/assets/med_00000000000000000000000000"), ANNA.2).await;
    assert_eq!(unknown.status, 503);
    let refused = post(
        &backed.url("/media/v1/uploads"),
        ANNA.2,
        json!({"filename": "b.jpg", "contentType": "image/jpeg", "sizeBytes": 5}),
    )
    .await;
    assert_eq!(refused.status, 503);
    backed.node.signal("TERM");
    assert_eq!(tokio::task::block_in_place(|| backed.node.exit_code()), Some(0));
    let log = backed.node.log();
    assert!(log.contains("store-unavailable"), "{log}");
    hush.assert_unseen(&log);

    // Credentials that the server doesn't know, in the URI, at start.
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("signet.toml");
    let text = "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n[store]\nassets = \"mongodb\"\n\
        [store.mongodb]\nserver_selection_ms = 1000\nconnect_ms = 1000\n";
    std::fs::write(&config, text).unwrap();
    let password = "mongo-password-0123456789";
    hush.add("the password of MongoDB", password);
    for host in [ground.host(), "127.0.0.1:9".to_owned(), "127.0.0.1:9:9".to_owned()] {
        let uri =
            format!("mongodb://signet:{password}@{host}/?directConnection=true&authMechanism=SCRAM-SHA-256");
        let mut command = Command::new(SIGNET);
        command.env_clear().envs(loud()).env("CLUSTER_URL", uri).args(["serve", "--config"]).arg(&config);
        let output = tokio::task::block_in_place(|| command.output().unwrap());
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!said.is_empty());
        hush.assert_unseen(&said);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn over_tls_and_in_both_versions_of_http_no_more_is_told() {
    let (folder, shown) = (TempDir::new().unwrap(), Pair::until(2055));
    let mut node = serve(folder.path(), &shown, &loud());
    let mut hush = Hush::default();
    hush.add("the API key", ANNA.2);
    hush.add_pem("the listener's key", &shown.private_key);
    for protocol in ["h2", "http/1.1"] {
        let stream = connect(&node.api, &[&shown], &[&TLS13], &[protocol]).await.unwrap();
        assert_eq!(agreed(stream.get_ref().1).1, protocol);
        let mut client = Client::new(stream).await;
        let own = [("authorization", ANNA.2), ("content-type", "application/json")];
        for (path, body) in [
            (
                "/media/v1/uploads",
                json!({"filename": "a.jpg", "contentType": "image/jpeg", "sizeBytes": 500}),
            ),
            ("/media/v1/links", json!({"keys": ["x/a.jpg"]})),
            ("/media/v1/documents", json!([{"key": format!("x/{}.jpg", hush.len()), "type": "image"}])),
        ] {
            let before = hush.len();
            let answer = client.ask("POST", path, &own, body.to_string()).await.unwrap();
            assert!(answer.status < 300, "{}", answer.text());
            hush.add_all(path, &answer.json());
            assert!(hush.len() > before, "{path}: no secret in {}", answer.text());
        }
        let wrong = format!("sk_wrong_{}_0123456789", protocol.len());
        hush.add("a wrong key", &wrong);
        let refused = [("authorization", wrong.as_str()), ("cookie", "CloudFront-Signature=abc~secret")];
        for (path, status) in [("/media/v1/usage", 401), (&format!("/{wrong}?token={wrong}"), 404)] {
            assert_eq!(client.ask("GET", path, &refused, String::new()).await.unwrap().status, status);
        }
    }
    // Bytes that are no handshake, with a secret in them.
    let plain = format!("GET / HTTP/1.1\r\nauthorization: {}\r\n\r\n", ANNA.2);
    raw(&node.api, plain.as_bytes(), Duration::from_secs(10));
    node.signal("TERM");
    assert_eq!(tokio::task::block_in_place(|| node.exit_code()), Some(0));
    let log = node.log();
    assert!(log.contains("answered") && log.contains("credentials-invalid"), "{log}");
    hush.assert_unseen(&log);
}
