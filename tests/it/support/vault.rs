//! A stand-in for AWS Secrets Manager: speaks GetSecretValue, and refuses requests that aren't signed
//! by SigV4 with the one access key that it knows.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::{digest, hmac};
use axum::http::{HeaderMap, Request, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

const ACCESS_KEY: &str = "AKIDSIGNETTEST";
const SECRET_KEY: &str = "a-secret-of-the-tests";

/// A running vault, for as long as the test's runtime lives.
#[derive(Clone)]
pub struct Vault {
    address: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    secrets: Mutex<BTreeMap<String, String>>,
    reads: AtomicUsize,
    refused: AtomicUsize,
    failing: Mutex<Option<(u16, Value)>>,
    hangs: Mutex<bool>,
}

impl Vault {
    /// Starts one without secrets.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let vault =
            Self { address: listener.local_addr().unwrap().to_string(), state: Arc::new(State::default()) };
        let state = Arc::clone(&vault.state);
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let state = Arc::clone(&state);
                let service = service_fn(move |request| answer(Arc::clone(&state), request));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(socket), service),
                );
            }
        });
        vault
    }

    /// Puts a secret in, over what is there.
    pub fn put(&self, name: &str, value: &str) {
        self.state.secrets.lock().unwrap().insert(name.to_owned(), value.to_owned());
    }

    /// From now on every request is answered like this; `None` ends it.
    pub fn fail(&self, with: Option<(u16, Value)>) {
        *self.state.failing.lock().unwrap() = with;
    }

    /// From now on nothing is answered.
    pub fn hang(&self) {
        *self.state.hangs.lock().unwrap() = true;
    }

    /// How many signed reads there were.
    pub fn reads(&self) -> usize {
        self.state.reads.load(Ordering::SeqCst)
    }

    /// How many requests were badly signed.
    pub fn refused(&self) -> usize {
        self.state.refused.load(Ordering::SeqCst)
    }

    /// What a process needs to use it.
    pub fn environment(&self) -> Vec<(String, String)> {
        [
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", format!("http://{}", self.address).as_str()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }
}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    if *state.hangs.lock().unwrap() {
        std::future::pending::<()>().await;
    }
    let (status, value) = if !is_signed(&parts.headers, &body) {
        state.refused.fetch_add(1, Ordering::SeqCst);
        (400, json!({"__type": "InvalidSignatureException", "message": "the signature isn't right"}))
    } else {
        state.reads.fetch_add(1, Ordering::SeqCst);
        let failing = state.failing.lock().unwrap().clone();
        failing.unwrap_or_else(|| read(&state, &parts.headers, &body))
    };
    let answer = Response::builder().status(status).header("content-type", "application/x-amz-json-1.1");
    Ok(answer.body(Full::new(value.to_string().into())).unwrap())
}

fn read(state: &State, headers: &HeaderMap, body: &[u8]) -> (u16, Value) {
    assert_eq!(headers["x-amz-target"], "secretsmanager.GetSecretValue");
    let request: Value = serde_json::from_slice(body).unwrap();
    let name = request["SecretId"].as_str().unwrap();
    match state.secrets.lock().unwrap().get(name) {
        Some(value) => (200, json!({"Name": name, "ARN": name, "VersionId": "1", "SecretString": value})),
        None => (
            400,
            json!({"__type": "ResourceNotFoundException",
                "Message": "Secrets Manager can't find the specified secret."}),
        ),
    }
}

/// SigV4, written down from its description.
fn is_signed(headers: &HeaderMap, body: &[u8]) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let authorization = text("authorization");
    let part = |name: &str| {
        let (_, rest) = authorization.split_once(&format!("{name}="))?;
        rest.split(',').next()
    };
    let (Some(credential), Some(signed), Some(signature)) =
        (part("Credential"), part("SignedHeaders"), part("Signature"))
    else {
        return false;
    };
    let Some(scope) = credential.strip_prefix(&format!("{ACCESS_KEY}/")) else { return false };
    let lines: String = signed.split(';').map(|name| format!("{name}:{}\n", text(name).trim())).collect();
    let canonical = format!("POST\n/\n\n{lines}\n{signed}\n{}", hash(body));
    let to_sign =
        format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{}", text("x-amz-date"), hash(canonical.as_bytes()));
    let mut key = format!("AWS4{SECRET_KEY}").into_bytes();
    for part in scope.split('/') {
        key = mac(&key, part);
    }
    scope.ends_with("/eu-central-1/secretsmanager/aws4_request") && hex(&mac(&key, &to_sign)) == signature
}

fn mac(key: &[u8], message: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message.as_bytes()).as_ref().to_vec()
}

fn hash(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
