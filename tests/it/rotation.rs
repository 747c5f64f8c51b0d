//! Key pairs come and go under load, at the edge: no link is refused, no request fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use signet::cloudfront::NewKey;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::support::http::{Answer, get, post};
use crate::support::rotate::{KEYS, make_pair, pair, put, with_keys};
use crate::support::{Node, program, upload, verify};

const API_KEY: &str = "a-key-of-the-rotation-test";

/// `signet serve` with the pair K1 in a folder.
fn serve(folder: &TempDir) -> Node {
    make_pair(folder.path(), "K1", NewKey::Rsa2048);
    let settings = format!(
        "[store]\npath = \"data\"\n[log]\nlevel = \"off\"\n[signing]\nttl_seconds = 60\n\
         [[tenants]]\nid = \"t_demo\"\nkey = \"demo\"\napi_key = \"{API_KEY}\"\n{KEYS}{}",
        pair("K1", "")
    );
    Node::serve(folder.path(), &settings, &[])
}

/// Uploads a picture; gives its id and object key.
async fn picture(node: &Node) -> (String, String) {
    let bytes = Bytes::from_static(include_bytes!("../../src/app/dev/seed/mug.jpg"));
    let more = json!({"visibility": "PUBLIC"});
    let ticket = upload::ticket(&node.api, API_KEY, "mug.jpg", bytes.len(), more).await;
    assert_eq!(upload::put(&ticket, bytes).await.status, 200);
    let id = ticket["assetId"].as_str().unwrap();
    assert_eq!(upload::finalize(&node.api, API_KEY, id).await.status, 200);
    (id.to_owned(), ticket["storageKey"].as_str().unwrap().to_owned())
}

/// What the clients have seen.
#[derive(Default)]
struct Seen {
    statuses: BTreeMap<u16, usize>,
    wrong: Vec<String>,
    /// Which pairs signed links in each second.
    signers: BTreeMap<u64, BTreeSet<String>>,
    /// A link, and the pair that signed it.
    first: BTreeMap<String, String>,
}

#[derive(Clone)]
struct Load {
    api: String,
    edge: String,
    asset: (String, String),
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
}

impl Load {
    fn note(&self, answer: &Answer, expected: u16, what: &str) {
        let mut seen = self.seen.lock().unwrap();
        *seen.statuses.entry(answer.status).or_default() += 1;
        if answer.status != expected {
            seen.wrong.push(format!("{} {what}: {}", answer.status, answer.text()));
        }
    }

    /// Fetches a link at the edge.
    async fn fetch(&self, link: &str, asked: u64) {
        let (_, id) = link.split_once("Key-Pair-Id=").unwrap();
        let id = id.split('&').next().unwrap_or_default().to_owned();
        {
            let mut seen = self.seen.lock().unwrap();
            seen.signers.entry(asked).or_default().insert(id.clone());
            seen.first.entry(id).or_insert_with(|| link.to_owned());
        }
        self.note(&get(link, &[]).await, 200, link);
    }

    /// `/m/{id}`, and the file.
    async fn permalinks(self) {
        let url = format!("{}/m/{}", self.api, self.asset.0);
        while !self.stop.load(Ordering::Relaxed) {
            let asked = verify::now();
            let redirect = get(&url, &[]).await;
            self.note(&redirect, 302, "permalink");
            if redirect.status == 302 {
                self.fetch(redirect.header("location"), asked).await;
            }
        }
    }

