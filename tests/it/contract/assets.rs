//! What every store of assets must do.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rand::RngExt;
use signet::media::{
    Asset, AssetId, ContentType, Rejection, Status, Tally, TenantId, Timestamp, Usage, Visibility,
};
use signet::service::ports::{AssetFilter, AssetStore, ListPosition, Update};
use tokio::task::JoinSet;

use super::{PERIODS, fresh_tenant, insert, pending, ready};

type Store = Arc<dyn AssetStore>;

/// In December 9999.
const LATE: u64 = 253_400_000_000_000;

/// All checks, one after the other.
pub async fn all(store: Store) {
    what_is_inserted_is_found_as_it_was(store.clone()).await;
    a_taken_id_is_refused_and_nothing_changes(store.clone()).await;
    no_method_reaches_another_tenant(store.clone()).await;
    tenants_with_names_alike_stay_apart(store.clone()).await;
    an_update_needs_the_revision_that_it_was_made_from(store.clone()).await;
    of_racing_updates_one_a_revision_wins(store.clone()).await;
    find_many_answers_each_once_and_no_strangers(store.clone()).await;
    ids_are_known_whoever_has_them(store.clone()).await;
    a_list_is_newest_first_and_filtered(store.clone()).await;
    pages_hold_while_others_insert_and_delete(store.clone()).await;
    what_is_removed_is_gone_and_its_id_free(store.clone()).await;
    usage_is_exact_after_a_storm(store.clone()).await;
    super::calls::all(store.clone()).await;
    super::pages::all(store.clone()).await;
    super::room::all(store.clone()).await;
    super::dues::all(store).await;
}

async fn what_is_inserted_is_found_as_it_was(store: Store) {
    let tenant = fresh_tenant();
    let asset = pending(&tenant, 1_700_000_000_123);
    assert!(insert(&*store, &asset).await);
    assert_eq!(store.find(&tenant, asset.id).await.unwrap(), Some(asset.clone()));
    assert_eq!(store.find_anywhere(asset.id).await.unwrap(), Some(asset.clone()));

    let deleted = asset.deleted(&PERIODS, now());
    assert_eq!(store.update(&deleted).await.unwrap(), Update::Done);
    assert_eq!(store.find(&tenant, deleted.id).await.unwrap(), Some(deleted));
    assert_eq!(store.find(&tenant, AssetId::generate()).await.unwrap(), None);
    assert_eq!(store.find_anywhere(AssetId::generate()).await.unwrap(), None);
}

async fn a_taken_id_is_refused_and_nothing_changes(store: Store) {
    let (tenant, other) = (fresh_tenant(), fresh_tenant());
    let asset = ready(&tenant, 1_000);
    assert!(insert(&*store, &asset).await);

    let again = Asset { size_bytes: 99, ..asset.clone() };
    let later = Asset { size_bytes: 99, created_at: Timestamp::from_millis(2_000), ..asset.clone() };
    let foreign = Asset { tenant: other.clone(), ..asset.clone() };
    for taken in [again, later, foreign] {
        assert!(!insert(&*store, &taken).await);
    }
    assert_eq!(store.find_anywhere(asset.id).await.unwrap(), Some(asset.clone()));
    assert_eq!(listed(&store, &tenant).await, [asset]);
    assert_eq!(listed(&store, &other).await, []);
    assert_eq!(store.usage(&tenant).await.unwrap(), ready_usage(1));
    assert_eq!(store.usage(&other).await.unwrap(), Usage::default());
}

async fn no_method_reaches_another_tenant(store: Store) {
    let (owner, stranger) = (fresh_tenant(), fresh_tenant());
    let asset = ready(&owner, 1_000);
    assert!(insert(&*store, &asset).await);

    assert_eq!(store.find(&stranger, asset.id).await.unwrap(), None);
    assert_eq!(store.find_many(&stranger, &[asset.id]).await.unwrap(), []);
    assert_eq!(listed(&store, &stranger).await, []);
    assert_eq!(store.usage(&stranger).await.unwrap(), Usage::default());
    let stolen = Asset { tenant: stranger.clone(), ..asset.clone().touched(now()) };
    assert_eq!(store.update(&stolen).await.unwrap(), Update::Stale);
    let killed = Asset { tenant: stranger, ..asset.clone().deleted(&PERIODS, now()) };
    assert_eq!(store.update(&killed).await.unwrap(), Update::Stale);
    assert_eq!(store.find(&owner, asset.id).await.unwrap(), Some(asset));
}

