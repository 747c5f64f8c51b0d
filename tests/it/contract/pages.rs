//! Pages of a list, walked while others insert, change, delete, restore and remove all the time.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rand::RngExt;
use signet::media::{Asset, AssetId, TenantId, Timestamp, Visibility};
use signet::service::ports::{AssetFilter, AssetStore, ListPosition};
use tokio::task::JoinSet;

use super::{PERIODS, fresh_tenant, insert, ready};

type Store = Arc<dyn AssetStore>;

/// Of those that nobody touches, so many share each time.
const ALIKE: u64 = 5;
const STAYING: u64 = 60;

/// All checks, one after the other.
pub async fn all(store: Store) {
    what_was_there_all_the_time_is_on_one_page_exactly(store).await;
}

async fn what_was_there_all_the_time_is_on_one_page_exactly(store: Store) {
    let tenant = fresh_tenant();
    let mut staying = HashSet::new();
    for number in 0..STAYING {
        let asset = ready(&tenant, 10_000 + number / ALIKE);
        assert!(insert(&*store, &asset).await);
        staying.insert(asset.id);
    }
    let (over, turns) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut others = JoinSet::new();
    for _ in 0..3 {
        others.spawn(disturb(store.clone(), tenant.clone(), over.clone(), turns.clone()));
    }
    for (limit, visibility) in [(1, None), (7, None), (200, None), (3, Some(Visibility::Public))] {
        let before = turns.load(Ordering::SeqCst);
        let filter = AssetFilter { visibility, ..AssetFilter::default() };
        let seen = walk(&store, &tenant, &filter, limit, (&turns, before)).await;
        assert!(
            seen.is_sorted_by(|one, next| one > next),
            "newest first, none twice: {limit} {visibility:?}"
        );
        let ids: HashSet<AssetId> = seen.iter().map(|(_, id)| *id).collect();
        let missing = staying.difference(&ids).count();
        assert_eq!(missing, 0, "on no page of {limit}, {visibility:?}");
    }
    over.store(true, Ordering::SeqCst);
    others.join_all().await;
}

/// Reads all pages. The others get a turn between the first two at least.
async fn walk(
    store: &Store,
    tenant: &TenantId,
    filter: &AssetFilter,
    limit: usize,
    (turns, before): (&AtomicUsize, usize),
) -> Vec<(Timestamp, AssetId)> {
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.list(tenant, filter, after, limit).await.unwrap();
        assert!(page.len() <= limit && page.iter().all(|asset| filter.takes(asset)));
        let Some(last) = page.last() else { return seen };
        after = Some(ListPosition { created_at: last.created_at, id: last.id });
        seen.extend(page.iter().map(|asset| (asset.created_at, asset.id)));
        let waiting = Instant::now();
        while turns.load(Ordering::SeqCst) == before {
            assert!(waiting.elapsed() < Duration::from_secs(90), "whoever disturbs has ended");
            tokio::task::yield_now().await;
        }
    }
}

/// Keeps making assets among those that stay, before and after them, and all changes to these.
async fn disturb(store: Store, tenant: TenantId, over: Arc<AtomicBool>, turns: Arc<AtomicUsize>) {
    let now = Timestamp::from_millis(50_000);
    let mut mine: Vec<Asset> = Vec::new();
    while !over.load(Ordering::SeqCst) {
        let created_at = rand::rng().random_range(9_995..10_000 + STAYING / ALIKE + 5);
        let visibility = [Visibility::Public, Visibility::Private][rand::rng().random_range(0..2)];
        let asset = Asset { visibility, ..ready(&tenant, created_at) };
        assert!(insert(&*store, &asset).await);
        mine.push(asset);
        let at = rand::rng().random_range(0..mine.len());
        let before = mine.swap_remove(at);
        let change = rand::rng().random_range(0..4);
        if change == 0 || mine.len() > 20 {
            store.remove(&before).await.unwrap();
        } else {
            let after = match (change, before.deleted_at) {
                (1, None) => before.deleted(&PERIODS, now),
                (_, Some(_)) => before.restored(&PERIODS, now),
                _ => before.touched(now),
            };
            store.update(&after).await.unwrap();
            mine.push(after);
        }
        turns.fetch_add(1, Ordering::SeqCst);
    }
}
