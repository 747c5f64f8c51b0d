//! Buckets of other accounts are neither used nor provisioned, and a ticket leaves nothing to choose.

use std::convert::Infallible;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::http::request::Parts;
use axum::http::{Request, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use signet::media::{ContentType, Timestamp};
use signet::service::ports::{
    ObjectLocation, ObjectStore, PartTag, PartTerms, PartsId, Presigned, UploadTerms,
};
use signet::store::s3::S3;
use signet::store::s3::provision::{BucketTerms, State, provision};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::support::http::{get, send};
use crate::support::multipart::{InParts, SMALL_PARTS, three_parts};
use crate::support::program::run;
use crate::support::s3::{DISTRIBUTION, ORIGIN, server, store_at};
use crate::support::settings::{ANNA, two_tenants};
use crate::support::upload::{finalize, picture, ready, ticket};
use crate::support::{Node, SIGNET};

const OWNER: &str = "x-amz-expected-bucket-owner";
/// The account of the tests' credentials, and another one.
const OURS: &str = "111122223333";
const THEIRS: &str = "444455556666";
const MIB: u64 = 1024 * 1024;

/// A stand-in for S3 in which every bucket is there and of one account, and for STS. It refuses what is meant for
/// buckets of another account, as S3 does, and remembers what it was asked.
#[derive(Clone)]
struct Cloud {
    address: String,
    owner: &'static str,
    /// The account that STS names; `None` where it refuses.
    caller: Option<&'static str>,
    heard: Arc<Mutex<Vec<Parts>>>,
}

impl Cloud {
    async fn start(owner: &'static str, caller: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let cloud = Self { address, owner, caller, heard: Arc::default() };
        let state = cloud.clone();
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let state = state.clone();
                let service = service_fn(move |request| {
                    let state = state.clone();
                    async move { Ok::<_, Infallible>(state.answer(request).await) }
                });
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(socket), service));
            }
        });
        cloud
    }

    /// What S3 was asked, without what STS was.
    fn heard(&self) -> Vec<Parts> {
        self.heard.lock().unwrap().clone()
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        if body.starts_with(b"Action=GetCallerIdentity") {
            return self.identity();
        }
        self.heard.lock().unwrap().push(head.clone());
        if expected(&head).is_some_and(|expected| expected != self.owner) {
            return answer(403, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>");
        }
        let query = head.uri.query().unwrap_or_default();
        let upload = "<UploadId>u</UploadId>";
        let missing = |code: &str| answer(404, &format!("<Error><Code>{code}</Code></Error>"));
        match head.method.as_str() {
            // Larger than what is copied in one piece.
            "HEAD" => sized(200, "", 6 * MIB),
            "DELETE" => answer(204, ""),
            "POST" if query.starts_with("uploads") => answer(
                200,
                &format!("<InitiateMultipartUploadResult>{upload}</InitiateMultipartUploadResult>"),
            ),
            "POST" => answer(
                200,
                "<CompleteMultipartUploadResult><ETag>\"f-1\"</ETag></CompleteMultipartUploadResult>",
            ),
            "PUT" if head.headers.contains_key("x-amz-copy-source") => {
                answer(200, "<CopyPartResult><ETag>\"p\"</ETag></CopyPartResult>")
            }
            "PUT" => answer(200, ""),
            _ if query.contains("publicAccessBlock") => missing("NoSuchPublicAccessBlockConfiguration"),
            _ if query.contains("encryption") => missing("ServerSideEncryptionConfigurationNotFoundError"),
            _ if query.contains("policy") => missing("NoSuchBucketPolicy"),
            _ if query.contains("cors") => missing("NoSuchCORSConfiguration"),
            _ if query.contains("uploadId") => answer(
                200,
                "<ListPartsResult><IsTruncated>false</IsTruncated><Part><PartNumber>1</PartNumber><ETag>\"p\"</ETag>\
                 <Size>10</Size></Part></ListPartsResult>",
            ),
            _ => answer(200, "0123456789"),
        }
    }

    fn identity(&self) -> Response<Full<Bytes>> {
        match self.caller {
            Some(account) => answer(
                200,
                &format!(
                    "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
                     <GetCallerIdentityResult><Account>{account}</Account></GetCallerIdentityResult>\
                     </GetCallerIdentityResponse>"
                ),
            ),
            None => answer(
                403,
                "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code>\
                 <Message>The security token is invalid</Message></Error></ErrorResponse>",
            ),
        }
    }

    async fn store(&self, owner: Option<&str>) -> S3 {
        let owner = owner.map(|owner| owner.parse().unwrap());
        store_at(&self.address, |options| options.owner = owner).await
    }

    /// What the program needs to use it.
    fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = server().environment(&self.address);
        environment.retain(|(name, _)| *name != "AWS_ENDPOINT_URL_S3");
        environment.push(("AWS_ENDPOINT_URL_S3", format!("http://{}", self.address)));
        environment
    }
}

