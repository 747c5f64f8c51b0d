//! What is known of assets: asked for once, never older than what was changed here, and there while the store is down.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use signet::media::{Asset, AssetId, Metadata, Quota, TenantId, Timestamp};
use signet::service::asset_cache::{CacheTerms, CachedAssets, Known};
use signet::service::ports::{AssetStore, InsertTerms, Inserted, NoMeter, StoreError, Update};
use signet::store::embedded::Embedded;
use tempfile::{TempDir, tempdir};
use tokio::time::timeout;

use crate::contract::{self, fresh_tenant, insert, ready};
use crate::support::faulty::Faulty;
use crate::support::tokens::{Hand, NOW};

const FRESH: u64 = 60;
const DAY: u64 = 86_400;
/// How long an answer is waited for that the store holds back.
const PATIENCE: Duration = Duration::from_secs(20);

struct House {
    store: Arc<Faulty>,
    clock: Arc<Hand>,
    cached: CachedAssets,
    tenant: TenantId,
    _folder: TempDir,
}

impl House {
    fn new() -> Self {
        Self::with(1 << 20)
    }

    fn with(max_bytes: u64) -> Self {
        let folder = tempdir().unwrap();
        let store = Faulty::new(Arc::new(Embedded::open(folder.path()).unwrap()));
        let clock = Hand::new();
        let terms = CacheTerms {
            max_bytes,
            fresh: Duration::from_secs(FRESH),
            absent: Duration::from_secs(5),
            stale: Duration::from_secs(DAY),
        };
        let cached = CachedAssets::new(store.clone(), clock.clone(), Arc::new(NoMeter), &terms);
        Self { store, clock, cached, tenant: fresh_tenant(), _folder: folder }
    }

    /// An asset in the store of which the cache knows nothing.
    async fn unknown(&self) -> Asset {
        let asset = ready(&self.tenant, NOW * 1_000);
        assert!(insert(&*self.store, &asset).await);
        self.store.asked();
        asset
    }

    /// The revision that is known, and whether that is stale.
    async fn revision(&self, id: AssetId) -> Option<(u64, bool)> {
        let Known { value, stale } = self.cached.look_up(id).await.unwrap();
        value.map(|asset| (asset.revision, stale))
    }

    async fn is_down(&self, id: AssetId) -> bool {
        matches!(self.cached.look_up(id).await, Err(StoreError::Unavailable(_)))
    }
}

fn changed(asset: &Asset) -> Asset {
    asset.clone().touched(Timestamp::from_seconds(NOW))
}

