//! A real S3 server, SeaweedFS, on free ports: one for all tests of this process, started by the first that
//! asks for it, and ended with the process.
//!
//! A shell stands between: it waits for the end of a pipe whose other end only this process has. However the
//! process ends, the shell then ends the server by its process id and removes what it has left.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aws_sdk_s3::config::Credentials;
use bytes::Bytes;
use signet::store::aws::{Patience, loader};
use signet::store::s3::provision::{BucketTerms, State, provision};
use signet::store::s3::{S3, S3Options};
use signet::telemetry::traces::Current;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::http::{get, parse, status_blocking};
use super::{PATIENCE, STARTS, free_ports};
use crate::contract::objects::{Door, Sent, Upload};

/// The one identity that the server knows.
const ACCESS_KEY: &str = "AKIDSIGNETTEST";
const SECRET_KEY: &str = "a-secret-of-the-tests";
/// A distribution that buckets of the tests are made for.
pub const DISTRIBUTION: &str = "arn:aws:cloudfront::111122223333:distribution/E1ABC";
/// Whose pages may send uploads to them.
pub const ORIGIN: &str = "https://app.example.com";

/// Ends the server $1 when stdin ends. The sockets are those of its ports.
const GUARD: &str = r#"
trap '' INT
folder=$1; shift
"$@" >"$folder/log" 2>&1 &
server=$!
cat >/dev/null
kill -KILL "$server"
wait "$server"
for port in $SIGNET_PORTS; do rm -f /tmp/seaweedfs-*-"$port".sock; done
rm -rf "$folder"
"#;

/// A running server.
pub struct Server {
    /// Host and port.
    pub address: String,
    /// Its stdin is the pipe.
    _guard: Child,
}

/// The server of this process.
pub fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| (0..STARTS).find_map(|_| Server::start()).expect("the S3 server starts"))
}

impl Server {
    /// `None` where one of its ports was taken meanwhile.
    fn start() -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("signet-s3-").tempdir().unwrap().keep();
        let identity = folder.join("identity.json");
        let json = serde_json::json!({"identities": [{
            "name": "app",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }]});
        std::fs::write(&identity, json.to_string()).unwrap();
        let ports: [u16; 10] = free_ports();
        let mut guard = command(&folder, &identity, &ports).spawn().unwrap();
        let address = format!("127.0.0.1:{}", ports[0]);
        let health = format!("http://{address}/healthz");
        let deadline = Instant::now() + PATIENCE;
        while status_blocking(&health) != Some(200) {
            let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            let taken = ["cannot be used", "address already in use"].iter().any(|words| log.contains(words));
            if taken || Instant::now() > deadline {
                drop(guard.stdin.take());
                guard.wait().unwrap();
                assert!(taken, "the S3 server says: {log}");
                return None;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(Self { address, _guard: guard })
    }

    /// What a process needs to use it, perhaps by way of a proxy.
    pub fn environment(&self, address: &str) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL_S3", format!("http://{address}")),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
            ("AWS_REGION", "eu-central-1".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("SIGNET__STORE__OBJECTS", "s3".to_owned()),
            ("SIGNET__STORE__S3__PATH_STYLE", "true".to_owned()),
        ]
    }

    /// The store on it. Copies of more than 5 MiB go in parts.
    pub async fn store(&self) -> S3 {
        store_at(&self.address, |_| {}).await
    }

    /// The store with other options.
    pub async fn store_with(&self, change: impl FnOnce(&mut S3Options)) -> S3 {
        store_at(&self.address, change).await
    }

    /// Makes a bucket, open to uploads from [`ORIGIN`].
    pub async fn make_bucket(&self, name: &str) {
        let terms = BucketTerms {
            bucket: name.to_owned(),
            distribution: DISTRIBUTION.parse().unwrap(),
            origins: vec![ORIGIN.to_owned()],
        };
        let steps = provision(&self.store().await, &terms, true).await;
        assert_ne!(steps[0].state, State::Failed, "{steps:?}");
    }
}

/// How long the server is waited for.
fn patience() -> Patience {
    Patience {
        connect: Duration::from_secs(3),
        attempt: Duration::from_secs(10),
        operation: Duration::from_secs(30),
        attempts: 3,
        backoff: Duration::from_millis(100),
    }
}

