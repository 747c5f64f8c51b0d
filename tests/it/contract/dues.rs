//! What every store of assets must tell the lifecycle worker.
//!
//! Others may use the store: a check looks at its own assets alone, of times that nobody else uses.

use std::sync::Arc;

use signet::media::{Asset, AssetId, TenantId, Timestamp};
use signet::service::ports::{AssetStore, Due, Update};

use super::{fresh_tenant, insert, pending};

type Store = Arc<dyn AssetStore>;

/// All checks, one after the other.
pub async fn all(store: Store) {
    what_is_due_comes_in_its_order(store.clone()).await;
    an_update_moves_what_is_due(store.clone()).await;
    only_what_is_not_there_is_forgotten(store).await;
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn due_at(tenant: &TenantId, due_at: Option<u64>) -> Asset {
    Asset { due_at: due_at.map(at), ..pending(tenant, 1_000) }
}

/// All that is due of some tenants, in pages of three.
async fn due(store: &Store, tenants: &[&TenantId], now: u64) -> Vec<Due> {
    let (mut all, mut after) = (Vec::<Due>::new(), None);
    loop {
        let page = store.due(at(now), after.as_ref(), 3).await.unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = Some(last.clone());
        all.extend(page);
    }
    assert!(all.is_sorted_by_key(|due| (due.at, due.id)), "the longest due first");
    all.retain(|due| tenants.contains(&&due.tenant));
    all
}

async fn what_is_due_comes_in_its_order(store: Store) {
    let (one, other) = (fresh_tenant(), fresh_tenant());
    let assets = [(&one, Some(50)), (&other, Some(20)), (&one, Some(20)), (&one, None), (&other, Some(51))]
        .map(|(tenant, due)| due_at(tenant, due));
    for asset in &assets {
        assert!(insert(&*store, asset).await);
    }
    let of = |now: u64| {
        let mut expected: Vec<Due> = assets
            .iter()
            .filter_map(|asset| {
                let at = asset.due_at.filter(|due_at| due_at.millis() <= now)?;
                Some(Due { at, tenant: asset.tenant.clone(), id: asset.id })
            })
            .collect();
        expected.sort_by_key(|due| (due.at, due.id));
        expected
    };
    for now in [19, 20, 49, 50, 51] {
        assert_eq!(due(&store, &[&one, &other], now).await, of(now), "at {now}");
    }
}

async fn an_update_moves_what_is_due(store: Store) {
    let tenant = fresh_tenant();
    let mut asset = due_at(&tenant, Some(30));
    assert!(insert(&*store, &asset).await);
    for next in [Some(40), Some(40), None, Some(25)] {
        asset = Asset { due_at: next.map(at), ..asset.touched(at(1_000)) };
        assert_eq!(store.update(&asset).await.unwrap(), Update::Done);
        let found: Vec<_> = due(&store, &[&tenant], 60).await.into_iter().map(|due| due.at).collect();
        assert_eq!(found, next.map(at).into_iter().collect::<Vec<_>>());
    }
    let stale = Asset { due_at: Some(at(10)), ..asset.clone() };
    assert_eq!(store.update(&stale).await.unwrap(), Update::Stale);
    assert_eq!(due(&store, &[&tenant], 60).await[0].at, at(25));
    assert_eq!(store.remove(&asset).await.unwrap(), Update::Done);
    assert_eq!(due(&store, &[&tenant], 60).await, []);
}

async fn only_what_is_not_there_is_forgotten(store: Store) {
    let tenant = fresh_tenant();
    let asset = due_at(&tenant, Some(30));
    assert!(insert(&*store, &asset).await);
    let there = Due { at: at(30), tenant: tenant.clone(), id: asset.id };
    store.forget_due(&there).await.unwrap();
    assert_eq!(due(&store, &[&tenant], 60).await, [there]);
    store.forget_due(&Due { at: at(30), tenant, id: AssetId::generate() }).await.unwrap();
}
