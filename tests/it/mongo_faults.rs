//! What happens when MongoDB goes away: a clean error within the limits, and service again when it is back.
#![allow(clippy::print_stdout, reason = "measured times are shown by --nocapture")]

use std::collections::HashSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use mongodb::bson::doc;
use serde_json::Value;
use signet::media::{Asset, Quota, Tally};
use signet::service::ports::{AssetStore, InsertTerms, Inserted, NoMeter, StoreError};
use signet::store::mongo::MongoOptions;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::contract::{fresh_tenant, insert, pending};
use crate::support::Node;
use crate::support::http::get_as;
use crate::support::mongo::{MongoServer, Stand};

/// How long coming back may take.
const RECOVERY: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_is_an_error_within_the_limits_and_service_again_once_it_is_back() {
    let folder = TempDir::new().unwrap();
    let server = MongoServer::durable(folder.path(), 0);
    let stand = Stand::on(&server.uri(), MongoOptions::default(), Arc::new(NoMeter)).await;
    let tenant = fresh_tenant();
    stand.put_tenant(&tenant).await;
    let asset = pending(&tenant, 1);
    assert!(insert(&stand.mongo, &asset).await);

    let port = server.kill();
    let began = Instant::now();
    let ids = [asset.id];
    let (own, ids) =
        tokio::join!(AssetStore::find(&stand.mongo, &tenant, asset.id), stand.mongo.existing(&ids));
    for error in [own.unwrap_err(), ids.unwrap_err()] {
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    }
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    let began = Instant::now();
    stand.mongo.existing(&[asset.id]).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(4), "the ping's limit: {:?}", began.elapsed());

    let _server = MongoServer::durable(folder.path(), port);
    found_again(&stand, &asset).await;
    assert_eq!(stand.mongo.existing(&[asset.id]).await.unwrap(), [asset.id]);
}

