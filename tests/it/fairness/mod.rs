//! Who asks too often or too much is told so, and nobody else notices.
//!
//! - `rates`: requests of a tenant and of an address in a time, and what headers say of them.
//! - `places`: requests and jobs at a time.
//! - `connections`: what a listener counts.
//! - `flood`: a tenant that sends all it can, and what another one feels of it.

mod connections;
mod flood;
mod places;
mod rates;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::Node;
use crate::support::http::{Answer, get, post};
use crate::support::settings::two_tenants;
use crate::support::upload::{picture, ready};

/// Windows so long that what was made is ready for as long as a test takes.
pub const LONG: (&str, &str) = ("SIGNET__SIGNING__TTL_SECONDS", "604800");

/// `signet serve` of two tenants with some of `[limits]`; the others are off.
pub struct House {
    pub node: Node,
    folder: TempDir,
}

impl House {
    pub fn new(limits: &[(&str, u32)]) -> Self {
        Self::with(limits, &[])
    }

    /// The same with further environment variables.
    pub fn with(limits: &[(&str, u32)], environment: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        let rates = ["tenant_per_second", "tenant_burst", "client_per_second", "client_burst"];
        let all = rates.iter().chain(&[
            "max_requests",
            "max_tenant_requests",
            "max_signing_requests",
            "max_body_bytes",
        ]);
        let limits: String = all
            .map(|name| {
                let limit = limits.iter().find(|(known, _)| known == name).map_or(0, |(_, limit)| *limit);
                format!("{name} = {limit}\n")
            })
            .collect();
        let settings = two_tenants(folder.path(), "", "vectors/rsa", false);
        let settings = format!("[limits]\n{limits}{settings}").replacen("[limits]", "\n[limits]", 1);
        let node = Node::serve(folder.path(), &settings, environment);
        Self { node, folder }
    }

    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.node.api)
    }

    /// The permalink of an asset of a tenant's, which is ready from then on.
    pub async fn permalink(&self, api_key: &str) -> String {
        let public = json!({"visibility": "PUBLIC"});
        let asset = ready(&self.node.api, api_key, "a.jpg", &picture(500, 9), public).await;
        let url = self.url(&format!("/m/{}", asset["assetId"].as_str().unwrap()));
        assert_eq!(get(&url, &[("authorization", api_key)]).await.status, 302);
        url
    }

    pub async fn document(&self, api_key: &str, document: &Value) -> Answer {
        post(&self.url("/media/v1/documents"), api_key, document).await
    }

    /// How often a limit was met.
    pub async fn met(&self, limit: &str) -> u64 {
        let text = get(&format!("{}/metrics", self.node.admin), &[]).await.text();
        let series = format!("signet_limits_hit_total{{limit=\"{limit}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&series)).unwrap().parse().unwrap()
    }

    /// A request of a tenant whose body never comes. It is under way, for as long as the connection is kept.
    pub fn unfinished(&self, api_key: &str) -> TcpStream {
        let host = self.node.api.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        let head = format!(
            "POST /media/v1/documents HTTP/1.1\r\nhost: {host}\r\nauthorization: {api_key}\r\n\
             content-type: application/json\r\ncontent-length: 10\r\nexpect: 100-continue\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        // It has its place when its body is waited for. Until then, others may be faster.
        let mut waited_for = [0; 25];
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.read_exact(&mut waited_for).unwrap();
        assert_eq!(waited_for.as_slice(), b"HTTP/1.1 100 Continue\r\n\r\n");
        stream
    }
}

/// A document of files that nobody has asked for before.
pub fn cold(name: &str, files: usize) -> Value {
    json!(
        (0..files)
            .map(|file| json!({"key": format!("{name}/{file}.jpg"), "type": "image"}))
            .collect::<Vec<_>>()
    )
}

/// Asks until an answer has this status.
pub async fn until(status: u16, ask: impl AsyncFn() -> Answer) -> Answer {
    let began = Instant::now();
    loop {
        let answer = ask().await;
        if answer.status == status {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{status} never came: {}", answer.text());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
