//! Many at one cluster: a tenant's writes are made together, and no tenant keeps others waiting.
#![allow(clippy::print_stdout, reason = "measured times are shown by --nocapture")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use mongodb::bson::doc;
use mongodb::event::command::CommandStartedEvent;
use signet::media::{Asset, Quota, Tally, TenantId};
use signet::service::ports::{AssetFilter, AssetStore, InsertTerms, Inserted, NoMeter, StoreError, Update};
use signet::store::mongo::{Mongo, MongoOptions};
use tokio::task::JoinSet;

use crate::contract::{PERIODS, fresh_tenant, insert, pending};
use crate::support::mongo::{Stand, shared};
use crate::support::proxy::Proxy;

/// Puts assets in at once, and says what came of each.
async fn insert_all(stores: &[&Mongo], assets: &[Asset], quota: Quota) -> Vec<Result<Inserted, StoreError>> {
    let inserting = assets.iter().enumerate().map(|(number, asset)| async move {
        let terms = InsertTerms { call: None, quota, now: asset.created_at };
        stores[number % stores.len()].insert(asset, &terms).await
    });
    join_all(inserting).await
}

fn commits(stand: &Stand) -> usize {
    stand.commands.take().iter().filter(|command| command.command_name == "commitTransaction").count()
}

async fn tenant_of(stand: &Stand) -> TenantId {
    let tenant = fresh_tenant();
    stand.put_tenant(&tenant).await;
    tenant
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_of_a_tenant_that_come_together_are_made_together() {
    let stand = Stand::shared().await;
    let tenant = tenant_of(&stand).await;
    assert!(insert(&stand.mongo, &pending(&tenant, 1)).await);
    stand.commands.take();
    let assets: Vec<Asset> = (1..=64).map(|number| pending(&tenant, number)).collect();
    let began = Instant::now();
    let inserted = insert_all(&[&stand.mongo], &assets, Quota::NONE).await;
    println!("64 insertions took {:?}", began.elapsed());
    assert!(inserted.into_iter().all(|inserted| inserted.unwrap() == Inserted::New));
    // One for the first, one for most others.
    let inserting = commits(&stand);
    assert!(inserting <= 8, "{inserting} transactions for 64 insertions");

    let now = assets[63].created_at;
    let ready: Vec<Asset> = assets.iter().map(|asset| asset.clone().ready(None, now).unwrap()).collect();
    let began = Instant::now();
    let updated = join_all(ready.iter().map(|asset| stand.mongo.update(asset))).await;
    println!("64 updates took {:?}", began.elapsed());
    assert!(updated.into_iter().all(|updated| updated.unwrap() == Update::Done));
    let updating = commits(&stand);
    assert!(updating <= 24, "{updating} transactions for 64 updates, each of which is read first");

    let removed = join_all(ready.iter().map(|asset| stand.mongo.remove(asset))).await;
    assert!(removed.into_iter().all(|removed| removed.unwrap() == Update::Done));
    let usage = stand.mongo.usage(&tenant).await.unwrap();
    assert_eq!((usage.ready, usage.pending), (Tally::default(), Tally { count: 1, bytes: 10 }));
    let group = stand.groups().find_one(doc! { "_id": tenant.as_str() }).await.unwrap().unwrap();
    let kept = group.get_document("mediaUsage").unwrap();
    assert_eq!((kept.get_i64("count").unwrap(), kept.get_i64("bytes").unwrap()), (0, 0));
    let rows = stand.client.database(&stand.control).collection::<mongodb::bson::Document>("media_ids");
    assert_eq!(rows.count_documents(doc! {}).await.unwrap(), 1, "the rows went with their assets");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_write_comes_to_what_it_would_alone() {
    let stand = Stand::shared().await;
    let tenant = tenant_of(&stand).await;
    let mongo = &stand.mongo;
    let there: Vec<Asset> = (1..=20).map(|number| pending(&tenant, number)).collect();
    for asset in &there {
        assert!(insert(mongo, asset).await);
    }
    // Ten whose ids are taken, among forty new ones.
    let new: Vec<Asset> = (21..=60).map(|number| pending(&tenant, number)).collect();
    let mixed: Vec<Asset> = new
        .chunks(4)
        .zip(&there)
        .flat_map(|(new, there)| [new, std::slice::from_ref(there)].concat())
        .collect();
    let inserted = insert_all(&[mongo], &mixed, Quota::NONE).await;
    for (asset, inserted) in mixed.iter().zip(inserted) {
        let expected = if there.contains(asset) { Inserted::Taken } else { Inserted::New };
        assert_eq!(inserted.unwrap(), expected);
    }
    assert_eq!(mongo.usage(&tenant).await.unwrap().pending, Tally { count: 60, bytes: 600 });

    // Of changes to one revision, one is made; those of other assets aren't held up by the rest.
    let now = there[19].created_at;
    let first = there[0].clone().ready(None, now).unwrap();
    let others = there[1..].iter().map(|asset| asset.clone().expired(&PERIODS, now).unwrap());
    let changes: Vec<Asset> = std::iter::repeat_n(first, 16).chain(others).collect();
    let updated = join_all(changes.iter().map(|asset| mongo.update(asset))).await;
    let done: Vec<bool> = updated.into_iter().map(|updated| updated.unwrap() == Update::Done).collect();
    assert_eq!(done[..16].iter().filter(|done| **done).count(), 1);
    assert!(done[16..].iter().all(|done| *done));
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_that_come_together_are_one_query_and_a_broken_record_fails_alone() {
    let stand = Stand::shared().await;
    let tenant = tenant_of(&stand).await;
    let assets: Vec<Asset> = (1..=64).map(|number| pending(&tenant, number)).collect();
    let inserted = insert_all(&[&stand.mongo], &assets, Quota::NONE).await;
    assert!(inserted.into_iter().all(|inserted| inserted.unwrap() == Inserted::New));
    let find_all =
        async || join_all(assets.iter().map(|asset| AssetStore::find(&stand.mongo, &tenant, asset.id))).await;
    stand.commands.take();
    for (found, asset) in find_all().await.into_iter().zip(&assets) {
        assert_eq!(found.unwrap().as_ref(), Some(asset));
    }
    let is_find = |command: &CommandStartedEvent| {
        command.command_name == "find"
            && command.command.get_str("find").is_ok_and(|name| name == "media_assets")
    };
    let queries = stand.commands.take().iter().filter(|command| is_find(command)).count();
    assert!(queries <= 8, "{queries} queries for 64 assets");

    let broken = doc! { "$set": { "revision": "x" } };
    let id = doc! { "_id": assets[7].id.to_string() };
    stand.collection("media_assets").update_one(id, broken).await.unwrap();
    for (number, found) in find_all().await.into_iter().enumerate() {
        match found {
            Ok(found) => assert!(number != 7 && found.as_ref() == Some(&assets[number])),
            Err(error) => {
                assert!(number == 7 && matches!(error, StoreError::Corrupt(_)), "{number}: {error}")
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_is_exact_however_many_ask_on_two_nodes() {
    let stand = Stand::shared().await;
    let other = stand.another_node().await;
    let tenant = tenant_of(&stand).await;
    let quota = Quota { count: Some(37), bytes: None };
    let assets: Vec<Asset> = (1..=100).map(|number| pending(&tenant, number)).collect();
    let inserted = insert_all(&[&stand.mongo, &other], &assets, quota).await;
    let mut new = 0;
    for inserted in inserted {
        match inserted.unwrap() {
            Inserted::New => new += 1,
            Inserted::OverQuota(usage) => assert!(usage.pending.count <= 37, "{usage:?}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(new, 37);
    assert_eq!(stand.mongo.usage(&tenant).await.unwrap().pending, Tally { count: 37, bytes: 370 });
}

#[tokio::test(flavor = "multi_thread")]
async fn removals_make_no_room_while_a_tenant_is_over_its_quota() {
    let wire = Proxy::to(shared().trim_start_matches("mongodb://").to_owned()).await;
    let uri = format!("mongodb://{}/?directConnection=true", wire.address);
    // So many connections that reads of the tenant go on beside the write that is kept back.
    let options = MongoOptions { pool_size: 5, ..MongoOptions::default() };
    let stand = Stand::on(&uri, options, Arc::new(NoMeter)).await;
    let tenant = tenant_of(&stand).await;
    let there: Vec<Asset> = (1..=20).map(|number| pending(&tenant, number)).collect();
    let inserted = insert_all(&[&stand.mongo], &there, Quota::NONE).await;
    assert!(inserted.into_iter().all(|inserted| inserted.unwrap() == Inserted::New));
    stand.commands.take();

    wire.keep_back("commitTransaction");
    let (mongo, first) = (stand.mongo.clone(), pending(&tenant, 21));
    let first = tokio::spawn(async move { insert(&mongo, &first).await });
    wire.kept_back().await;
    // As many come as go: made together, they cancel each other out.
    let new: Vec<Asset> = (22..=29).map(|number| pending(&tenant, number)).collect();
    let (stores, quota) = ([&stand.mongo], Quota { count: Some(3), bytes: None });
    let (inserted, removed, ()) = tokio::join!(
        insert_all(&stores, &new, quota),
        join_all(there[..8].iter().map(|asset| stand.mongo.remove(asset))),
        async {
            // Each removal has read its asset by then, and waits.
            tokio::time::sleep(Duration::from_secs(1)).await;
            wire.let_through();
        }
    );
    assert!(first.await.unwrap());
    for inserted in inserted {
        assert!(matches!(inserted.unwrap(), Inserted::OverQuota(_)));
    }
    assert!(removed.into_iter().all(|removed| removed.unwrap() == Update::Done));
    assert_eq!(stand.mongo.usage(&tenant).await.unwrap().pending.count, 13);
    // Otherwise nothing was proven.
    let mixed = stand
        .commands
        .take()
        .iter()
        .any(|command| command.command.get_array("deletes").is_ok_and(|deletes| deletes.len() == 8));
    assert!(mixed, "the removals weren't made together");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_of_one_tenant_do_not_keep_another_one_s_writes_waiting() {
    let stand = Arc::new(Stand::shared().await);
    let (greedy, other) = (tenant_of(&stand).await, tenant_of(&stand).await);
    let assets: Vec<Asset> = (1..=100).map(|number| pending(&greedy, number)).collect();
    let inserted = insert_all(&[&stand.mongo], &assets, Quota::NONE).await;
    assert!(inserted.into_iter().all(|inserted| inserted.unwrap() == Inserted::New));
    assert!(insert(&stand.mongo, &pending(&other, 1)).await);
    let (over, lists) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut listing = JoinSet::new();
    for _ in 0..64 {
        let (stand, greedy, over, lists) = (stand.clone(), greedy.clone(), over.clone(), lists.clone());
        listing.spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let page = stand.mongo.list(&greedy, &AssetFilter::default(), None, 100).await;
                // On a machine under load some wait too long: that is theirs to bear.
                lists.fetch_add(usize::from(page.is_ok()), Ordering::Relaxed);
            }
        });
    }
    while lists.load(Ordering::Relaxed) < 64 {
        tokio::task::yield_now().await;
    }
    let before = lists.load(Ordering::Relaxed);
    let began = Instant::now();
    for number in 2..=6 {
        assert!(insert(&stand.mongo, &pending(&other, number)).await);
    }
    let (took, meanwhile) = (began.elapsed(), lists.load(Ordering::Relaxed) - before);
    over.store(true, Ordering::Relaxed);
    listing.join_all().await;
    println!("five insertions took {took:?}, beside {meanwhile} lists of the other tenant");
    // Each operation waits for one list at most, beside those that run at the same time. One queue for all let 64 go
    // before each.
    assert!(meanwhile <= 5 * 16, "{meanwhile} lists went before five insertions");
}
