//! A node whose requests get no connection to MongoDB isn't ready, though its change stream has one.

use std::time::{Duration, Instant};

use crate::support::backed::{Backed, Ground, until};
use crate::support::http::{get, get_as};
use crate::support::proxy::Wire;
use crate::support::settings::ANNA;

async fn ready(node: &Backed) -> (u16, String) {
    let answer = get(&format!("{}/readyz", node.node.admin), &[]).await;
    (answer.status, answer.text())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn experiment() {
    let most: usize = std::env::var("MOST").unwrap().parse().unwrap();
    let ground = Ground::new().await;
    let node = ground.node_with(&[]).await;
    let began = Instant::now();
    node.mongo.set(Wire::Cut);
    tokio::time::sleep(Duration::from_secs(1)).await;
    node.mongo.limit(most);
    node.mongo.set(Wire::Whole);
    let mut last = String::new();
    while began.elapsed() < Duration::from_secs(40) {
        let (status, word) = ready(&node).await;
        let feed = node.metric("signet_store_feed_connected").await;
        let asked = Instant::now();
        let list = get_as(&node.url("/media/v1/assets"), ANNA.2).await.status;
        let now = format!("{status} {} feed {feed} writable {} list {list}", word.trim(), node.metric("signet_store_writable").await);
        if now != last {
            println!("{:?} {now} (list took {:?})", began.elapsed(), asked.elapsed());
            last = now;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    node.mongo.limit(usize::MAX);
    println!("back {:?}", until(async || ready(&node).await.0 == 200).await);
    println!("back {:?}", until(async || get_as(&node.url("/media/v1/assets"), ANNA.2).await.status == 200).await);
    println!("{}", node.node.log());
}
