//! A picture at the edge of a shared `signet dev`, the key pair that signs for it, and whether links to it are
//! served.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use serde_json::json;
use signet::cloudfront::PublicKey;
use signet::cloudfront::inspect::{Request, inspect};
use tempfile::TempDir;

use super::http::{Answer, post, raw_request};
use super::program::signet;
use super::{Node, shared_dev, verify};

/// Where the seeded pictures lie.
pub const FOLDER: &str = "groupObjects/68bfac783bc7c024975c90cb/1757391992521";
pub const DENIED: &str = "Access denied.";
pub const UNKNOWN: &str = "Unknown Key.";
pub const MISSING: &str = "Missing Key-Pair-Id query parameter or cookie value.";
pub const MALFORMED: &str = "Malformed Policy.";

/// A distribution with a file in it, and the key pair that signs for it.
pub struct Stage {
    shared: Arc<(TempDir, Node)>,
    pub key: PublicKey,
    pub id: String,
    /// The path of a picture that is there.
    pub path: String,
}

impl Stage {
    /// A distribution and its picture.
    pub fn new() -> Self {
        let shared = shared_dev();
        let facts = &shared.1.facts;
        let text = |name: &str| facts[name].as_str().unwrap().to_owned();
        let key = verify::public_key(text("publicKey"));
        let path = format!("/{}/{FOLDER}/mug.jpg", text("bucket"));
        Self { key, id: text("keyPairId"), path, shared }
    }

    /// The process.
    pub fn node(&self) -> &Node {
        &self.shared.1
    }

    /// The picture's URL, unsigned.
    pub fn url(&self) -> String {
        format!("{}{}", self.node().edge, self.path)
    }

    /// `signet sign` with the distribution's own key pair.
    pub fn sign(&self, args: &[&str]) -> String {
        let key = self.node().data.join("keys/private.pem");
        let mut all = vec!["sign", "--private-key", key.to_str().unwrap(), "--key-pair-id", &self.id];
        all.extend(args);
        let run = signet(&all, b"");
        assert_eq!(run.code, 0, "{}", run.diagnostics);
        run.answer.trim_end().to_owned()
    }

    /// The target of a link of the API's.
    pub async fn link(&self) -> String {
        let key = format!("{FOLDER}/mug.jpg");
        let url = format!("{}/media/v1/links", self.node().api);
        let answer = post(&url, &self.node().api_key, json!({"keys": [key]})).await;
        self.target(answer.json()["links"][0]["link"].as_str().unwrap())
    }

    /// What of a link goes into a request line.
    pub fn target(&self, link: &str) -> String {
        link.strip_prefix(&self.node().edge).unwrap().to_owned()
    }

    /// What the edge answers.
    pub fn fetch(&self, target: &str, cookies: Option<&str>) -> Answer {
        let cookies: Vec<_> = cookies.into_iter().map(|cookies| ("cookie", cookies)).collect();
        raw_request(&self.node().edge, "GET", target, &cookies)
    }

    /// That the edge and the library agree; whether it is served.
    pub fn agreed(&self, target: &str, cookies: Option<&str>) -> bool {
        let url = format!("{}{target}", self.node().edge);
        let group = |id: &str| (id == self.id).then_some(&self.key);
        let ip = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let request = Request { url: &url, cookies, at: verify::now(), ip };
        let inspection = inspect(&request, Some(&group));
        let answer = self.fetch(target, cookies);
        match inspection.verdict {
            Ok(()) => assert!(matches!(answer.status, 200 | 404), "{target}: {}", answer.text()),
            Err(refusal) => assert_refused(&answer, &refusal.to_string(), target),
        }
        inspection.verdict.is_ok()
    }

    /// That the edge refuses it in these words, and the library too.
    pub fn assert_refused(&self, target: &str, words: &str) {
        assert!(!self.agreed(target, None), "{target}");
        assert_refused(&self.fetch(target, None), words, target);
    }
}

/// That it is CloudFront's refusal in these words.
pub fn assert_refused(answer: &Answer, words: &str, of: &str) {
    assert_eq!(answer.status, 403, "{of}");
    assert_eq!(answer.header("content-type"), "text/xml", "{of}");
    assert!(answer.text().contains(&format!("<Message>{words}</Message>")), "{of}: {}", answer.text());
}