async fn ids_are_known_whoever_has_them(store: Store) {
    let (one, other) = (pending(&fresh_tenant(), 1), pending(&fresh_tenant(), 1).deleted(&PERIODS, now()));
    for asset in [&one, &other] {
        assert!(insert(&*store, asset).await);
    }
    let stranger = AssetId::generate();
    let mut known = store.existing(&[stranger, other.id, one.id]).await.unwrap();
    known.sort_unstable();
    let mut expected = vec![one.id, other.id];
    expected.sort_unstable();
    assert_eq!(known, expected);
    assert_eq!(store.existing(&[]).await.unwrap(), []);
}

async fn tenants_with_names_alike_stay_apart(store: Store) {
    let stem = fresh_tenant();
    let names = ["", "-", "0", "A", "_", "a", "z", "zz"];
    let tenants = names.map(|tail| format!("{stem}{tail}").parse::<TenantId>().unwrap());
    let mut ids = Vec::new();
    for tenant in &tenants {
        for asset in [ready(tenant, LATE), ready(tenant, 0)] {
            assert!(insert(&*store, &asset).await);
            ids.push(asset.id);
        }
    }
    for tenant in &tenants {
        for found in [listed(&store, tenant).await, store.find_many(tenant, &ids).await.unwrap()] {
            let owners: Vec<_> = found.into_iter().map(|asset| asset.tenant).collect();
            assert_eq!(owners, [tenant.clone(), tenant.clone()]);
        }
        assert_eq!(store.usage(tenant).await.unwrap(), ready_usage(2));
    }
}

async fn an_update_needs_the_revision_that_it_was_made_from(store: Store) {
    let tenant = fresh_tenant();
    let asset = pending(&tenant, 1_000);
    assert_eq!(store.update(&asset.clone().touched(now())).await.unwrap(), Update::Stale, "it isn't there");
    assert!(insert(&*store, &asset).await);
    for revision in [0, 1, 3, u64::MAX >> 1] {
        let wrong = Asset { revision, size_bytes: 99, ..asset.clone() };
        assert_eq!(store.update(&wrong).await.unwrap(), Update::Stale, "revision {revision}");
    }
    assert_eq!(store.find(&tenant, asset.id).await.unwrap(), Some(asset.clone()));
    let changed = asset.touched(now());
    assert_eq!(store.update(&changed).await.unwrap(), Update::Done);
    assert_eq!(store.update(&changed).await.unwrap(), Update::Stale, "the same once more");
    assert_eq!(store.find(&tenant, changed.id).await.unwrap(), Some(changed));
}

async fn of_racing_updates_one_a_revision_wins(store: Store) {
    let tenant = fresh_tenant();
    let mut asset = pending(&tenant, 1_000);
    assert!(insert(&*store, &asset).await);
    for _ in 0..4 {
        let mut racers = JoinSet::new();
        for racer in 0..50 {
            let (store, mut change) = (store.clone(), asset.clone().touched(now()));
            change.size_bytes = racer;
            racers.spawn(async move { (store.update(&change).await.unwrap(), racer) });
        }
        let winners: Vec<u64> = racers
            .join_all()
            .await
            .into_iter()
            .filter_map(|(update, racer)| (update == Update::Done).then_some(racer))
            .collect();
        assert_eq!(winners.len(), 1, "{winners:?}");
        asset = store.find(&tenant, asset.id).await.unwrap().unwrap();
        assert_eq!(asset.size_bytes, winners[0]);
    }
    assert_eq!(asset.revision, 5);
}