fn terms() -> InsertTerms {
    InsertTerms { call: None, quota: Quota::NONE, now: Timestamp::from_seconds(NOW) }
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract_of_assets() {
    for max_bytes in [0, 10_000, 1 << 20] {
        let house = House::with(max_bytes);
        let cached: Arc<dyn AssetStore> = Arc::new(house.cached);
        contract::assets::all(cached).await;
    }
}

#[tokio::test]
async fn a_known_asset_is_asked_for_once_until_its_time_is_over_or_it_is_forgotten() {
    let house = House::new();
    let id = house.unknown().await.id;
    for after in [0, 1, FRESH - 1] {
        house.clock.set(NOW + after);
        assert_eq!(house.revision(id).await, Some((1, false)));
    }
    assert_eq!(house.store.asked(), 1);
    house.clock.set(NOW + FRESH);
    for _ in 0..2 {
        assert_eq!(house.revision(id).await, Some((1, false)));
    }
    assert_eq!(house.store.asked(), 1);
    let forget: [&dyn Fn(); 3] = [&|| house.cached.forget(id), &|| house.cached.forget_all(), &|| {
        house.cached.set_fresh(Duration::ZERO)
    }];
    for forget in forget {
        forget();
        assert_eq!(house.revision(id).await, Some((1, false)));
        assert_eq!(house.store.asked(), 1);
    }
    house.cached.set_fresh(Duration::from_secs(2 * FRESH));
    house.clock.set(NOW + 2 * FRESH);
    assert_eq!((house.revision(id).await, house.store.asked()), (Some((1, false)), 0));
}

#[tokio::test]
async fn an_id_that_nobody_has_is_remembered_for_five_seconds_or_until_somebody_has_it() {
    let house = House::new();
    let asset = ready(&house.tenant, NOW * 1_000);
    for (second, asked) in [(0, 1), (4, 0), (5, 1), (6, 0)] {
        house.clock.set(NOW + second);
        assert_eq!((house.revision(asset.id).await, house.store.asked()), (None, asked), "second {second}");
    }
    assert_eq!(house.cached.look_up_own(&house.tenant, &[asset.id]).await.unwrap().value, HashMap::new());
    assert!(house.cached.look_up_taken(&[asset.id]).await.unwrap().value.is_empty());
    assert_eq!(house.store.asked(), 0);
    assert!(insert(&house.cached, &asset).await);
    house.store.asked();
    assert_eq!((house.revision(asset.id).await, house.store.asked()), (Some((1, false)), 0));
}

#[tokio::test]
async fn many_at_once_ask_only_for_what_is_not_known() {
    let house = House::new();
    let (known, unknown) = (house.unknown().await, house.unknown().await);
    let foreign = ready(&fresh_tenant(), NOW * 1_000);
    assert!(insert(&*house.store, &foreign).await);
    house.revision(known.id).await.unwrap();
    house.revision(foreign.id).await.unwrap();
    house.store.asked();
    let ids = [known.id, unknown.id, foreign.id, AssetId::generate()];
    for asked in [1, 1] {
        let own = house.cached.look_up_own(&house.tenant, &ids).await.unwrap();
        let mut found: Vec<AssetId> = own.value.into_keys().collect();
        found.sort_by_key(|id| id.to_string());
        let mut expected = vec![known.id, unknown.id];
        expected.sort_by_key(|id| id.to_string());
        assert_eq!((found, own.stale, house.store.asked()), (expected, false, asked));
        // Who isn't the tenant's is known only once that was asked for.
        let taken = house.cached.look_up_taken(&ids[2..]).await.unwrap().value;
        assert_eq!(taken.into_iter().collect::<Vec<_>>(), [foreign.id]);
        if asked == 1 {
            house.store.asked();
        }
        house.cached.look_up_own(&house.tenant, &ids).await.unwrap();
        assert_eq!(house.store.asked(), 0, "now all is known");
        house.cached.forget(unknown.id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_who_ask_for_one_cold_asset_ask_the_store_once() {
    let house = House::new();
    let asset = house.unknown().await;
    let (arrived, release) = house.store.hold_next();
    let asks: Vec<_> = (0..1_000)
        .map(|_| {
            let cached = house.cached.clone();
            tokio::spawn(async move { cached.look_up(asset.id).await.unwrap().value.unwrap().revision })
        })
        .collect();
    arrived.await.unwrap();
    release.add_permits(1);
    for ask in asks {
        assert_eq!(ask.await.unwrap(), 1);
    }
    assert_eq!(house.store.asked(), 1);

    house.store.set_down(true);
    let id = AssetId::generate();
    let (arrived, release) = house.store.hold_next();
    let asks = futures_util::future::join_all((0..1_000).map(|_| house.cached.look_up(id)));
    let (answers, ()) = tokio::join!(asks, async {
        arrived.await.unwrap();
        release.add_permits(1);
    });
    for answer in answers {
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "the error is all of theirs");
    }
    assert_eq!(house.store.asked(), 1);
}

#[tokio::test]
async fn while_the_store_is_unresponsive_nobody_waits_for_it_who_can_be_answered_from_memory() {
    let house = House::new();
    let id = house.unknown().await.id;
    assert_eq!(house.revision(id).await, Some((1, false)));
    house.cached.set_fresh(Duration::ZERO);

    // Who waits already is answered when it becomes known.
    let own = async |house: &House| {
        let own = house.cached.look_up_own(&house.tenant, &[id]).await.unwrap();
        (own.value[&id].revision, own.stale)
    };
    let (arrived, release) = house.store.hold_next();
    let (waited, ()) = tokio::join!(timeout(PATIENCE, house.revision(id)), async {
        arrived.await.unwrap();
        house.cached.set_unresponsive(true);
    });
    assert_eq!(waited.unwrap(), Some((1, true)));
    release.add_permits(1);
    house.cached.set_unresponsive(false);
    let (arrived, release) = house.store.hold_next();
    let (waited, ()) = tokio::join!(timeout(PATIENCE, own(&house)), async {
        arrived.await.unwrap();
        house.cached.set_unresponsive(true);
    });
    assert_eq!(waited.unwrap(), (1, true));
    release.add_permits(1);

    // Who comes later doesn't ask.
    house.store.asked();
    assert_eq!(house.revision(id).await, Some((1, true)));
    assert_eq!(own(&house).await, (1, true));
    let taken = house.cached.look_up_taken(&[id]).await.unwrap();
    assert_eq!((taken.value.contains(&id), taken.stale), (true, true));
    assert_eq!(house.store.asked(), 0);
    let other = house.unknown().await.id;
    assert_eq!(house.revision(other).await, Some((1, false)), "what isn't known is asked for all the same");

    house.cached.set_unresponsive(false);
    assert_eq!((house.revision(id).await, own(&house).await), (Some((1, false)), (1, false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_read_never_takes_the_place_of_a_later_change() {
    // With room for nothing but one entry, with ample room.
    for max_bytes in [2_000, 1 << 20] {
        for many in [false, true] {
            let house = House::with(max_bytes);
            let before = house.unknown().await;
            let (arrived, release) = house.store.hold_next();
            let (cached, tenant, id) = (house.cached.clone(), house.tenant.clone(), before.id);
            let slow = tokio::spawn(async move {
                match many {
                    true => cached.look_up_own(&tenant, &[id]).await.unwrap().value[&id].revision,
                    false => cached.look_up(id).await.unwrap().value.unwrap().revision,
                }
            });
            arrived.await.unwrap();
            assert_eq!(house.cached.update(&changed(&before)).await.unwrap(), Update::Done);
            assert_eq!(house.revision(id).await, Some((2, false)), "who changes it knows it at once");
            release.add_permits(1);
            assert_eq!(slow.await.unwrap(), 1, "who has asked before may see what was before");
            assert_eq!(house.revision(id).await, Some((2, false)));

            // Nor of a removal, nor of what a feed has told.
            house.cached.forget(id);
            let (arrived, release) = house.store.hold_next();
            let (cached, tenant) = (house.cached.clone(), house.tenant.clone());
            let slow = tokio::spawn(async move { cached.look_up_own(&tenant, &[id]).await.unwrap() });
            arrived.await.unwrap();
            let after = changed(&before);
            assert_eq!(house.cached.remove(&after).await.unwrap(), Update::Done);
            release.add_permits(1);
            slow.await.unwrap();
            assert_eq!(house.revision(id).await, None);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn among_many_threads_nobody_sees_less_than_what_was_answered_before() {
    for max_bytes in [0, 3_000, 1 << 20] {
        let house = Arc::new(House::with(max_bytes));
        house.store.set_slow();
        let mut assets = Vec::new();
        for _ in 0..8 {
            assets.push((house.unknown().await, Arc::new(AtomicU64::new(1))));
        }
        let over = Arc::new(AtomicBool::new(false));
        let readers: Vec<_> = (0..8)
            .map(|reader| {
                let (house, assets, over) = (house.clone(), assets.clone(), over.clone());
                tokio::spawn(async move {
                    let mut reads = 0_usize;
                    while !over.load(Ordering::SeqCst) || reads < 100 {
                        let (asset, answered) = &assets[reads % assets.len()];
                        let least = answered.load(Ordering::SeqCst);
                        let seen = if (reads + reader).is_multiple_of(2) {
                            house.cached.look_up(asset.id).await.unwrap().value.unwrap()
                        } else {
                            let own = house.cached.look_up_own(&house.tenant, &[asset.id]).await.unwrap();
                            own.value[&asset.id].clone()
                        };
                        assert!(seen.revision >= least, "{} seen after {least}", seen.revision);
                        reads += 1;
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        let writers: Vec<_> = (0..3)
            .map(|_| {
                let (house, assets) = (house.clone(), assets.clone());
                tokio::spawn(async move {
                    for turn in 0..120 {
                        let (asset, answered) = &assets[turn % assets.len()];
                        let current = house.cached.find(&house.tenant, asset.id).await.unwrap().unwrap();
                        let next = changed(&current);
                        if house.cached.update(&next).await.unwrap() == Update::Done {
                            answered.fetch_max(next.revision, Ordering::SeqCst);
                            let seen = house.cached.look_up(asset.id).await.unwrap().value.unwrap();
                            assert!(seen.revision >= next.revision, "one's own change");
                        }
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        over.store(true, Ordering::SeqCst);
        for reader in readers {
            reader.await.unwrap();
        }
        for (asset, _) in &assets {
            let stored = house.cached.find(&house.tenant, asset.id).await.unwrap().unwrap();
            assert_eq!(house.revision(asset.id).await, Some((stored.revision, false)));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_caller_gives_up_is_known_all_the_same() {
    let house = House::new();
    let before = house.unknown().await;
    house.revision(before.id).await.unwrap();
    let (arrived, release) = house.store.hold_next();
    let cached = house.cached.clone();
    let after = changed(&before);
    let giving_up = tokio::spawn(async move { cached.update(&after).await });
    arrived.await.unwrap();
    giving_up.abort();
    assert!(giving_up.await.unwrap_err().is_cancelled());
    release.add_permits(1);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while house.revision(before.id).await != Some((2, false)) {
        assert!(tokio::time::Instant::now() < deadline, "the change isn't seen");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn after_a_change_of_which_nobody_knows_what_came_the_store_is_asked() {
    let house = House::new();
    let before = house.unknown().await;
    house.revision(before.id).await.unwrap();
    house.store.set_down(true);
    assert!(house.cached.update(&changed(&before)).await.is_err());
    assert_eq!(house.revision(before.id).await, Some((1, true)), "stale, as it may have been made");
    house.store.set_down(false);
    house.clock.set(NOW + 3);
    house.store.asked();
    assert_eq!((house.revision(before.id).await, house.store.asked()), (Some((1, false)), 1));

    // Somebody else was faster.
    assert_eq!(house.store.update(&changed(&before)).await.unwrap(), Update::Done);
    assert_eq!(house.cached.update(&changed(&before)).await.unwrap(), Update::Stale);
    assert_eq!(house.revision(before.id).await, Some((2, false)));
    // What was refused changes nothing.
    assert_eq!(house.cached.insert(&before, &terms()).await.unwrap(), Inserted::Taken);
    assert_eq!(house.revision(before.id).await, Some((2, false)));
}

#[tokio::test]
async fn while_the_store_is_down_what_was_known_is_answered_for_a_day_and_says_so() {
    let house = House::new();
    let (known, unseen) = (house.unknown().await, house.unknown().await);
    let nobody = AssetId::generate();
    house.revision(known.id).await.unwrap();
    assert_eq!(house.revision(nobody).await, None);
    house.store.set_down(true);
    house.store.asked();
    let own = async |ids: &[AssetId]| house.cached.look_up_own(&house.tenant, ids).await;
    assert_eq!((house.revision(known.id).await, house.store.asked()), (Some((1, false)), 0), "it is fresh");
    for second in [FRESH, DAY - 1] {
        house.clock.set(NOW + second);
        for asked in [1, 0] {
            assert_eq!((house.revision(known.id).await, house.store.asked()), (Some((1, true)), asked));
        }
        let found = own(&[known.id]).await.unwrap();
        assert!(found.stale && found.value[&known.id].revision == 1);
        let taken = house.cached.look_up_taken(&[known.id]).await.unwrap();
        assert!(taken.stale && taken.value.contains(&known.id));
        assert!(house.is_down(unseen.id).await && house.is_down(nobody).await, "nothing is made up");
        assert!(own(&[known.id, unseen.id]).await.is_err());
        house.store.asked();
    }
    house.clock.set(NOW + DAY);
    assert!(house.is_down(known.id).await && own(&[known.id]).await.is_err());

    // A deleted asset stays deleted; and all is well again by itself.
    house.store.set_down(false);
    house.clock.set(NOW + DAY + 3);
    assert_eq!(house.revision(known.id).await, Some((1, false)));
    let deleted = known.deleted(&contract::PERIODS, Timestamp::from_seconds(NOW));
    assert_eq!(house.cached.update(&deleted).await.unwrap(), Update::Done);
    house.store.set_down(true);
    house.clock.set(NOW + DAY + FRESH + 9);
    let Known { value, stale } = house.cached.look_up(deleted.id).await.unwrap();
    assert!(stale && value.unwrap().deleted_at.is_some());
    house.store.set_down(false);
    house.clock.set(NOW + DAY + FRESH + 12);
    assert_eq!(house.revision(deleted.id).await, Some((2, false)));
}

#[tokio::test]
async fn no_more_is_kept_than_there_is_room_for() {
    let house = House::with(100_000);
    let mut ids = Vec::new();
    let text = json!({"alt": "x".repeat(1_000)});
    for _ in 0..300 {
        let metadata = Metadata::new(text.as_object().unwrap().clone()).unwrap();
        let asset = Asset { metadata, ..ready(&house.tenant, NOW * 1_000) };
        assert!(insert(&house.cached, &asset).await);
        ids.push(asset.id);
    }
    house.store.set_down(true);
    house.cached.set_fresh(Duration::from_secs(FRESH));
    let mut kept = 0;
    for id in ids {
        kept += usize::from(!house.is_down(id).await);
    }
    assert!((20..=100).contains(&kept), "{kept} are kept");
}
