//! While MongoDB answers nothing, links to known assets say within seconds that they may be out of date, and no request
//! for one waits for MongoDB. A MongoDB that is only slow isn't taken for one that is away.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::backed::{Backed, Ground, leave_times, until};
use crate::support::http::{get, get_as, post};
use crate::support::proxy::Wire;
use crate::support::settings::{ANNA, BEN};
use crate::support::upload::{picture, ready};

/// The limits of `config/signet.toml`: those of other tests are shorter.
const LIMITS: [(&str, &str); 6] = [
    ("SIGNET__STORE__MONGODB__SERVER_SELECTION_MS", "5000"),
    ("SIGNET__STORE__MONGODB__CONNECT_MS", "5000"),
    ("SIGNET__STORE__MONGODB__HEARTBEAT_MS", "5000"),
    ("SIGNET__STORE__MONGODB__WAIT_QUEUE_MS", "5000"),
    ("SIGNET__STORE__MONGODB__MAX_TIME_MS", "10000"),
    ("SIGNET__STORE__MONGODB__PING_MS", "2000"),
];
/// By when links are marked: 2 s, and as much for a machine under load.
const MARKED: Duration = Duration::from_secs(4);
/// By when they aren't any more, once MongoDB is back.
const UNMARKED: Duration = Duration::from_secs(8);
/// How long a request for something known may take.
const ANSWERED: Duration = Duration::from_secs(3);
/// How long the state is looked at once it is reached.
const LASTING: Duration = Duration::from_secs(3);

/// What is known to a node.
struct Known {
    public: String,
    private: String,
    slowest: Duration,
}

impl Known {
    /// Two assets, known to a node by all kinds of links.
    async fn to(node: &Backed) -> Self {
        let mut ids = Vec::new();
        for visibility in ["PUBLIC", "PRIVATE"] {
            let more = json!({"visibility": visibility});
            let asset = ready(&node.node.api, ANNA.2, "a.jpg", &picture(100, 1), more).await;
            ids.push(asset["assetId"].as_str().unwrap().to_owned());
        }
        let private = ids.pop().unwrap();
        let mut known = Self { public: ids.pop().unwrap(), private, slowest: Duration::ZERO };
        assert_eq!(known.marked(node).await, [false; 4]);
        known
    }

    /// Whether each kind of link says that it may be out of date: a redirect, one as JSON, a batch, a document.
    async fn marked(&mut self, node: &Backed) -> [bool; 4] {
        let mut marked = [false; 4];
        for (kind, marked) in marked.iter_mut().enumerate() {
            let began = Instant::now();
            let (answer, status) = match kind {
                0 => (get(&node.url(&format!("/m/{}", self.public)), &[]).await, 302),
                1 => (get(&node.url(&format!("/m/{}?format=json", self.public)), &[]).await, 200),
                2 => {
                    let ids = json!({"ids": [self.public, self.private]});
                    (post(&node.url("/media/v1/links"), ANNA.2, ids).await, 200)
                }
                _ => {
                    let document = json!({"a": [self.public, self.private]});
                    (post(&node.url("/media/v1/documents"), ANNA.2, document).await, 200)
                }
            };
            let took = began.elapsed();
            assert!(took < ANSWERED, "{kind}: answered after {took:?}");
            self.slowest = self.slowest.max(took);
            assert_eq!(answer.status, status, "{kind}: {}", answer.text());
            *marked = answer.header("signet-stale") == "true";
        }
        let ready = get(&format!("{}/readyz", node.node.admin), &[]).await;
        assert_eq!(ready.status, 200, "a node goes on answering links: {}", ready.text());
        marked
    }