/// Whose bucket a request is meant for.
fn expected(head: &Parts) -> Option<String> {
    let header = head.headers.get(OWNER).map(|value| value.to_str().unwrap().to_owned());
    let query = head.uri.query().unwrap_or_default().split('&');
    header.or_else(|| {
        query.filter_map(|part| part.strip_prefix(OWNER)?.strip_prefix('=')).next().map(str::to_owned)
    })
}

fn answer(status: u16, body: &str) -> Response<Full<Bytes>> {
    sized(status, body, body.len() as u64)
}

fn sized(status: u16, body: &str, length: u64) -> Response<Full<Bytes>> {
    let answer = Response::builder().status(status).header("etag", "\"e\"").header("content-length", length);
    answer.body(Full::new(body.to_owned().into())).unwrap()
}

fn place(key: &str) -> ObjectLocation {
    ObjectLocation { bucket: "vivreal-newcustomer".into(), key: key.into() }
}

fn bucket_terms() -> BucketTerms {
    BucketTerms {
        bucket: "vivreal-newcustomer".into(),
        distribution: DISTRIBUTION.parse().unwrap(),
        origins: vec![ORIGIN.to_owned()],
    }
}

/// Each way in which the store asks S3, and what came of it.
async fn ask_for_everything(store: &S3) -> Vec<bool> {
    let (a, b, upload) = (place("a.png"), place("b.png"), PartsId::new("u"));
    let type_of = ContentType::parse("image/png").unwrap();
    let part = PartTag { number: 1, etag: "\"p\"".into() };
    vec![
        store.head(&a).await.is_ok(),
        store.get(&a, None).await.is_ok(),
        store.delete(&a).await.is_ok(),
        store.copy(&a, &b).await.is_ok(),
        store.begin_parts(&a, &type_of).await.is_ok(),
        store.parts(&a, &upload).await.is_ok(),
        store.complete_parts(&a, &upload, &[part]).await.is_ok(),
        store.abort_parts(&a, &upload).await.is_ok(),
        store.check_bucket(&a.bucket).await.is_ok(),
    ]
}

/// Requests that others send: a file, a part of one, a read.
async fn presign(store: &S3) -> [Presigned; 3] {
    let (a, now) = (place("a.png"), Timestamp::from_seconds(1_800_000_000));
    let terms =
        UploadTerms { content_type: ContentType::parse("image/png").unwrap(), size_bytes: 4, checksum: None };
    let part = PartTerms { number: 1, size_bytes: 4 };
    [
        store.presign_put(&a, &terms, now, 900).await.unwrap(),
        store.presign_part(&a, &PartsId::new("u"), part, now, 900).await.unwrap(),
        store.presign_get(&a, now, 900).await.unwrap(),
    ]
}

