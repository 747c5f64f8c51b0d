//! Every kind of problem, from a running server: asked for wrongly, or with what it needs taken away.

use std::collections::HashSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use redb::{Database, TableDefinition};
use serde_json::{Value, json};
use signet::http::problem::Kind;
use signet::media::{AssetId, Hold, Periods, Timestamp};
use signet::service::ports::{AssetStore, Update};
use signet::store::embedded::Embedded;
use tempfile::TempDir;

use crate::support::Node;
use crate::support::http::{Answer, get, get_as, parse, patch, post, send};
use crate::support::program::{ID, file};
use crate::support::settings::Tenant;
use crate::support::tokens::Keys;
use crate::support::upload::{finalize, picture, put, ready, ticket};
use crate::support::verify::now;

const ANNA: Tenant = Tenant("t_anna", "anna", "sk_anna_0123456789abcdef");
const FROZEN: Tenant = Tenant("t_frozen", "frozen", "sk_frozen_0123456789abcd");
const POOR: Tenant = Tenant("t_poor", "poor", "sk_poor_0123456789abcdef");
const SHOP: Tenant = Tenant("t_shop", "shop", "sk_shop_0123456789abcdef");
const SLOW: Tenant = Tenant("t_slow", "slow", "sk_slow_0123456789abcdef");
const SECRET: &str = "a secret of the issuer, long enough";
const NOBODY: &str = "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E";

/// Keys of the issuer can't be had, a slow tenant has a signature a second, and nothing is waited for long.
fn serve(folder: &Path, key: &str, shops: &str) -> Node {
    let tenant = |tenant: &Tenant, more: &str| {
        let Tenant(id, key, api_key) = tenant;
        format!("[[tenants]]\nid = \"{id}\"\nkey = \"{key}\"\napi_key = \"{api_key}\"\n{more}\n")
    };
    let tenants = [
        tenant(&ANNA, ""),
        tenant(&FROZEN, "frozen = true"),
        tenant(&POOR, "quota_bytes = 10"),
        tenant(&SLOW, ""),
    ];
    let pem = file("vectors/rsa");
    let settings = format!(
        "[store]\npath = \"data\"\n[uploads]\nretention_days = 0\n\
         [auth]\njwks_url = \"http://127.0.0.1:1/jwks.json\"\nhs256_secret = \"{SECRET}\"\n\
         [signing]\nsignatures_per_second = 1\n\
         [[signing.keys]]\nid = \"{ID}\"\nprivate_key_file = \"{pem}\"\n{key}\n\
         [documents]\nmax_links = 2\n{shops}\n{}",
        tenants.concat()
    );
    let bounds = [
        ("SIGNET__SERVER__ANSWER_SECONDS", "3"),
        ("SIGNET__SERVER__BODY_IDLE_SECONDS", "1"),
        ("SIGNET__LIMITS__MAX_TENANT_REQUESTS", "3"),
        ("SIGNET__LIMITS__MAX_SIGNING_REQUESTS", "1"),
    ];
    Node::serve(folder, &settings, &bounds)
}

fn shop() -> String {
    let Tenant(id, key, api_key) = SHOP;
    format!(
        "[documents.profiles.shop_1]\nlike = \"vivreal\"\n\
         [[tenants]]\nid = \"{id}\"\nkey = \"{key}\"\napi_key = \"{api_key}\"\nprofile = \"shop_1\"\n"
    )
}

fn token(claims: Value) -> String {
    let mut all = json!({"tenantId": ANNA.0, "exp": now() + 3_600});
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    format!("Bearer {}", jsonwebtoken::encode(&Header::new(Algorithm::HS256), &all, &key).unwrap())
}

/// The kinds that were seen.
#[derive(Default)]
struct Seen(HashSet<Kind>);