async fn find_many_answers_each_once_and_no_strangers(store: Store) {
    let (tenant, other) = (fresh_tenant(), fresh_tenant());
    let own =
        [ready(&tenant, 1_000), pending(&tenant, 1_000), ready(&tenant, 2_000).deleted(&PERIODS, now())];
    let foreign = ready(&other, 1_000);
    for asset in own.iter().chain([&foreign]) {
        assert!(insert(&*store, asset).await);
    }
    let mut ids: Vec<AssetId> = own.iter().map(|asset| asset.id).collect();
    ids.extend([own[0].id, own[0].id, foreign.id, AssetId::generate()]);
    let mut found = store.find_many(&tenant, &ids).await.unwrap();
    found.sort_by_key(|asset| asset.id);
    let mut expected = own.to_vec();
    expected.sort_by_key(|asset| asset.id);
    assert_eq!(found, expected);
    assert_eq!(store.find_many(&tenant, &[]).await.unwrap(), []);
}

async fn a_list_is_newest_first_and_filtered(store: Store) {
    let tenant = fresh_tenant();
    let mut assets: Vec<Asset> =
        [5_000, 1_000, 3_000, 3_000, 3_000, 256, 255, 65_536].map(|millis| ready(&tenant, millis)).to_vec();
    assets[1].visibility = Visibility::Private;
    assets[2].content_type = ContentType::parse("video/mp4").unwrap();
    assets[3] = pending(&tenant, 3_000);
    for asset in &assets {
        assert!(insert(&*store, asset).await);
    }
    let gone = ready(&tenant, 4_000);
    assert!(insert(&*store, &gone).await);
    assert_eq!(store.update(&gone.deleted(&PERIODS, now())).await.unwrap(), Update::Done);

    assets.sort_by_key(|asset| std::cmp::Reverse((asset.created_at, asset.id)));
    assert_eq!(listed(&store, &tenant).await, assets);
    assert_eq!(store.list(&tenant, &AssetFilter::default(), None, 3).await.unwrap(), assets[..3]);
    assert_eq!(store.list(&tenant, &AssetFilter::default(), None, 0).await.unwrap(), []);
    let filters = [
        AssetFilter { visibility: Some(Visibility::Private), ..AssetFilter::default() },
        AssetFilter { status: Some(Status::Pending), ..AssetFilter::default() },
        AssetFilter { status: Some(Status::Rejected), ..AssetFilter::default() },
        AssetFilter { content_type: ContentType::parse("video/mp4"), ..AssetFilter::default() },
        AssetFilter {
            content_type: ContentType::parse("image/png"),
            status: Some(Status::Ready),
            visibility: Some(Visibility::Public),
        },
    ];
    for filter in filters {
        let expected: Vec<Asset> = assets.iter().filter(|asset| filter.takes(asset)).cloned().collect();
        assert_eq!(store.list(&tenant, &filter, None, 100).await.unwrap(), expected, "{filter:?}");
        // A filter fills its pages: what it passes over doesn't count.
        let first = store.list(&tenant, &filter, None, 1).await.unwrap();
        assert_eq!(first, expected[..expected.len().min(1)], "{filter:?}");
    }
}

async fn pages_hold_while_others_insert_and_delete(store: Store) {
    let tenant = fresh_tenant();
    let mut staying = HashSet::new();
    let mut leaving = Vec::new();
    for number in 0..60 {
        // Several share a time, so that the id must decide.
        let asset = ready(&tenant, 10_000 + number / 4);
        assert!(insert(&*store, &asset).await);
        if number % 3 == 0 {
            leaving.push(asset);
        } else {
            staying.insert(asset.id);
        }
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.list(&tenant, &AssetFilter::default(), after, 7).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(ListPosition { created_at: last.created_at, id: last.id });
        seen.extend(page.iter().map(|asset| (asset.created_at, asset.id)));
        assert!(insert(&*store, &ready(&tenant, 90_000)).await, "a newer one");
        if let Some(gone) = leaving.pop() {
            assert_eq!(store.update(&gone.deleted(&PERIODS, now())).await.unwrap(), Update::Done);
        }
        // Even the one at which the page ended.
        if let Some(at) = leaving.iter().position(|asset| asset.id == last.id) {
            let gone = leaving.remove(at).deleted(&PERIODS, now());
            assert_eq!(store.update(&gone).await.unwrap(), Update::Done);
        }
    }
    assert!(seen.is_sorted_by(|one, next| one > next), "strictly newest first");
    let ids: HashSet<AssetId> = seen.iter().map(|(_, id)| *id).collect();
    assert!(staying.is_subset(&ids), "each that stayed was seen");
}

