//! A tenant that sends all it can, and what another one feels of it, which is left in `target/tmp/fairness.txt`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::{House, LONG, cold};
use crate::support::http::{Answer, get, post};
use crate::support::settings::{ANNA, BEN};

/// How long the other tenant is watched before, and during the flood.
const BEFORE: Duration = Duration::from_millis(1_500);
const DURING: Duration = Duration::from_secs(4);
/// Requests of the flood under way at the same time.
const FLOOD: usize = 16;
/// How much longer half of the other's requests may take, and 99 of 100, in a build without optimisation, on a
/// machine that runs other tests too. Without turns, places and bounds it is seconds.
const MOST: [f64; 2] = [15.0, 25.0];
/// What is never too long, whatever it was before.
const NOISE: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_floods_does_not_slow_another() {
    let house = Arc::new(House::with(
        &[
            ("tenant_per_second", 60),
            ("tenant_burst", 60),
            ("max_tenant_requests", 4),
            ("max_signing_requests", 1_000),
        ],
        &[LONG],
    ));
    let permalink = house.permalink(BEN.2).await;
    let before = watch(&house, &permalink, BEFORE).await;
    let stop = Arc::new(AtomicBool::new(false));
    let floods: Vec<_> =
        (0..FLOOD).map(|client| tokio::spawn(flood(Arc::clone(&house), client, Arc::clone(&stop)))).collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let during = watch(&house, &permalink, DURING).await;
    stop.store(true, Ordering::Relaxed);
    let mut told = BTreeMap::<u16, usize>::new();
    for flood in floods {
        flood.await.unwrap().into_iter().for_each(|status| *told.entry(status).or_default() += 1);
    }
    let mut lines = vec![format!("the flood was answered {told:?}")];
    let mut slow = false;
    for kind in ["permalink", "cold document", "batch"] {
        for (name, share, most) in [("p50", 0.5, MOST[0]), ("p99", 0.99, MOST[1])] {
            let (then, now) = (quantile(&before[kind], share), quantile(&during[kind], share));
            let ratio = now.as_secs_f64() / then.as_secs_f64();
            let (then_ms, now_ms) = (then.as_secs_f64() * 1e3, now.as_secs_f64() * 1e3);
            let count = during[kind].len();
            lines.push(format!(
                "{kind:<14} {name} {ratio:>6.2} ({now_ms:.1} ms ÷ {then_ms:.1} ms, {count} requests)"
            ));
            slow |= ratio > most && now > NOISE;
        }
    }
    let text = lines.join("\n");
    std::fs::write(format!("{}/fairness.txt", env!("CARGO_TARGET_TMPDIR")), format!("{text}\n")).unwrap();
    assert!(told.contains_key(&429) && told.contains_key(&200), "{text}");
    assert!(!slow, "{text}");
}

/// One of the flood's clients: cold documents of two thousand links, and batches of a thousand. What it is answered.
async fn flood(house: Arc<House>, client: usize, stop: Arc<AtomicBool>) -> Vec<u16> {
    let (document, batch) = (cold("NAME", 2_000).to_string(), json!({"keys": keys(1_000)}).to_string());
    let mut told = Vec::new();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let (path, body) = if number % 3 == 0 { ("links", &batch) } else { ("documents", &document) };
        let body = body.replace("NAME", &format!("flood-{client}-{number}"));
        let answer = post(&house.url(&format!("/media/v1/{path}")), ANNA.2, body).await;
        told.push(answer.status);
        match answer.status {
            200 => {}
            429 | 503 => {
                assert!(answer.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0));
                // Not as long as it is told: but what its own client takes of the machine isn't what is measured.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            other => panic!("{other}: {}", answer.text()),
        }
    }
    told
}

fn keys(count: usize) -> Vec<String> {
    (0..count).map(|key| format!("NAME/{key}.jpg")).collect()
}

/// How long each of the other tenant's requests takes, by what they are, on a thread of its own. All are answered.
async fn watch(house: &Arc<House>, permalink: &str, time: Duration) -> BTreeMap<&'static str, Vec<Duration>> {
    let (house, permalink) = (Arc::clone(house), permalink.to_owned());
    let watched = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(look(&house, &permalink, time))
    });
    tokio::task::spawn_blocking(|| watched.join().unwrap()).await.unwrap()
}

async fn look(house: &House, permalink: &str, time: Duration) -> BTreeMap<&'static str, Vec<Duration>> {
    let (began, mut seen) = (Instant::now(), BTreeMap::<_, Vec<_>>::new());
    let mut note = |kind, began: Instant, answer: Answer, status| {
        assert_eq!(answer.status, status, "{kind}: {}", answer.text());
        seen.entry(kind).or_default().push(began.elapsed());
    };
    for number in 0.. {
        if began.elapsed() > time {
            break;
        }
        let asked = Instant::now();
        note("permalink", asked, get(permalink, &[]).await, 302);
        let name = format!("ben-{}-{number}", time.as_millis());
        let asked = Instant::now();
        note("cold document", asked, house.document(BEN.2, &cold(&name, 5)).await, 200);
        let keys = json!({"keys": ["a.jpg", "b.jpg"]});
        let asked = Instant::now();
        note("batch", asked, post(&house.url("/media/v1/links"), BEN.2, keys).await, 200);
        // Within what the tenant may ask.
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    seen
}

fn quantile(times: &[Duration], share: f64) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times[((times.len() - 1) as f64 * share).round() as usize]
}