fn credentials() -> Credentials {
    Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "tests")
}

/// A client of the server's that is none of Signet's.
pub async fn client() -> aws_sdk_s3::Client {
    let config = loader(&patience(), Some("eu-central-1")).credentials_provider(credentials()).load().await;
    let endpoint = format!("http://{}", server().address);
    let config = aws_sdk_s3::config::Builder::from(&config).endpoint_url(endpoint).force_path_style(true);
    aws_sdk_s3::Client::from_conf(config.build())
}

/// A store on whatever answers at an address.
pub async fn store_at(address: &str, change: impl FnOnce(&mut S3Options)) -> S3 {
    let patience = patience();
    let config = loader(&patience, Some("eu-central-1")).credentials_provider(credentials()).load().await;
    let mut options = S3Options {
        endpoint: Some(format!("http://{}", address)),
        public_endpoint: None,
        region: None,
        path_style: true,
        patience,
        copy_part_bytes: Some(5 * 1024 * 1024),
        owner: None,
        trace: Arc::new(Current),
    };
    change(&mut options);
    S3::of(config, options).unwrap()
}

fn command(folder: &Path, identity: &Path, ports: &[u16; 10]) -> Command {
    let weed = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".tools/venv/bin/weed");
    assert!(weed.exists(), "no S3 server in .tools: run `make tools`");
    let mut command = Command::new("sh");
    command.args(["-c", GUARD, "guard"]).arg(folder).arg(weed).args(["-logtostderr=true", "mini"]);
    command.arg(format!("-dir={}", folder.display())).arg(format!("-s3.config={}", identity.display()));
    let names =
        ["s3", "s3.grpc", "master", "master.grpc", "filer", "filer.grpc", "volume", "volume.grpc", "admin"];
    for (name, port) in names.into_iter().chain(["admin.grpc"]).zip(ports) {
        let (service, kind) = name.split_once('.').map_or((name, ""), |(service, _)| (service, ".grpc"));
        command.arg(format!("-{service}.port{kind}={port}"));
    }
    command.args([
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-master.telemetry=false",
        "-admin.ui=false",
        "-webdav=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-s3.autoCreateBucket=false",
    ]);
    let all = ports.map(|port| port.to_string()).join(" ");
    command.env("SIGNET_PORTS", all).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Sends uploads as a client does, over a socket.
pub struct Wire;

#[async_trait]
impl Door for Wire {
    async fn send(&self, upload: Upload) -> Sent {
        let declared = upload.headers.iter().find(|(name, _)| name == "content-length");
        let declared: Option<usize> = declared.map(|(_, value)| value.parse().unwrap());
        if declared.is_some_and(|length| length < upload.body.len()) {
            // HTTP has no such request: what follows the declared length is another one.
            return Sent::Refused;
        }
        let whole = declared.is_none_or(|length| length == upload.body.len()) && !upload.cut;
        match exchange(&upload, whole).await {
            Some(200) => Sent::Stored,
            Some(412) => Sent::Exists,
            Some(status) if whole => {
                assert!((400..500).contains(&status), "{status}");
                Sent::Refused
            }
            _ => {
                assert!(!whole, "no answer");
                Sent::Refused
            }
        }
    }

    async fn read(&self, url: &str) -> Option<Bytes> {
        let answer = get(url, &[]).await;
        (answer.status == 200).then_some(answer.body)
    }

    fn longest_segment(&self) -> usize {
        LONGEST_SEGMENT
    }
}

/// The longest part of a key between slashes that the server takes, in bytes.
const LONGEST_SEGMENT: usize = 255;

/// Sends a request and gives the status of the answer; `None` where none comes.
async fn exchange(upload: &Upload, whole: bool) -> Option<u16> {
    let (host, path) = upload.url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let headers: String = upload.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("PUT /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{headers}\r\n");
    let mut socket = TcpStream::connect(host).await.unwrap();
    // The other side may have answered and closed before everything was sent.
    let _ = socket.write_all(head.as_bytes()).await;
    let _ = socket.write_all(&upload.body).await;
    if !whole {
        let _ = socket.shutdown().await;
    }
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut answer));
    let _ = read.await.expect("an answer, or an end");
    (!answer.is_empty()).then(|| parse(&answer).status)
}