    /// Documents, each with links that nobody has asked for before, and some of their files.
    async fn documents(self, client: usize) {
        let (id, key) = &self.asset;
        for turn in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let page = format!("{}/vivreal-demo/{key}?v={client}-{turn}", self.edge);
            let document = json!({"hero": id, "page": page, "rest": [
                {"key": key, "mimeType": "image/jpeg", "name": "a"},
                {"key": format!("page/{client}-{turn}.jpg"), "mimeType": "image/jpeg", "name": "b"},
            ]});
            let asked = verify::now();
            let signed = post(&format!("{}/media/v1/documents", self.api), API_KEY, document).await;
            self.note(&signed, 200, "document");
            if signed.status != 200 {
                continue;
            }
            assert_eq!(signed.header("signet-media"), "found=4, signed=4, unsigned=0");
            let signed: Value = signed.json();
            for link in [&signed["hero"], &signed["page"], &signed["rest"][0]["currentFile"]["source"]] {
                self.fetch(link.as_str().unwrap(), asked).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pairs_rotate_under_load_without_one_bad_link() {
    let folder = TempDir::new().unwrap();
    let node = serve(&folder);
    let load = Load {
        api: node.api.clone(),
        edge: node.edge.clone(),
        asset: picture(&node).await,
        seen: Arc::default(),
        stop: Arc::default(),
    };
    let mut clients = JoinSet::new();
    for client in 0..4 {
        clients.spawn(load.clone().permalinks());
        clients.spawn(load.clone().documents(client));
    }
    let pause = async |millis| tokio::time::sleep(Duration::from_millis(millis)).await;
    pause(1_000).await;

    // A new pair, which takes over in a moment; of the same algorithm and hash, so that nothing but its id
    // keeps signatures of the two apart.
    make_pair(folder.path(), "K2", NewKey::Rsa2048);
    let takes_over = verify::now() + 3;
    let second = pair("K2", &format!("not_before = \"{takes_over}\""));
    node.put_keys(&format!("{}{second}", pair("K1", "")));
    node.hang_up();
    node.reloaded("applied", 1).await;
    assert_eq!(node.signs().await, "K1");
    let waits = "signet_key_not_before_seconds{key_pair_id=\"K2\"}";
    assert_eq!(node.metric(waits).await, Some(takes_over));
    while verify::now() <= takes_over + 1 {
        pause(50).await;
    }
    assert_eq!(node.signs().await, "K2", "by time alone");

    // Mistakes: a broken key, another key under an old id, no key at all, settings that aren't any.
    let file = folder.path().join("K2.pem");
    let good = fs::read_to_string(&file).unwrap();
    put(&file, &good[..good.len() / 2]);
    node.hang_up();
    node.reloaded("refused", 1).await;
    put(&file, &good);
    for (mistake, keys) in [
        (2, pair("K1", "").replace("id = \"K1\"", "id = \"K2\"")),
        (3, pair("K3", "")),
        (4, pair("K1", &format!("not_before = \"{}\"", takes_over + 1_000))),
        (5, "nonsense".to_owned()),
    ] {
        let refused = node.metric("signet_key_reloads_total{outcome=\"refused\"}").await.unwrap();
        assert!(refused >= mistake - 1);
        node.put_keys(&keys);
        node.hang_up();
        node.reloaded("refused", refused + 1).await;
        assert_eq!(node.signs().await, "K2", "{keys}");
    }

    // The old pair retires, this time without a signal: the file's change is seen.
    let retired = pair("K1", &format!("retire_at = \"{}\"", verify::now()));
    node.put_keys(&format!("{retired}{second}"));
    node.reloaded("applied", 2).await;
    pause(1_000).await;
    load.stop.store(true, Ordering::Relaxed);
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }

    let seen = std::mem::take(&mut *load.seen.lock().unwrap());
    let requests: usize = seen.statuses.values().sum();
    assert!(seen.wrong.is_empty(), "{requests} requests: {:?}: {:#?}", seen.statuses, seen.wrong);
    assert!(requests > 300, "{requests}");
    for (second, signers) in &seen.signers {
        // A request of the last second before may be answered in the first one after.
        let expected = if *second >= takes_over { "K2" } else { "K1" };
        assert!(signers.contains(expected) || *second + 1 == takes_over, "{second}: {signers:?}");
        assert!(signers.len() == 1 || *second + 1 == takes_over, "{second}: {signers:?}");
    }
    let (old, new) = (seen.first["K1"].clone(), seen.first["K2"].clone());

    // Links of the old pair are good for as long as it is in the ring, and no longer.
    assert_eq!(get(&old, &[]).await.status, 200, "its first link, older than all of this");
    node.put_keys(&second);
    node.hang_up();
    node.reloaded("applied", 3).await;
    assert_eq!(get(&old, &[]).await.status, 403);
    assert_eq!(get(&new, &[]).await.status, 200);
    assert_eq!(node.metric("signet_key_active{key_pair_id=\"K1\"}").await, None, "no series is left");
    assert_eq!(node.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mounted_folder_of_settings_is_followed_when_it_is_swapped() {
    let folder = TempDir::new().unwrap();
    let node = serve(&folder);
    let at = |name: &str| folder.path().join(name);
    let settings = fs::read_to_string(at("signet.toml")).unwrap();
    make_pair(folder.path(), "K2", NewKey::Rsa2048);
    for (version, keys) in [("..1", pair("K1", "")), ("..2", format!("{}{}", pair("K1", ""), pair("K2", "")))]
    {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("signet.toml"), with_keys(&settings, &keys)).unwrap();
    }
    // As Kubernetes lays out a mounted volume.
    symlink("..1", at("..data")).unwrap();
    symlink("..data/signet.toml", at("link")).unwrap();
    fs::rename(at("link"), at("signet.toml")).unwrap();
    node.reloaded("unchanged", 1).await;
    symlink("..2", at("..next")).unwrap();
    fs::rename(at("..next"), at("..data")).unwrap();
    node.reloaded("applied", 1).await;
    assert_eq!(node.signs().await, "K2", "of two that are active from the start, the later one");
}

#[test]
fn check_says_what_to_register_and_in_which_order() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("signet.toml");
    let check = |keys: String| {
        fs::write(&file, format!("[signing]\nttl_seconds = 600\n{keys}")).unwrap();
        program::signet(&["check", "--config", file.to_str().unwrap()], b"")
    };
    for name in ["K1", "K2"] {
        make_pair(folder.path(), name, NewKey::EcdsaP256);
    }
    let waiting = pair("K2", "not_before = \"2100-01-01T00:00:00Z\"");
    let run = check(format!("{}{waiting}", pair("K1", "")));
    assert_eq!(run.code, 0, "{}", run.diagnostics);
    for name in ["K1", "K2"] {
        let public = fs::read_to_string(folder.path().join(format!("{name}-public.pem"))).unwrap();
        assert!(run.answer.contains(public.trim_end()), "{}", run.answer);
    }
    for said in [
        "K1 ECDSA P-256 SHA256, signs now",
        "K2 ECDSA P-256 SHA256, signs from 2100-01-01T00:00:00Z on",
        "rotation    K1 → K2, in this order",
        "600 s later no link of K1 is alive",
    ] {
        assert!(run.answer.contains(said), "{said}: {}", run.answer);
    }
    let gap = check(format!("{}{waiting}", pair("K1", "retire_at = \"2099-01-01T00:00:00Z\"")));
    assert!(gap.answer.contains("from 2099-01-01T00:00:00Z on no key pair is active"), "{}", gap.answer);
    let none = check(waiting);
    assert_eq!(none.code, 1);
    assert!(none.diagnostics.contains("no key pair is active now"), "{}", none.diagnostics);
}
