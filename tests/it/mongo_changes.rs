//! What is changed on one node is heard of by the others.
#![allow(clippy::print_stdout, reason = "measured times are shown by --nocapture")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use mongodb::bson::doc;
use signet::service::ports::{AssetStore, Change, ChangeFeed, NoMeter, Update};
use signet::store::mongo::{Feed, MongoOptions};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::contract::{PERIODS, fresh_tenant, insert, ready};
use crate::support::mongo::{MongoServer, Stand};

/// What is heard next; nobody waits for ever.
async fn next(feed: &mut Feed) -> Change {
    timeout(Duration::from_secs(30), feed.next()).await.expect("nothing is heard")
}

/// Listens until a change comes; gives how long that took.
async fn until(feed: &mut Feed, wanted: &Change) -> Duration {
    let began = Instant::now();
    while next(feed).await != *wanted {}
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn assets_and_tenants_are_heard_of_and_usage_is_not_taken_for_a_tenant() {
    let server = MongoServer::fresh();
    let stand = Stand::on(&server.uri(), MongoOptions::default(), Arc::new(NoMeter)).await;
    let other = stand.another_node().await;
    let tenant = fresh_tenant();
    stand.put_tenant(&tenant).await;
    let mut feed = other.feed();
    assert_eq!(next(&mut feed).await, Change::Connected);

    let asset = ready(&tenant, 1);
    assert!(insert(&stand.mongo, &asset).await);
    // What the insertion changed of the group is left out: the asset is the first that is heard of.
    assert_eq!(next(&mut feed).await, Change::Asset(asset.id));
    let deleted = asset.clone().deleted(&PERIODS, asset.created_at);
    assert_eq!(stand.mongo.update(&deleted).await.unwrap(), Update::Done);
    assert_eq!(next(&mut feed).await, Change::Asset(asset.id));
    assert_eq!(stand.mongo.remove(&deleted).await.unwrap(), Update::Done);
    assert_eq!(next(&mut feed).await, Change::Asset(asset.id));

    let of = doc! { "_id": tenant.as_str() };
    stand.groups().update_one(of.clone(), doc! { "$set": { "frozen": "true" } }).await.unwrap();
    assert_eq!(next(&mut feed).await, Change::Tenant(tenant.clone()));
    let began = Instant::now();
    stand.groups().update_one(of, doc! { "$set": { "apiKey": "another" } }).await.unwrap();
    assert_eq!(next(&mut feed).await, Change::Tenant(tenant));
    println!("heard of a change {:?} after it was made", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_break_the_feed_goes_on_where_it_ended() {
    let folder = TempDir::new().unwrap();
    let server = MongoServer::durable(folder.path(), 0);
    let options = MongoOptions { server_selection: Duration::from_secs(1), ..MongoOptions::default() };
    let stand = Stand::on(&server.uri(), options, Arc::new(NoMeter)).await;
    let tenant = fresh_tenant();
    stand.put_tenant(&tenant).await;
    let mut feed = stand.mongo.feed();
    assert_eq!(next(&mut feed).await, Change::Connected);
    let first = ready(&tenant, 1);
    assert!(insert(&stand.mongo, &first).await);
    assert_eq!(next(&mut feed).await, Change::Asset(first.id));

    let port = server.kill();
    let lost = next(&mut feed).await;
    assert!(matches!(lost, Change::Lost | Change::Unresponsive), "{lost:?}");
    let _server = MongoServer::durable(folder.path(), port);
    let second = ready(&tenant, 2);
    let began = Instant::now();
    loop {
        let terms = signet::service::ports::InsertTerms {
            call: None,
            quota: signet::media::Quota::NONE,
            now: second.created_at,
        };
        // The feed isn't connected yet: nobody has asked it to be.
        if stand.mongo.insert(&second, &terms).await.is_ok() {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "it doesn't come back");
    }
    let change = loop {
        match next(&mut feed).await {
            Change::Lost | Change::Unresponsive => {}
            change => break change,
        }
    };
    assert!(matches!(change, Change::Resumed | Change::Connected), "{change:?}");
    if change == Change::Resumed {
        until(&mut feed, &Change::Asset(second.id)).await;
    }
    println!("after the break: {change:?}");
}
