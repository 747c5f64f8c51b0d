//! What every store of leases must do.

use std::sync::Arc;

use signet::media::Timestamp;
use signet::service::ports::LeaseStore;
use tokio::task::JoinSet;
use ulid::Ulid;

type Store = Arc<dyn LeaseStore>;

/// All checks, one after the other.
pub async fn all(store: Store) {
    a_lease_has_one_holder_until_its_time_is_over(store.clone()).await;
    of_racing_holders_one_gets_it(store).await;
}

fn at(second: u64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000 + second)
}

async fn a_lease_has_one_holder_until_its_time_is_over(store: Store) {
    let (lease, other) = (Ulid::generate().to_string(), Ulid::generate().to_string());
    let take = async |lease: &str, holder: &str, now, until| {
        store.take(lease, holder, at(now), at(until)).await.unwrap()
    };
    assert!(take(&lease, "a", 0, 10).await);
    assert!(!take(&lease, "b", 9, 19).await);
    assert!(take(&other, "b", 9, 19).await, "another lease");
    assert!(take(&lease, "a", 9, 20).await, "renewed");
    assert!(!take(&lease, "b", 19, 30).await);
    assert!(take(&lease, "b", 20, 30).await, "its time is over");
    assert!(!take(&lease, "a", 21, 40).await);
    store.give_back(&lease, "a").await.unwrap();
    assert!(!take(&lease, "a", 22, 40).await, "it wasn't a's to give back");
    store.give_back(&lease, "b").await.unwrap();
    assert!(take(&lease, "a", 23, 40).await);
}

async fn of_racing_holders_one_gets_it(store: Store) {
    for round in 0..4 {
        let lease = Ulid::generate().to_string();
        let mut racers = JoinSet::new();
        for holder in 0..20 {
            let (store, lease) = (store.clone(), lease.clone());
            racers.spawn(async move {
                store.take(&lease, &holder.to_string(), at(round), at(round + 10)).await.unwrap()
            });
        }
        let taken = racers.join_all().await.into_iter().filter(|taken| *taken).count();
        assert_eq!(taken, 1);
    }
}