impl Seen {
    /// That an answer is a whole problem of a kind, about a path.
    fn see(&mut self, answer: &Answer, kind: Kind, path: &str) -> Value {
        let problem = answer.assert_problem(kind.status().as_u16(), kind.slug());
        assert_eq!(problem["type"], kind.type_uri());
        assert_eq!(problem["title"], kind.title());
        assert_eq!(problem["instance"], path, "{problem}");
        assert_eq!(problem["requestId"], answer.header("x-request-id"), "{problem}");
        assert_eq!(answer.header("cache-control"), "no-store", "{problem}");
        let needed = match kind.status().as_u16() {
            401 => "www-authenticate",
            405 => "allow",
            429 | 503 => "retry-after",
            _ => "content-type",
        };
        assert!(!answer.header(needed).is_empty(), "{problem} needs {needed}");
        self.0.insert(kind);
        problem
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_problem_is_produced() {
    let folder = TempDir::new().unwrap();
    let mut seen = Seen::default();
    let node = serve(folder.path(), "", &shop());
    credentials(&node, &mut seen).await;
    paths_and_queries(&node, &mut seen).await;
    bodies(&node, &mut seen).await;
    documents(&node, &mut seen).await;
    uploads(&node, &mut seen).await;
    changes(&node, &mut seen).await;
    too_many_signatures(&node, &mut seen).await;
    seen.see(&too_many(&node).await, Kind::TooManyRequests, "/media/v1/usage");

    let bytes = picture(10, b'x');
    let expired = ticket(&node.api, ANNA.2, "late.jpg", 10, json!({})).await;
    let held = ready(&node.api, ANNA.2, "held.jpg", &bytes, json!({})).await;
    let broken = ready(&node.api, ANNA.2, "broken.jpg", &bytes, json!({})).await;
    assert_eq!(node.terminate(), Some(0));
    let id = |asset: &Value| asset["assetId"].as_str().unwrap().to_owned();
    tamper(folder.path(), &id(&expired), &id(&held)).await;
    corrupt(folder.path(), &id(&broken));

    // The key goes while the node serves, and the shop's profile is gone from the settings.
    let retires = now() + 10;
    let node = serve(folder.path(), &format!("retire_at = \"{retires}\""), "");
    let late = finalize(&node.api, ANNA.2, &id(&expired)).await;
    seen.see(&late, Kind::TicketExpired, &format!("/media/v1/uploads/{}/finalize", id(&expired)));
    let path = format!("/media/v1/assets/{}", id(&held));
    let moved = patch(&format!("{}{path}", node.api), ANNA.2, json!({"visibility": "PUBLIC"})).await;
    seen.see(&moved, Kind::ConcurrentChange, &path);
    let path = format!("/media/v1/assets/{}", id(&broken));
    let answer = get_as(&format!("{}{path}", node.api), ANNA.2).await;
    seen.see(&answer, Kind::Internal, &path);
    let answer = post(&format!("{}/media/v1/documents", node.api), SHOP.2, "{}").await;
    seen.see(&answer, Kind::ProfileMissing, "/media/v1/documents");
    let answer = unsignable(&node).await;
    seen.see(&answer, Kind::SigningUnavailable, "/media/v1/links");

    let missing: Vec<&Kind> = Kind::ALL.iter().filter(|kind| !seen.0.contains(kind)).collect();
    assert!(missing.is_empty(), "never produced: {missing:?}");
}

/// One request may wait for signatures here. One that wants far more of them than there are in time does so until it
/// is given up; who wants others meanwhile is refused.
async fn too_many_signatures(node: &Node, seen: &mut Seen) {
    let links = format!("{}/media/v1/links", node.api);
    let path = "/media/v1/links";
    for attempt in 0..5 {
        // More than a signature a second, and 32 at once.
        let keys: Vec<String> = (0..200).map(|index| format!("a/{attempt}/{index}.jpg")).collect();
        let wanted = json!({ "keys": keys }).to_string();
        let url = links.clone();
        let mut slow = tokio::spawn(async move { post(&url, SLOW.2, wanted).await });
        for number in 0.. {
            if let Ok(answer) = tokio::time::timeout(Duration::from_millis(100), &mut slow).await {
                seen.see(&answer.unwrap(), Kind::TimedOut, path);
                break;
            }
            let key = format!("b/{attempt}/{number}.jpg");
            let answer = post(&links, ANNA.2, json!({ "keys": [key] })).await;
            if answer.status != 200 {
                seen.see(&answer, Kind::Overloaded, path);
            }
        }
        if seen.0.contains(&Kind::Overloaded) {
            return;
        }
    }
    panic!("nobody was refused");
}

async fn credentials(node: &Node, seen: &mut Seen) {
    let path = "/media/v1/usage";
    let usage = format!("{}{path}", node.api);
    seen.see(&get(&usage, &[]).await, Kind::CredentialsMissing, path);
    seen.see(&get_as(&usage, "sk_nobodys_0123456789").await, Kind::CredentialsInvalid, path);
    seen.see(&get_as(&usage, FROZEN.2).await, Kind::TenantFrozen, path);
    let narrow = token(json!({"scope": "media:sign"}));
    let problem = seen.see(&get_as(&usage, &narrow).await, Kind::InsufficientScope, path);
    assert_eq!(problem["required"], "media:read");
    // Nobody listens where the issuer's keys should be.
    let foreign = format!("Bearer {}", Keys::new().ec_token(json!({})));
    seen.see(&get_as(&usage, &foreign).await, Kind::StoreUnavailable, path);
}

async fn paths_and_queries(node: &Node, seen: &mut Seen) {
    let api = &node.api;
    let asked = async |path: &str| get_as(&format!("{api}{path}"), ANNA.2).await;
    seen.see(&asked("/nowhere?secret=1").await, Kind::NotFound, "/nowhere");
    let path = format!("/m/{NOBODY}");
    seen.see(&asked(&path).await, Kind::AssetNotFound, &path);
    seen.see(&asked("/media/v1/links").await, Kind::MethodNotAllowed, "/media/v1/links");
    seen.see(&asked("/media/v1/usage?x=1").await, Kind::InvalidQuery, "/media/v1/usage");
    let cursor = format!("/media/v1/assets?cursor={}", "A".repeat(54));
    seen.see(&asked(&cursor).await, Kind::PageNotFound, "/media/v1/assets");
}

async fn bodies(node: &Node, seen: &mut Seen) {
    let path = "/media/v1/cookies";
    let url = format!("{}{path}", node.api);
    let sent = async |headers: &[(&str, &str)], body: Bytes| {
        send("POST", &url, &[&[("authorization", ANNA.2)], headers].concat(), body).await
    };
    let json = ("content-type", "application/json");
    seen.see(&sent(&[json], "{".into()).await, Kind::MalformedJson, path);
    let gzip = ("content-encoding", "gzip");
    seen.see(&sent(&[json, gzip], "{}".into()).await, Kind::CorruptBody, path);
    seen.see(
        &sent(&[json, ("content-encoding", "rot13")], "{}".into()).await,
        Kind::UnsupportedEncoding,
        path,
    );
    seen.see(&sent(&[("content-type", "text/csv")], "{}".into()).await, Kind::UnsupportedMediaType, path);
    seen.see(&sent(&[json], vec![b' '; 65_537].into()).await, Kind::BodyTooLarge, path);
    let problem = seen.see(&sent(&[json], "{\"folder\":1}".into()).await, Kind::InvalidField, path);
    assert_eq!(problem["pointer"], "/folder");
    let ids = json!({"ids": vec!["x"; 1_001]});
    let many = post(&format!("{}/media/v1/links", node.api), ANNA.2, ids).await;
    seen.see(&many, Kind::TooManyItems, "/media/v1/links");

    let api = node.api.clone();
    let halves = tokio::task::spawn_blocking(move || (half(&api, path, true), half(&api, path, false)));
    let (cut, stalled) = halves.await.unwrap();
    seen.see(&cut, Kind::CutOffBody, path);
    seen.see(&stalled, Kind::SlowBody, path);
}

/// Sends a part of a body; then says that there is nothing more, or says nothing at all.
fn half(api: &str, path: &str, ends: bool) -> Answer {
    let mut socket = TcpStream::connect(api.strip_prefix("http://").unwrap()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\ncontent-type: application/json\r\n\
         connection: close\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{{\"fol\r\n",
        ANNA.2
    );
    socket.write_all(head.as_bytes()).unwrap();
    if ends {
        // No chunk has such a length.
        socket.write_all(b"oh\r\n").unwrap();
        socket.shutdown(Shutdown::Write).unwrap();
    }
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    parse(&answer)
}

async fn documents(node: &Node, seen: &mut Seen) {
    let path = "/media/v1/documents";
    let signed = async |query: &str, document: String| {
        post(&format!("{}{path}{query}", node.api), ANNA.2, document).await
    };
    let deep = "[".repeat(200) + &"]".repeat(200);
    seen.see(&signed("", deep).await, Kind::TooDeep, path);
    let file = |index: usize| json!({"key": format!("a/{index}.jpg"), "type": "image"});
    let many = json!([file(1), file(2), file(3)]).to_string();
    seen.see(&signed("", many).await, Kind::TooManyLinks, path);
    let unknown = json!({"hero": NOBODY}).to_string();
    seen.see(&signed("?strict=true", unknown).await, Kind::UnsignedMedia, path);
}

async fn uploads(node: &Node, seen: &mut Seen) {
    let (api, path) = (&node.api, "/media/v1/uploads");
    let asked = async |key: &str, credentials: &str, size: u64| {
        let headers =
            [("authorization", credentials), ("content-type", "application/json"), ("idempotency-key", key)];
        let body = json!({"filename": "a.jpg", "contentType": "image/jpeg", "sizeBytes": size});
        send("POST", &format!("{api}{path}"), &headers, body.to_string()).await
    };
    seen.see(&asked("a b", ANNA.2, 1).await, Kind::InvalidHeader, path);
    assert_eq!(asked("call", ANNA.2, 1).await.status, 201);
    seen.see(&asked("call", ANNA.2, 2).await, Kind::IdempotencyMismatch, path);
    seen.see(&asked("call", POOR.2, 11).await, Kind::QuotaExceeded, path);

    let ticket = ticket(api, ANNA.2, "a.jpg", 10, json!({})).await;
    let id = ticket["assetId"].as_str().unwrap();
    let finalized = format!("{path}/{id}/finalize");
    seen.see(&finalize(api, ANNA.2, id).await, Kind::NotUploaded, &finalized);
    let parts = format!("{path}/{id}/parts");
    seen.see(&get_as(&format!("{api}{parts}"), ANNA.2).await, Kind::SentWhole, &parts);
    assert_eq!(put(&ticket, "no picture".into()).await.status, 200);
    seen.see(&finalize(api, ANNA.2, id).await, Kind::UploadRejected, &finalized);
}

async fn changes(node: &Node, seen: &mut Seen) {
    let pending = ticket(&node.api, ANNA.2, "a.jpg", 10, json!({})).await;
    let path = format!("/media/v1/assets/{}", pending["assetId"].as_str().unwrap());
    let url = format!("{}{path}", node.api);
    seen.see(&patch(&url, ANNA.2, json!({"visibility": "PUBLIC"})).await, Kind::StatusConflict, &path);
    let stale = [("authorization", ANNA.2), ("if-match", "\"stale\"")];
    seen.see(&send("DELETE", &url, &stale, "").await, Kind::PreconditionFailed, &path);
    let restore = format!("{path}/restore");
    let restored = async || post(&format!("{}{restore}", node.api), ANNA.2, "").await;
    seen.see(&restored().await, Kind::NotDeleted, &restore);
    assert_eq!(send("DELETE", &url, &stale[..1], "").await.status, 204);
    // Deleted files are kept for no days at all here.
    seen.see(&restored().await, Kind::RestoreExpired, &restore);
}

/// In the store of a node that is down: a ticket that has run out, and a move under way.
async fn tamper(folder: &Path, expired: &str, held: &str) {
    let store = Embedded::open(&folder.join("data")).unwrap();
    let now = Timestamp::from_seconds(now());
    let found = async |id: &str| {
        let id: AssetId = id.parse().unwrap();
        store.find_anywhere(id).await.unwrap().unwrap()
    };
    let gone = found(expired).await.expired(&Periods::default(), now).unwrap();
    assert_eq!(store.update(&gone).await.unwrap(), Update::Done);
    let mut busy = found(held).await.touched(now);
    busy.hold = Some(Hold { by: "another node".to_owned(), until: now.plus_seconds(3_600) });
    assert_eq!(store.update(&busy).await.unwrap(), Update::Done);
}

/// In the same store: an asset that can't be read.
fn corrupt(folder: &Path, id: &str) {
    const ASSETS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("assets");
    const PLACES: TableDefinition<[u8; 16], &[u8]> = TableDefinition::new("asset_places");
    let files = fs::read_dir(folder.join("data")).unwrap().map(|entry| entry.unwrap().path());
    let file = files.into_iter().find(|path| path.extension().is_some_and(|name| name == "redb")).unwrap();
    let database = Database::open(file).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let places = transaction.open_table(PLACES).unwrap();
        let id: AssetId = id.parse().unwrap();
        let place = redb::ReadableTable::get(&places, id.to_bytes()).unwrap().unwrap().value().to_vec();
        let mut assets = transaction.open_table(ASSETS).unwrap();
        assets.insert(place.as_slice(), b"no JSON".as_slice()).unwrap();
    }
    transaction.commit().unwrap();
}

/// What a tenant is told of which as much is under way as may be.
async fn too_many(node: &Node) -> Answer {
    let host = node.api.strip_prefix("http://").unwrap();
    let held = [(); 3].map(|()| {
        let mut stream = TcpStream::connect(host).unwrap();
        let head = format!(
            "POST /media/v1/documents HTTP/1.1\r\nhost: {host}\r\nauthorization: {}\r\n\
             content-type: application/json\r\ncontent-length: 10\r\n\r\n",
            ANNA.2
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream
    });
    let began = Instant::now();
    let ask = async |wanted: u16| loop {
        let answer = get_as(&format!("{}/media/v1/usage", node.api), ANNA.2).await;
        if answer.status == wanted {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{wanted} never came: {}", answer.text());
    };
    let refused = ask(429).await;
    drop(held);
    ask(200).await;
    refused
}

/// The answer for a link once the key has retired.
async fn unsignable(node: &Node) -> Answer {
    let deadline = Instant::now() + Duration::from_secs(60);
    let url = format!("{}/media/v1/links", node.api);
    loop {
        let answer = post(&url, ANNA.2, json!({"keys": ["a/hero.jpg"]})).await;
        if answer.status != 200 {
            return answer;
        }
        assert!(Instant::now() < deadline, "the key goes on signing");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
