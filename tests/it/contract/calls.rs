//! What every store of assets must do with calls that may be repeated.

use std::sync::Arc;

use signet::media::{Asset, IdempotencyKey, Quota, Tally, Timestamp};
use signet::service::ports::{AssetFilter, AssetStore, InsertTerms, Inserted, NamedCall};
use tokio::task::JoinSet;

use super::{fresh_tenant, pending, ready};

type Store = Arc<dyn AssetStore>;

/// All checks, one after the other.
pub async fn all(store: Store) {
    a_repeated_call_changes_nothing_until_its_time_is_over(store.clone()).await;
    of_racing_calls_one_is_the_first(store).await;
}

fn now() -> Timestamp {
    Timestamp::from_seconds(1_800_000_000)
}

fn call(key: &str, fingerprint: u8, expires_at: Timestamp) -> NamedCall {
    let key = IdempotencyKey::parse(key.as_bytes()).unwrap();
    NamedCall { key, fingerprint: [fingerprint; 32], expires_at }
}

async fn insert_once(store: &Store, asset: &Asset, call: &NamedCall, now: Timestamp) -> Inserted {
    let terms = InsertTerms { call: Some(call.clone()), quota: Quota::NONE, now };
    store.insert(asset, &terms).await.unwrap()
}

fn before(asset: &Asset, fingerprint: u8) -> Inserted {
    Inserted::Before { asset: asset.id, fingerprint: [fingerprint; 32] }
}

async fn a_repeated_call_changes_nothing_until_its_time_is_over(store: Store) {
    let (tenant, other) = (fresh_tenant(), fresh_tenant());
    let (first, second, later) = (ready(&tenant, 1_000), ready(&tenant, 2_000), ready(&tenant, 3_000));
    let (end, last) = (now().plus_seconds(10), now().plus_seconds(20));
    assert_eq!(insert_once(&store, &first, &call("k", 1, end), now()).await, Inserted::New);
    for (fingerprint, now) in [(1, now()), (2, now()), (1, Timestamp::from_millis(end.millis() - 1))] {
        let again = insert_once(&store, &second, &call("k", fingerprint, last), now).await;
        assert_eq!(again, before(&first, 1), "as the first call was");
    }
    assert_eq!(store.find_anywhere(second.id).await.unwrap(), None);
    assert_eq!(store.usage(&tenant).await.unwrap().ready, Tally { count: 1, bytes: 10 });

    // Others have names of their own, those that are alike too.
    let (foreign, alike) = (ready(&other, 1_000), ready(&tenant, 1_000));
    assert_eq!(insert_once(&store, &foreign, &call("k", 1, end), now()).await, Inserted::New);
    assert_eq!(insert_once(&store, &alike, &call("K", 1, end), now()).await, Inserted::New);
    // A call that makes nothing leaves its name free.
    assert_eq!(insert_once(&store, &first, &call("x", 1, end), now()).await, Inserted::Taken);
    let third = pending(&tenant, 4_000);
    assert_eq!(insert_once(&store, &third, &call("x", 1, end), now()).await, Inserted::New);

    assert_eq!(insert_once(&store, &later, &call("k", 3, last), end).await, Inserted::New);
    let again = insert_once(&store, &second, &call("k", 1, last), end).await;
    assert_eq!(again, before(&later, 3));
    assert_eq!(store.find(&tenant, later.id).await.unwrap(), Some(later));
    assert_eq!(store.find(&tenant, first.id).await.unwrap(), Some(first), "what was made stays");
}

async fn of_racing_calls_one_is_the_first(store: Store) {
    for round in 0..4 {
        let tenant = fresh_tenant();
        let mut racers = JoinSet::new();
        for _ in 0..50 {
            let (store, asset) = (store.clone(), pending(&tenant, 1_000 + round));
            let call = call("k", 1, now().plus_seconds(10));
            racers.spawn(async move {
                let inserted = insert_once(&store, &asset, &call, now()).await;
                let id = if let Inserted::Before { asset, .. } = inserted { asset } else { asset.id };
                (inserted == Inserted::New, id)
            });
        }
        let outcomes = racers.join_all().await;
        assert_eq!(outcomes.iter().filter(|(new, _)| *new).count(), 1);
        let listed = store.list(&tenant, &AssetFilter::default(), None, 100).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert!(outcomes.iter().all(|(_, id)| *id == listed[0].id), "all hear of the same one");
    }
}