/// A server that takes connections and answers nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_stands_still_holds_nobody_for_longer_than_the_limits() {
    let server = MongoServer::fresh();
    let second = Duration::from_secs(1);
    let options = MongoOptions {
        server_selection: second,
        connect: second,
        wait_queue: second / 2,
        max_time: second,
        heartbeat: second / 2,
        ..MongoOptions::default()
    };
    let (stand, asset) = stocked(&server, options).await;
    let tenant = asset.tenant.clone();

    server.signal("STOP");
    let began = Instant::now();
    let answers = join_all((0..50).map(|_| stand.mongo.usage(&tenant))).await;
    let took = began.elapsed();
    let errors: Vec<String> = answers.into_iter().map(|answer| answer.unwrap_err().to_string()).collect();
    let waited = errors.iter().filter(|error| error.contains("no connection to MongoDB became free")).count();
    assert!((40..50).contains(&waited), "those who had no turn waited for one: {errors:?}");
    assert!(took < Duration::from_secs(6), "{took:?}");
    let began = Instant::now();
    insert_fails(&stand, &tenant).await;
    assert!(began.elapsed() < Duration::from_secs(6), "an insert has a limit too: {:?}", began.elapsed());

    server.signal("CONT");
    let back = found_again(&stand, &asset).await;
    // No answer that came late is taken for another one's.
    let others: Vec<_> = (2..20).map(|number| pending(&tenant, number)).collect();
    for other in &others {
        insert_at_last(&stand, other).await;
    }
    for other in &others {
        let found = loop {
            match AssetStore::find(&stand.mongo, &tenant, other.id).await {
                Ok(found) => break found,
                Err(error) => assert!(back.elapsed() < 2 * RECOVERY, "{error}"),
            }
        };
        assert_eq!(found.as_ref(), Some(other));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_plane_is_asked_again_as_soon_as_a_tenants_database_has_answered() {
    let server = MongoServer::fresh();
    let second = Duration::from_secs(1);
    let options = MongoOptions {
        server_selection: second,
        connect: second,
        max_time: second,
        ..MongoOptions::default()
    };
    let (stand, asset) = stocked(&server, options).await;

    server.signal("STOP");
    // The first has the proof of a moment ago; the second's ping fails.
    for _ in 0..2 {
        stand.mongo.existing(&[asset.id]).await.unwrap_err();
    }
    server.signal("CONT");
    found_again(&stand, &asset).await;
    assert_eq!(stand.mongo.existing(&[asset.id]).await.unwrap(), [asset.id]);
}

/// A stand on a server, with an asset in it.
async fn stocked(server: &MongoServer, options: MongoOptions) -> (Stand, Asset) {
    let stand = Stand::on(&server.uri(), options, Arc::new(NoMeter)).await;
    let tenant = fresh_tenant();
    stand.put_tenant(&tenant).await;
    let asset = pending(&tenant, 1);
    insert_at_last(&stand, &asset).await;
    (stand, asset)
}

/// Looks for an asset from now on, until the server that is back has found it. Since when, to go on from there.
async fn found_again(stand: &Stand, asset: &Asset) -> Instant {
    let back = Instant::now();
    while !matches!(AssetStore::find(&stand.mongo, &asset.tenant, asset.id).await, Ok(Some(_))) {
        assert!(back.elapsed() < RECOVERY, "it doesn't come back");
    }
    println!("found again {:?} after the server was back", back.elapsed());
    back
}

/// Puts an asset in while the server is there. The limits are short: on a machine under load one may run out, and
/// then nobody knows whether it is in.
async fn insert_at_last(stand: &Stand, asset: &Asset) {
    let terms = InsertTerms { call: None, quota: Quota::NONE, now: asset.created_at };
    let began = Instant::now();
    while let Err(error) = stand.mongo.insert(asset, &terms).await {
        assert!(began.elapsed() < RECOVERY, "{error}");
    }
}

async fn insert_fails(stand: &Stand, tenant: &signet::media::TenantId) {
    let asset = pending(tenant, 5);
    let terms = InsertTerms { call: None, quota: Quota::NONE, now: asset.created_at };
    let error = stand.mongo.insert(&asset, &terms).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_answered_outlives_a_kill_under_writes_and_usage_is_exact() {
    let folder = TempDir::new().unwrap();
    let mut server = MongoServer::durable(folder.path(), 0);
    let options = MongoOptions { server_selection: Duration::from_secs(1), ..MongoOptions::default() };
    let stand = Arc::new(Stand::on(&server.uri(), options, Arc::new(NoMeter)).await);
    let tenant = fresh_tenant();
    stand.put_tenant(&tenant).await;
    let mut answered = HashSet::new();
    for round in 0..3 {
        let stop = Arc::new(AtomicBool::new(false));
        let mut writers = JoinSet::new();
        for _ in 0..4 {
            let (stand, stop, tenant) = (stand.clone(), stop.clone(), tenant.clone());
            writers.spawn(async move {
                let mut done = Vec::new();
                while !stop.load(Ordering::SeqCst) {
                    let asset = pending(&tenant, 1);
                    let terms = InsertTerms { call: None, quota: Quota::NONE, now: asset.created_at };
                    match stand.mongo.insert(&asset, &terms).await {
                        Ok(inserted) => {
                            assert_eq!(inserted, Inserted::New);
                            done.push(asset.id);
                        }
                        // Nobody knows whether it is in.
                        Err(_) => break,
                    }
                }
                done
            });
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
        let port = server.kill();
        stop.store(true, Ordering::SeqCst);
        let done: Vec<_> = writers.join_all().await.into_iter().flatten().collect();
        assert!(!done.is_empty(), "nothing was written in round {round}");
        answered.extend(done);
        server = MongoServer::durable(folder.path(), port);
        let back = Instant::now();
        while stand.mongo.usage(&tenant).await.is_err() {
            assert!(back.elapsed() < RECOVERY, "it doesn't come back");
        }
        let ids: Vec<_> = answered.iter().copied().collect();
        let found = stand.mongo.find_many(&tenant, &ids).await.unwrap();
        assert_eq!(found.len(), ids.len(), "none was lost in round {round}");
        assert_eq!(stand.mongo.existing(&ids).await.unwrap().len(), ids.len());
    }
    // The store counts what is there, with what nobody was told of.
    let assets = stand.collection("media_assets");
    let stored = assets.count_documents(doc! { "groupID": tenant.as_str() }).await.unwrap();
    let usage = stand.mongo.usage(&tenant).await.unwrap();
    assert_eq!(usage.pending, Tally { count: stored, bytes: stored * 10 });
    println!("{} insertions were answered in 3 rounds, {stored} are there", answered.len());
}

/// The whole program.
#[tokio::test(flavor = "multi_thread")]
async fn the_api_answers_503_while_the_cluster_is_away_and_serves_again_by_itself() {
    let (folder, data) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let server = MongoServer::durable(data.path(), 0);
    let client = mongodb::Client::with_uri_str(server.uri()).await.unwrap();
    let groups = client.database("Vivreal").collection("groups");
    groups
        .insert_one(
            doc! { "_id": "g_anna", "key": "anna", "tier": "free", "frozen": "false", "apiKey": "sk_anna" },
        )
        .await
        .unwrap();
    groups
        .insert_one(
            doc! { "_id": "g_ice", "key": "ice", "tier": "free", "frozen": "true", "apiKey": "sk_ice" },
        )
        .await
        .unwrap();
    let settings = serve_settings(folder.path());
    let node = Node::serve(folder.path(), &settings, &[("CLUSTER_URL", &server.uri())]);
    let list = format!("{}/media/v1/assets", node.api);
    let answer = get_as(&list, "sk_anna").await;
    assert_eq!((answer.status, &answer.json()["items"]), (200, &Value::Array(Vec::new())));
    assert_eq!(get_as(&list, "sk_ice").await.status, 403);
    assert_eq!(get_as(&list, "sk_nobody").await.status, 401);

    let port = server.kill();
    let began = Instant::now();
    let answer = get_as(&list, "sk_anna").await;
    assert_eq!((answer.status, answer.json()["status"].as_u64()), (503, Some(503)), "{}", answer.text());
    assert!(!answer.header("retry-after").is_empty());
    assert!(!answer.text().contains("127.0.0.1"), "{}", answer.text());
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    let metrics = get_as(&format!("{}/metrics", node.admin), "").await.text();
    assert!(metrics.contains("signet_store_writable 0"), "{metrics}");
    assert!(metrics.contains("signet_store_pool_clears_total"));

    let _server = MongoServer::durable(data.path(), port);
    let back = Instant::now();
    while get_as(&list, "sk_anna").await.status != 200 {
        assert!(back.elapsed() < RECOVERY, "it doesn't come back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("the API serves again {:?} after the server was back", back.elapsed());
    assert_eq!(node.terminate(), Some(0));
}

fn serve_settings(folder: &std::path::Path) -> String {
    let key = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/rsa.pem");
    let store = folder.join("store");
    fs::create_dir_all(&store).unwrap();
    format!(
        "path = \"vivreal-{{key}}\"\nbucket = \"vivreal-{{key}}\"\n[[signing.keys]]\nid = \"K2JCJMDEHXQW5F\"\n\
         private_key_file = \"{key}\"\n[store]\npath = \"{}\"\nassets = \"mongodb\"\n",
        store.display()
    )
}