async fn usage_is_exact_after_a_storm(store: Store) {
    let tenants = [fresh_tenant(), fresh_tenant()];
    let mut assets = Vec::new();
    for number in 0..40 {
        let asset = pending(&tenants[number % 2], 1_000);
        assert!(insert(&*store, &asset).await);
        assets.push(asset.id);
    }
    let mut workers = JoinSet::new();
    for _ in 0..10 {
        let (store, assets) = (store.clone(), assets.clone());
        workers.spawn(async move {
            for _ in 0..50 {
                let id = assets[rand::rng().random_range(0..assets.len())];
                let Some(asset) = store.find_anywhere(id).await.unwrap() else { continue };
                if rand::rng().random_range(0..100) == 0 {
                    store.remove(&asset).await.unwrap();
                }
                // A stale one changes nothing: another worker was faster.
                store.update(&random_change(asset)).await.unwrap();
            }
        });
    }
    workers.join_all().await;

    let mut expected: HashMap<TenantId, Usage> = HashMap::new();
    for id in assets {
        let Some(asset) = store.find_anywhere(id).await.unwrap() else { continue };
        let usage = expected.entry(asset.tenant).or_default();
        let tally = match asset.status {
            Status::Ready => &mut usage.ready,
            Status::Pending => &mut usage.pending,
            _ => continue,
        };
        if asset.deleted_at.is_none() {
            tally.count += 1;
            tally.bytes += asset.size_bytes;
        }
    }
    for tenant in tenants {
        assert_eq!(store.usage(&tenant).await.unwrap(), expected.remove(&tenant).unwrap_or_default());
    }
}

fn random_change(asset: Asset) -> Asset {
    let rejection = Rejection { what: "sizeBytes".into(), expected: "10".into(), found: "11".into() };
    let mut changed = match rand::rng().random_range(0..10) {
        0..5 => asset.clone().ready(None, now()).ok(),
        5 => asset.clone().rejected(rejection, &PERIODS, now()).ok(),
        6 => Some(asset.clone().deleted(&PERIODS, now())),
        7 => Some(Asset { deleted_at: None, ..asset.clone().touched(now()) }),
        _ => None,
    }
    .unwrap_or_else(|| asset.touched(now()));
    changed.size_bytes = rand::rng().random_range(1..1_000);
    changed
}

async fn what_is_removed_is_gone_and_its_id_free(store: Store) {
    let (tenant, stranger) = (fresh_tenant(), fresh_tenant());
    let asset = ready(&tenant, 1_000);
    assert!(insert(&*store, &asset).await);
    let stolen = Asset { tenant: stranger, ..asset.clone() };
    let stale = Asset { revision: 2, ..asset.clone() };
    for refused in [stolen, stale] {
        assert_eq!(store.remove(&refused).await.unwrap(), Update::Stale);
    }
    assert_eq!(store.find(&tenant, asset.id).await.unwrap(), Some(asset.clone()));

    let mut racers = JoinSet::new();
    for _ in 0..20 {
        let (store, asset) = (store.clone(), asset.clone());
        racers.spawn(async move { store.remove(&asset).await.unwrap() });
    }
    let done = racers.join_all().await.into_iter().filter(|update| *update == Update::Done).count();
    assert_eq!(done, 1);
    assert_eq!(store.find(&tenant, asset.id).await.unwrap(), None);
    assert_eq!(store.find_anywhere(asset.id).await.unwrap(), None);
    assert_eq!(store.find_many(&tenant, &[asset.id]).await.unwrap(), []);
    assert_eq!(store.existing(&[asset.id]).await.unwrap(), []);
    assert_eq!(listed(&store, &tenant).await, []);
    assert_eq!(store.usage(&tenant).await.unwrap(), Usage::default());
    assert!(insert(&*store, &asset).await, "its id is free");
}

fn ready_usage(count: u64) -> Usage {
    Usage { ready: Tally { count, bytes: 10 * count }, ..Usage::default() }
}

async fn listed(store: &Store, tenant: &TenantId) -> Vec<Asset> {
    store.list(tenant, &AssetFilter::default(), None, 1_000).await.unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}
