//! What every store of assets must do with quotas.

use std::sync::Arc;

use signet::media::{Asset, Quota, Tally, Timestamp, Usage};
use signet::service::ports::{AssetStore, InsertTerms, Inserted, Update};
use tokio::task::JoinSet;

use super::{PERIODS, fresh_tenant, pending, ready};

type Store = Arc<dyn AssetStore>;

/// All checks, one after the other.
pub async fn all(store: Store) {
    what_does_not_fit_is_not_put_in(store.clone()).await;
    racing_tickets_never_pass_the_quota(store).await;
}

async fn insert(store: &Store, asset: &Asset, count: Option<u64>, bytes: Option<u64>) -> Inserted {
    let terms = InsertTerms { call: None, quota: Quota { count, bytes }, now: now() };
    store.insert(asset, &terms).await.unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_seconds(1_800_000_000)
}

async fn what_does_not_fit_is_not_put_in(store: Store) {
    let (tenant, other) = (fresh_tenant(), fresh_tenant());
    let (first, second, third) = (ready(&tenant, 1), pending(&tenant, 2), pending(&tenant, 3));
    assert_eq!(insert(&store, &first, Some(2), Some(20)).await, Inserted::New);
    assert_eq!(insert(&store, &second, Some(2), Some(20)).await, Inserted::New);
    let usage = Usage { ready: Tally { count: 1, bytes: 10 }, pending: Tally { count: 1, bytes: 10 } };
    for (count, bytes) in [(Some(2), None), (None, Some(29))] {
        assert_eq!(insert(&store, &third, count, bytes).await, Inserted::OverQuota(usage));
    }
    assert_eq!(store.find(&tenant, third.id).await.unwrap(), None);
    assert_eq!(store.usage(&tenant).await.unwrap(), usage);
    assert_eq!(insert(&store, &pending(&other, 1), Some(1), Some(10)).await, Inserted::New, "another's room");

    // What is deleted makes room, and so does a ticket that was swept.
    assert_eq!(store.update(&first.deleted(&PERIODS, now())).await.unwrap(), Update::Done);
    assert_eq!(insert(&store, &third, Some(2), Some(20)).await, Inserted::New);
    assert_eq!(store.update(&second.expired(&PERIODS, now()).unwrap()).await.unwrap(), Update::Done);
    assert_eq!(insert(&store, &pending(&tenant, 4), Some(2), Some(20)).await, Inserted::New);
    assert_eq!(store.usage(&tenant).await.unwrap().pending, Tally { count: 2, bytes: 20 });
}

async fn racing_tickets_never_pass_the_quota(store: Store) {
    let tenant = fresh_tenant();
    let mut racers = JoinSet::new();
    for number in 0..40 {
        let (store, asset) = (store.clone(), pending(&tenant, number));
        racers.spawn(async move { insert(&store, &asset, Some(7), None).await });
    }
    let new = racers.join_all().await.into_iter().filter(|inserted| *inserted == Inserted::New).count();
    assert_eq!(new, 7);
    assert_eq!(store.usage(&tenant).await.unwrap().pending, Tally { count: 7, bytes: 70 });
}