async fn follow(request: &Presigned) -> u16 {
    let headers: Vec<(&str, &str)> =
        request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let body: &'static [u8] = if request.method == "PUT" { b"four" } else { b"" };
    send(request.method, &request.url, &headers, body).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_says_whose_bucket_it_is_meant_for() {
    let cloud = Cloud::start(OURS, None).await;
    let store = cloud.store(Some(OURS)).await;
    let asked = ask_for_everything(&store).await;
    // A file larger than one copy is copied in parts; each is asked for so.
    assert!(asked.iter().all(|done| *done), "{asked:?}");
    for request in presign(&store).await {
        assert_eq!(follow(&request).await, 200, "{}", request.url);
    }
    let steps = provision(&store, &bucket_terms(), true).await;
    assert!(steps.iter().all(|step| step.state != State::Failed), "{steps:?}");
    let heard = cloud.heard();
    assert!(heard.len() > 25, "{}", heard.len());
    for head in &heard {
        assert_eq!(expected(head).as_deref(), Some(OURS), "{} {}", head.method, head.uri);
        if head.headers.contains_key("x-amz-copy-source") {
            assert_eq!(head.headers["x-amz-source-expected-bucket-owner"], OURS, "{}", head.uri);
        }
        let signed = head.headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
        let signed = signed.unwrap_or_else(|| head.uri.to_string());
        let in_query =
            head.uri.query().is_some_and(|query| query.contains(OWNER) && query.contains("Signature="));
        assert!(signed.contains(OWNER) || in_query, "it is bound by the signature: {signed}");
    }
    let copied = heard.iter().filter(|head| head.headers.contains_key("x-amz-copy-source")).count();
    assert!(copied >= 2, "{copied}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_to_a_bucket_of_another_account() {
    let cloud = Cloud::start(THEIRS, None).await;
    let store = cloud.store(Some(OURS)).await;
    let asked = ask_for_everything(&store).await;
    assert!(asked.iter().all(|done| !done), "{asked:?}");
    for request in presign(&store).await {
        assert_eq!(follow(&request).await, 403, "a ticket too: {}", request.url);
    }
    let error = store.head(&place("a.png")).await.unwrap_err().to_string();
    assert!(error.contains(OURS) && error.contains("expected_owner"), "{error}");
    // A control: without an owner all of it would have gone there.
    let careless = cloud.store(None).await;
    assert!(ask_for_everything(&careless).await.into_iter().all(|done| done));
}

/// Settings of a node with a bucket a tenant, or with one for all.
fn settings(folder: &TempDir, layout: &str) -> PathBuf {
    let file = folder.path().join("signet.toml");
    let settings = two_tenants(folder.path(), layout, "vectors/rsa", false);
    let listeners = "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n";
    std::fs::write(&file, format!("{listeners}[cdn]\n{settings}")).unwrap();
    file
}

/// A command with the cloud's environment: code, answer and diagnostics.
fn signet(
    cloud: &Cloud,
    args: &[&str],
    config: &PathBuf,
    more: &[(&str, &str)],
) -> (Option<i32>, String, String) {
    let mut command = Command::new(SIGNET);
    command.args(args).arg("--config").arg(config).env_clear();
    command.envs(cloud.environment()).envs(more.iter().copied());
    let ended = run(&mut command, b"");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (ended.status.code(), text(ended.stdout), text(ended.stderr))
}

const PROVISION: [&str; 7] =
    ["tenant", "provision", "anna", "--distribution-arn", DISTRIBUTION, "--origin", ORIGIN];
const EXPECTED: (&str, &str) = ("SIGNET__STORE__S3__EXPECTED_OWNER", OURS);

/// What the audit describes: a stranger has made the bucket first, and opened it to this account.
#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_a_stranger_made_first_is_not_provisioned() {
    let folder = TempDir::new().unwrap();
    let config = settings(&folder, "");
    for apply in [&["--apply"][..], &[]] {
        let cloud = Cloud::start(THEIRS, None).await;
        let (code, answer, _) = signet(&cloud, &[&PROVISION[..], apply].concat(), &config, &[EXPECTED]);
        assert_eq!(code, Some(1), "{answer}");
        assert!(answer.contains("vivreal-anna can't be used") && answer.contains(OURS), "{answer}");
        assert!(!answer.contains("so already") && !answer.contains("done"), "{answer}");
        let heard = cloud.heard();
        assert!(
            heard.iter().all(|head| head.method == "HEAD"),
            "nothing is put in, nor asked further: {heard:?}"
        );
    }
    let cloud = Cloud::start(OURS, None).await;
    let (code, answer, said) = signet(&cloud, &[&PROVISION[..], &["--apply"]].concat(), &config, &[EXPECTED]);
    assert_eq!(code, Some(0), "{answer}{said}");
    assert!(answer.contains(&format!("vivreal-anna in eu-central-1, of account {OURS}")), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_and_serve_refuse_what_check_finds() {
    let folder = TempDir::new().unwrap();
    let config = settings(&folder, "path = \"{tenant}\"\nbucket = \"media\"");
    let theirs = Cloud::start(THEIRS, None).await;
    let (code, answer, said) = signet(&theirs, &["check"], &config, &[EXPECTED]);
    assert_eq!(code, Some(1), "{answer}");
    assert!(said.contains("media") && said.contains(OURS) && said.contains("expected_owner"), "{said}");
    let ours = Cloud::start(OURS, None).await;
    let (code, answer, said) = signet(&ours, &["check"], &config, &[EXPECTED]);
    assert_eq!(code, Some(0), "{said}");
    assert!(answer.contains(&format!("buckets of account {OURS} alone")), "{answer}");
    // With a service other than AWS's it isn't known whose buckets are, and check says so.
    let (code, answer, said) = signet(&ours, &["check"], &config, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(answer.contains("whose buckets are isn't checked: store.s3.expected_owner"), "{answer}");
    for wrong in ["11112222333", "11112222333a", "arn:aws:iam::111122223333:root", ""] {
        for command in ["check", "serve"] {
            let more = [("SIGNET__STORE__S3__EXPECTED_OWNER", wrong)];
            let (code, _, said) = signet(&ours, &[command], &config, &more);
            if wrong.is_empty() {
                // An empty variable is as good as none.
                continue;
            }
            assert_eq!(code, Some(1), "{wrong}");
            assert!(said.contains("store.s3.expected_owner") && said.contains("12 digits"), "{said}");
        }
        if wrong.is_empty() {
            break;
        }
    }
}

/// Where the settings don't say it, STS does; where that doesn't either, nothing starts.
#[tokio::test(flavor = "multi_thread")]
async fn the_owner_is_found_by_whose_the_credentials_are() {
    let folder = TempDir::new().unwrap();
    let config = settings(&folder, "path = \"{tenant}\"\nbucket = \"media\"");
    for (caller, owner, expected) in [
        (Some(OURS), OURS, Ok("buckets of account 111122223333 alone")),
        (Some(OURS), THEIRS, Err("a bucket of another account than 111122223333")),
        (None, OURS, Err("store.s3.expected_owner: is needed")),
        (Some("nonsense"), OURS, Err("store.s3.expected_owner: is needed")),
    ] {
        let cloud = Cloud::start(owner, caller).await;
        let sts = format!("http://{}", cloud.address);
        for command in ["check", "serve"] {
            if command == "serve" && (expected.is_ok() || caller == Some(OURS)) {
                // It serves: S3 is asked for nothing at a start.
                continue;
            }
            let (code, answer, said) = signet(&cloud, &[command], &config, &[("AWS_ENDPOINT_URL_STS", &sts)]);
            match expected {
                Ok(line) => assert!(code == Some(0) && answer.contains(line), "{answer}{said}"),
                Err(line) => assert!(code == Some(1) && said.contains(line), "{answer}{said}"),
            }
        }
        let squatted = owner != OURS || caller.is_none();
        if caller == Some(OURS) {
            let (code, answer, _) = signet(&cloud, &PROVISION, &config, &[("AWS_ENDPOINT_URL_STS", &sts)]);
            assert_eq!(code, Some(i32::from(squatted)), "{answer}");
        }
    }
}

/// A node on a real S3 server: what a client gets works as it is, and as nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_binds_what_s3_would_keep_and_whose_bucket_it_is() {
    server().make_bucket("signet-bound").await;
    let folder = TempDir::new().unwrap();
    let layout = "path = \"{tenant}\"\nbucket = \"signet-bound\"\n[delivery]\nprivate = \"s3\"";
    let settings = two_tenants(folder.path(), layout, "vectors/rsa", false);
    let environment = server().environment(&server().address);
    let mut environment: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    environment.push(EXPECTED);
    environment.extend(SMALL_PARTS);
    let node = Node::serve(folder.path(), &settings, &environment);
    let bytes = picture(1_000, 9);

    let fresh = ticket(&node.api, ANNA.2, "a.jpg", bytes.len(), json!({})).await;
    let headers: Vec<(String, String)> = fresh["headers"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
        .collect();
    for (name, value) in [
        ("cache-control", "max-age=86400"),
        ("content-disposition", "inline"),
        ("content-encoding", "identity"),
        (OWNER, OURS),
    ] {
        assert!(headers.contains(&(name.to_owned(), value.to_owned())), "{name}: {headers:?}");
        let others = |chosen: Option<&str>| {
            let mut all: Vec<(String, String)> =
                headers.iter().filter(|(given, _)| given != name).cloned().collect();
            all.extend(chosen.map(|chosen| (name.to_owned(), chosen.to_owned())));
            all
        };
        let hostile = match name {
            "cache-control" => "public, max-age=31536000",
            "content-disposition" => "attachment; filename=\"invoice.exe\"",
            "content-encoding" => "gzip",
            _ => THEIRS,
        };
        for chosen in [Some(hostile), None] {
            assert_eq!(put(&fresh, &others(chosen), &bytes).await, 403, "{name} {chosen:?}");
        }
    }
    let missing = finalize(&node.api, ANNA.2, fresh["assetId"].as_str().unwrap()).await;
    missing.assert_problem(409, "not-uploaded");
    assert_eq!(put(&fresh, &headers, &bytes).await, 200, "as it is");
    let asset = finalize(&node.api, ANNA.2, fresh["assetId"].as_str().unwrap()).await;
    assert_eq!(asset.status, 200, "{}", asset.text());

    // A read of a PRIVATE file: the owner stands in the link, and no shared cache keeps the answer.
    let link = asset.json()["url"].as_str().unwrap().to_owned();
    assert!(link.contains(&format!("{OWNER}={OURS}")), "{link}");
    let read = get(&link, &[]).await;
    assert!(read.status == 200 && read.body == bytes, "{}", read.text());
    assert!(
        read.header("cache-control").starts_with("private, max-age="),
        "{}",
        read.header("cache-control")
    );
    for changed in [link.replace(OURS, THEIRS), link.replace(&format!("&{OWNER}={OURS}"), "")] {
        assert_eq!(get(&changed, &[]).await.status, 403, "{changed}");
    }

    // Moves, and files in parts.
    let public = ready(&node.api, ANNA.2, "b.jpg", &bytes, json!({"visibility": "PUBLIC"})).await;
    let url = format!("{}/media/v1/assets/{}", node.api, public["assetId"].as_str().unwrap());
    let moved = crate::support::http::patch(&url, ANNA.2, json!({"visibility": "PRIVATE"})).await;
    assert_eq!(moved.status, 200, "{}", moved.text());
    let content = three_parts();
    let large = InParts::begin(&node.api, ANNA.2, &content).await;
    let mut tags = Vec::new();
    let mut from = 0;
    for part in large.ticket["multipart"]["parts"].as_array().unwrap() {
        let size = usize::try_from(part["sizeBytes"].as_u64().unwrap()).unwrap();
        assert_eq!(part["headers"][OWNER], OURS, "{part}");
        let sent = crate::support::upload::put(part, content.slice(from..from + size)).await;
        assert_eq!(sent.status, 200, "{}", sent.text());
        tags.push(json!({"partNumber": part["partNumber"], "etag": sent.header("etag")}));
        from += size;
    }
    let whole = large.complete(&json!({ "parts": tags })).await;
    assert_eq!(whole.status, 200, "{}", whole.text());
}

async fn put(ticket: &Value, headers: &[(String, String)], bytes: &Bytes) -> u16 {
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    send("PUT", ticket["uploadUrl"].as_str().unwrap(), &headers, bytes.clone()).await.status
}
