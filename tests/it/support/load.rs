//! Clients of two tenants that go on whatever happens to the stores, and judge each answer:
//!
//! 1. It comes within [`LONGEST`].
//! 2. It is what was asked for, or a 503 that says when to try again; what is known is never a 503.
//! 3. It holds no media of the other tenant.
//!
//! What was acknowledged is in the [`Ledger`]s.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::http::{Answer, get, patch, post};
use super::settings::{ANNA, BEN, Tenant};
use super::upload::{finalize, picture, put, ready};

/// How long any answer may take.
const LONGEST: Duration = Duration::from_secs(40);
/// Between two requests of a client.
const REST: Duration = Duration::from_millis(10);

/// What the answers to a kind of request were: kind, status, whether marked as stale.
pub type Seen = (&'static str, u16, bool);

/// What a tenant's writers were told.
#[derive(Default)]
pub struct Ledger {
    /// READY assets, and the bytes that fill them.
    pub ready: Vec<(String, u8)>,
    /// Uploads that were sent, and whose finalize was a 503.
    pub sent: Vec<(String, u8)>,
    /// The last number that was put into the patched asset's metadata and acknowledged, and the last that was tried.
    pub patched: (u64, u64),
}

/// Assets of a tenant that are there from the start.
pub struct Assets {
    pub public: String,
    pub private: String,
    pub patched: String,
}

/// The clients.
pub struct Load {
    shared: Arc<Shared>,
    clients: JoinSet<()>,
}

struct Shared {
    api: String,
    assets: [Assets; 2],
    ledgers: [Mutex<Ledger>; 2],
    stop: AtomicBool,
    watch: Mutex<Watch>,
}

/// The answers since the phase began to requests that were begun in it.
#[derive(Default)]
struct Watch {
    phase: usize,
    /// How often, for each tenant.
    seen: [BTreeMap<Seen, u64>; 2],
    slowest: Duration,
}

/// A client of one tenant; the other's media must not come to it.
#[derive(Clone)]
struct Client {
    shared: Arc<Shared>,
    number: usize,
    own: &'static Tenant,
    other: &'static Tenant,
}

impl Load {
    /// Makes each tenant's assets, and starts its clients.
    pub async fn start(api: &str) -> Self {
        let assets = [Assets::of(api, &ANNA).await, Assets::of(api, &BEN).await];
        let shared = Arc::new(Shared {
            api: api.to_owned(),
            assets,
            ledgers: Default::default(),
            stop: AtomicBool::new(false),
            watch: Mutex::default(),
        });
        let mut clients = JoinSet::new();
        for (number, own, other) in [(0, &ANNA, &BEN), (1, &BEN, &ANNA)] {
            let client = Client { shared: Arc::clone(&shared), number, own, other };
            clients.spawn(client.clone().uploads());
            clients.spawn(client.clone().patches());
            clients.spawn(client.reads());
        }
        Self { shared, clients }
    }

    /// Begins a phase, of which nothing is seen yet.
    pub fn next_phase(&mut self) {
        self.check();
        let mut watch = self.shared.watch.lock().unwrap();
        *watch = Watch { phase: watch.phase + 1, ..Watch::default() };
    }

    /// Waits until all of these were seen in this phase by both tenants; gives how long that took.
    pub async fn until_seen(&mut self, wanted: &[Seen], within: Duration) -> Duration {
        let began = Instant::now();
        loop {
            self.check();
            let seen = self.seen();
            let missing: Vec<_> =
                wanted.iter().filter(|one| !seen.iter().all(|seen| seen.contains_key(one))).collect();
            if missing.is_empty() {
                return began.elapsed();
            }
            assert!(began.elapsed() < within, "not seen: {missing:?}, but {seen:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// How often what was seen in this phase, by each tenant.
    pub fn seen(&self) -> [BTreeMap<Seen, u64>; 2] {
        self.shared.watch.lock().unwrap().seen.clone()
    }

    /// The longest time that an answer took in this phase.
    pub fn slowest(&self) -> Duration {
        self.shared.watch.lock().unwrap().slowest
    }

    /// Lets the clients end what they do; gives each tenant's assets, and what its writers were told.
    pub async fn end(mut self) -> [(Assets, Ledger); 2] {
        self.shared.stop.store(true, Ordering::SeqCst);
        while let Some(client) = self.clients.join_next().await {
            client.unwrap();
        }
        let Shared { assets, ledgers, .. } = Arc::into_inner(self.shared).unwrap();
        let [anna, ben] = ledgers.map(|ledger| ledger.into_inner().unwrap());
        let [annas, bens] = assets;
        [(annas, anna), (bens, ben)]
    }

    /// That no client has given up.
    fn check(&mut self) {
        if let Some(client) = self.clients.try_join_next() {
            client.unwrap();
        }
    }
}

impl Assets {
    async fn of(api: &str, tenant: &Tenant) -> Self {
        let make = async |visibility: &str| {
            let more = json!({"visibility": visibility});
            let asset = ready(api, tenant.2, "a.jpg", &picture(500, 9), more).await;
            asset["assetId"].as_str().unwrap().to_owned()
        };
        Self { public: make("PUBLIC").await, private: make("PRIVATE").await, patched: make("PUBLIC").await }
    }
}

impl Client {
    async fn uploads(self) {
        let mut filler = 0_u8;
        while self.goes_on().await {
            filler = filler.wrapping_add(1);
            let wanted = json!({"filename": "up.jpg", "contentType": "image/jpeg", "sizeBytes": 500});
            let ticket = self.post("ticket", &[201, 503], "/media/v1/uploads", wanted).await;
            if ticket.status == 503 {
                continue;
            }
            let ticket = ticket.json();
            assert_eq!(put(&ticket, picture(500, filler)).await.status, 200);
            let id = ticket["assetId"].as_str().unwrap().to_owned();
            let finalizing = finalize(&self.shared.api, self.own.2, &id);
            let finalized = self.ask("finalize", &[200, 503], finalizing).await;
            let mut ledger = self.ledger().lock().unwrap();
            if finalized.status == 200 {
                assert_eq!(finalized.json()["status"], "READY");
                ledger.ready.push((id, filler));
            } else {
                ledger.sent.push((id, filler));
            }
        }
    }

    async fn patches(self) {
        let url = format!("{}/media/v1/assets/{}", self.shared.api, self.own_assets().patched);
        for number in 1.. {
            if !self.goes_on().await {
                break;
            }
            self.ledger().lock().unwrap().patched.1 = number;
            let body = json!({"metadata": {"n": number}});
            let patched = self.ask("patch", &[200, 503], patch(&url, self.own.2, body)).await;
            if patched.status == 200 {
                assert_eq!(patched.json()["metadata"]["n"], number);
                self.ledger().lock().unwrap().patched.0 = number;
            }
        }
    }

    /// Reads what the node knows, and asks for what it must not have.
    async fn reads(self) {
        let Assets { public, private, .. } = self.own_assets();
        let foreign = &self.shared.assets[1 - self.number].private;
        while self.goes_on().await {
            for (id, key) in [(public, None), (private, Some(self.own.2))] {
                let permalink = self.permalink("permalink", &[302], id, key).await;
                self.assert_own(permalink.header("location"), id);
            }
            self.permalink("foreign", &[404, 503], foreign, Some(self.own.2)).await;

            let body = json!({"ids": [public, private, foreign]});
            let links = self.post("links", &[200], "/media/v1/links", body).await.json();
            self.assert_own(links["links"][0]["link"].as_str().unwrap(), public);
            self.assert_own(links["links"][1]["link"].as_str().unwrap(), private);
            assert_eq!(links["links"][2], json!({"id": foreign, "reason": "foreign"}));

            let body = json!({"a": [public, {"b": private}], "c": foreign});
            let document = self.post("document", &[200], "/media/v1/documents", body).await.json();
            self.assert_own(document["a"][0].as_str().unwrap(), public);
            self.assert_own(document["a"][1]["b"].as_str().unwrap(), private);
            assert_eq!(document["c"], json!(foreign));
        }
    }

    async fn permalink(&self, kind: &'static str, good: &[u16], id: &str, key: Option<&str>) -> Answer {
        let url = format!("{}/m/{id}", self.shared.api);
        let headers: Vec<_> = key.into_iter().map(|key| ("authorization", key)).collect();
        self.ask(kind, good, get(&url, &headers)).await
    }

    async fn post(&self, kind: &'static str, good: &[u16], path: &str, body: Value) -> Answer {
        let url = format!("{}{path}", self.shared.api);
        self.ask(kind, good, post(&url, self.own.2, body)).await
    }

    /// Sends a request and judges its answer.
    async fn ask(&self, kind: &'static str, good: &[u16], request: impl Future<Output = Answer>) -> Answer {
        let (phase, began) = (self.shared.watch.lock().unwrap().phase, Instant::now());
        let answer = request.await;
        let took = began.elapsed();
        assert!(took < LONGEST, "{kind}: {took:?}");
        assert!(good.contains(&answer.status), "{kind}: {} {}", answer.status, answer.text());
        if answer.status == 503 {
            answer.assert_problem(503, "store-unavailable");
            assert!(answer.header("retry-after").parse::<u32>().is_ok(), "{kind}: {:?}", answer.headers);
        }
        let (text, location) = (answer.text(), answer.header("location"));
        for theirs in [format!("/{}/", self.other.1), format!("{}/", self.other.0)] {
            assert!(!text.contains(&theirs) && !location.contains(&theirs), "{kind}: {location} {text}");
        }
        let mut watch = self.shared.watch.lock().unwrap();
        if watch.phase == phase {
            *watch.seen[self.number]
                .entry((kind, answer.status, answer.header("signet-stale") == "true"))
                .or_default() += 1;
            watch.slowest = watch.slowest.max(took);
        }
        drop(watch);
        answer
    }

    fn assert_own(&self, link: &str, id: &str) {
        let own = link.contains(&format!("/{}/", self.own.1)) && link.contains(&format!("/{id}/"));
        assert!(own && link.contains("Signature="), "{link} of {id}");
    }

    async fn goes_on(&self) -> bool {
        tokio::time::sleep(REST).await;
        !self.shared.stop.load(Ordering::SeqCst)
    }

    fn own_assets(&self) -> &Assets {
        &self.shared.assets[self.number]
    }

    fn ledger(&self) -> &Mutex<Ledger> {
        &self.shared.ledgers[self.number]
    }
}
