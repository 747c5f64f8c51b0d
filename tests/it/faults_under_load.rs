//! MongoDB and S3 are cut off and stand still in the middle of load: nothing that was acknowledged is lost, nobody
//! gets another's media, every answer has an end, and all is well again by itself.

use std::time::Duration;

use serde_json::json;

use crate::support::backed::{Backed, Ground, RECOVERY, leave_times};
use crate::support::http::{get, get_as};
use crate::support::load::{Assets, Ledger, Load, Seen};
use crate::support::proxy::Wire;
use crate::support::settings::{ANNA, BEN, Tenant};
use crate::support::upload::{finalize, picture};

/// How long it is well under load before each fault; half as long the fault goes on once all was seen of it.
const LOADED: Duration = Duration::from_secs(1);
/// What is seen while both stores are there.
const WELL: [Seen; 6] = [
    ("ticket", 201, false),
    ("finalize", 200, false),
    ("patch", 200, false),
    ("permalink", 302, false),
    ("links", 200, false),
    ("document", 200, false),
];
/// What is seen while MongoDB is away, sooner or later.
const NO_MONGO: [Seen; 5] = [
    ("ticket", 503, false),
    ("patch", 503, false),
    ("permalink", 302, true),
    ("links", 200, true),
    ("document", 200, true),
];
/// What is seen while S3 is away.
const NO_S3: [Seen; 6] = [
    ("ticket", 201, false),
    ("finalize", 503, false),
    ("patch", 200, false),
    ("permalink", 302, false),
    ("links", 200, false),
    ("document", 200, false),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mongodb_and_s3_come_and_go_under_load_and_nothing_acknowledged_is_lost() {
    let ground = Ground::new().await;
    let backed = ground.node().await;
    let mut load = Load::start(&backed.node.api).await;
    load.until_seen(&WELL, RECOVERY).await;
    let mut times = Vec::new();
    for (server, wire, symptoms) in
        [("MongoDB", &backed.mongo, NO_MONGO.as_slice()), ("S3", &backed.s3, NO_S3.as_slice())]
    {
        for state in [Wire::Cut, Wire::Silent] {
            tokio::time::sleep(LOADED).await;
            wire.set(state);
            load.next_phase();
            load.until_seen(symptoms, RECOVERY).await;
            tokio::time::sleep(LOADED / 2).await;
            let (slowest, seen) = (load.slowest(), load.seen());
            if server == "S3" {
                let mut kinds = seen.iter().flat_map(|seen| seen.keys());
                let other = kinds.find(|(kind, status, _)| *kind != "finalize" && *status == 503);
                assert_eq!(other, None, "only finalize needs S3: {seen:?} {}", backed.warnings());
            }

            wire.set(Wire::Whole);
            load.next_phase();
            let took = load.until_seen(&WELL, RECOVERY).await;
            let heard = backed.until_feed(true).await + took;
            times.push(format!(
                "{server} {state:?}: the slowest answer took {} ms; all well {} ms after its return, changes heard of {} ms",
                slowest.as_millis(),
                took.as_millis(),
                heard.as_millis()
            ));
        }
    }
    let [(annas, anna), (bens, ben)] = load.end().await;
    for (tenant, assets, ledger) in [(&ANNA, annas, anna), (&BEN, bens, ben)] {
        assert_kept(&backed, tenant, &assets, &ledger).await;
        times.push(format!(
            "{}: {} uploads were READY at once, {} after a second finalize; {} changes of metadata were tried",
            tenant.0,
            ledger.ready.len(),
            ledger.sent.len(),
            ledger.patched.1
        ));
    }
    assert_eq!(backed.node.terminate(), Some(0), "the process that was started");
    leave_times("faults-under-load", &times);
}

/// That what a tenant was told holds.
async fn assert_kept(backed: &Backed, tenant: &Tenant, assets: &Assets, ledger: &Ledger) {
    // What was sent on a ticket is there, whatever came of its finalize.
    for (id, _) in &ledger.sent {
        let answer = finalize(&backed.node.api, tenant.2, id).await;
        assert_eq!(answer.status, 200, "{id}: {}", answer.text());
    }
    for (id, filler) in ledger.ready.iter().chain(&ledger.sent) {
        let asset = get_as(&backed.url(&format!("/media/v1/assets/{id}")), tenant.2).await.json();
        assert_eq!(asset["status"], "READY", "{asset}");
        let file = get(asset["url"].as_str().unwrap(), &[]).await;
        assert!(file.status == 200 && file.body == picture(500, *filler), "{asset}");
    }
    let patched = get_as(&backed.url(&format!("/media/v1/assets/{}", assets.patched)), tenant.2).await.json();
    let (acknowledged, tried) = ledger.patched;
    let number = patched["metadata"]["n"].as_u64().unwrap();
    assert!((acknowledged..=tried).contains(&number), "{number} of {acknowledged} and {tried}");
    // No more and no less is counted than what was told of.
    let usage = get_as(&backed.url("/media/v1/usage"), tenant.2).await.json();
    assert_eq!(usage["count"], json!(3 + ledger.ready.len() + ledger.sent.len()), "{usage}");
}