    /// Asks until all kinds are so, and for a while that they stay so. How long it took.
    async fn until(&mut self, node: &Backed, marked: bool, bound: Duration) -> Duration {
        let began = Instant::now();
        while self.marked(node).await != [marked; 4] {
            let took = began.elapsed();
            assert!(took < bound, "not {marked} after {took:?}: {}", node.node.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let took = began.elapsed();
        assert!(took < bound, "{marked} after {took:?}");
        while began.elapsed() < took + LASTING {
            assert_eq!(self.marked(node).await, [marked; 4], "it doesn't last: {}", node.node.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        took
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn links_are_marked_within_seconds_of_mongodbs_silence_and_no_longer_once_it_is_back() {
    let ground = Ground::new().await;
    let node = ground.node_with(&LIMITS).await;
    let mut known = Known::to(&node).await;
    let mut times = Vec::new();
    for fault in ["stands still", "is cut off", "is reached by a wire that is silent"] {
        known.slowest = Duration::ZERO;
        match fault {
            "stands still" => ground.mongo.signal("STOP"),
            "is cut off" => node.mongo.set(Wire::Cut),
            _ => node.mongo.set(Wire::Silent),
        }
        let marked = known.until(&node, true, MARKED).await;
        if fault == "stands still" {
            ground.mongo.signal("CONT");
        } else {
            node.mongo.set(Wire::Whole);
        }
        let unmarked = known.until(&node, false, UNMARKED).await;
        node.until_feed(true).await;
        times.push(format!(
            "MongoDB {fault}: links marked after {} ms, no longer {} ms after its return, the slowest took {} ms",
            marked.as_millis(),
            unmarked.as_millis(),
            known.slowest.as_millis()
        ));
    }
    // What others change meanwhile is seen afterwards, of tenants as of assets.
    node.mongo.set(Wire::Silent);
    known.until(&node, true, MARKED).await;
    ground.set(ANNA.0, "frozen", "true").await;
    node.mongo.set(Wire::Whole);
    let links = async || post(&node.url("/media/v1/links"), ANNA.2, json!({"ids": [known.public]})).await;
    let frozen = until(async || links().await.status == 403).await;
    assert!(frozen < UNMARKED, "{frozen:?}");
    times.push(format!("a freeze meanwhile: seen {} ms after MongoDB's return", frozen.as_millis()));
    leave_times("silence", &times);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn links_are_marked_within_seconds_of_mongodbs_end() {
    let ground = Ground::new().await;
    let node = ground.node_with(&LIMITS).await;
    let mut known = Known::to(&node).await;
    let Ground { mongo, .. } = ground;
    mongo.kill();
    let marked = known.until(&node, true, MARKED).await;
    // Longer than it takes for a node to be not ready whose requests alone get no connection.
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(15) {
        assert_eq!(known.marked(&node).await, [true; 4]);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    leave_times("end", &[format!("MongoDB ends: links marked after {} ms", marked.as_millis())]);
}

/// Each answer is slow, so that all turns are taken and many wait for one.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_mongodb_that_is_slow_and_busy_is_not_taken_for_one_that_is_away() {
    let ground = Ground::new().await;
    let node = ground.node_with(&LIMITS).await;
    let mut known = Known::to(&node).await;
    assert_eq!(get_as(&node.url("/media/v1/assets"), BEN.2).await.status, 200);
    node.mongo.set(Wire::Slow(Duration::from_millis(600)));
    let until = Instant::now() + Duration::from_secs(8);
    let mut load = JoinSet::new();
    for _ in 0..24 {
        let list = node.url("/media/v1/assets?limit=5");
        load.spawn(async move {
            let mut answered = Vec::new();
            while Instant::now() < until {
                answered.push(get_as(&list, BEN.2).await.status);
            }
            answered
        });
    }
    while Instant::now() < until {
        assert_eq!(known.marked(&node).await, [false; 4], "{}", node.warnings());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let answered: Vec<u16> = load.join_all().await.into_iter().flatten().collect();
    assert!(answered.contains(&200), "it is alive: {answered:?}");
    assert!(answered.contains(&503), "it is busy: {answered:?}");
    assert_eq!(node.metric("signet_stale_answers_total").await, 0);
    assert!(!node.warnings().contains("answers nothing"), "{}", node.warnings());
}
