//! A permalink that is ready, and one that was and still is, are what would be made anew, whatever has changed since it was handed out first: the asset,
//! its tenant, the key that signs, the window, here or on another node.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use signet::cloudfront::{NonceMode, PrivateKey};
use signet::media::{Asset, AssetId, Quota, Tenant, TenantId, Timestamp, Visibility};
use signet::service::asset_cache::{CacheTerms, CachedAssets};
use signet::service::delivery::Delivery;
use signet::service::key_ring::{KeyRing, RingKey};
use signet::service::layout::Layout;
use signet::service::links::Link;
use signet::service::ports::{ApiKey, AssetStore, Change, Clock, NoMeter, StoreError, TenantStore, Update};
use signet::service::resolve::{Ready, Resolver};
use signet::service::tenant_cache::CachedTenants;
use signet::store::embedded::Embedded;
use tempfile::tempdir;

use crate::contract::{fresh_tenant, insert, ready};
use crate::link_service::template;
use crate::support::links;
use crate::support::program::file;
use crate::support::tokens::{Hand, NOW};

const TTL: u64 = 600;
/// Assets, so that some share what the caches keep.
const ASSETS: usize = 3;
/// What was ready, of which the last is kept.
const HELD: usize = 60;

/// A store of one tenant.
struct Owner(Mutex<Tenant>);

#[async_trait]
impl TenantStore for Owner {
    async fn find(&self, id: &TenantId) -> Result<Option<Tenant>, StoreError> {
        Ok(Some(self.0.lock().unwrap().clone()).filter(|tenant| tenant.id == *id))
    }

    async fn find_by_api_key(&self, _: &ApiKey) -> Result<Option<Tenant>, StoreError> {
        Ok(None)
    }
}

/// What a node is made of, and a resolver of it.
struct Node {
    assets: CachedAssets,
    tenants: Arc<CachedTenants>,
    resolver: Resolver,
}

struct House {
    store: Arc<dyn AssetStore>,
    owner: Arc<Owner>,
    clock: Arc<Hand>,
    ring: Arc<KeyRing>,
}

impl House {
    /// A house of one tenant, whose store is in a folder.
    fn of(tenant: &TenantId, folder: &Path) -> Self {
        let owner = Tenant {
            id: tenant.clone(),
            key: "demo".to_owned(),
            db_key: None,
            frozen: false,
            profile: None,
            quota: Quota::NONE,
            api_key: None,
        };
        Self {
            store: Arc::new(Embedded::open(folder).unwrap()),
            owner: Arc::new(Owner(Mutex::new(owner))),
            clock: Hand::new(),
            ring: Arc::new(KeyRing::new(vec![key("K1", 0)]).unwrap()),
        }
    }

    /// A node that knows nothing yet.
    fn node(&self) -> Node {
        let clock = || Arc::clone(&self.clock) as Arc<dyn Clock>;
        let terms = CacheTerms {
            max_bytes: 1 << 20,
            fresh: Duration::from_secs(60),
            absent: Duration::from_secs(5),
            stale: Duration::from_secs(86_400),
        };
        let links = links::windowed(Arc::clone(&self.ring), clock(), TTL);
        let layout = Arc::new(Layout::new("https://media.vivreal.io", &[], template(), template()));
        let assets = CachedAssets::new(Arc::clone(&self.store), clock(), Arc::new(NoMeter), &terms);
        let tenants = Arc::new(CachedTenants::new(Arc::clone(&self.owner) as _, clock()));
        let delivery = Delivery::signed(layout, links);
        let resolver = Resolver::new(assets.clone(), Arc::clone(&tenants), delivery, clock());
        Node { assets, tenants, resolver }
    }

    /// What a node that knows nothing answers anybody.
    async fn anew(&self, id: AssetId) -> Option<Link> {
        self.node().resolver.resolve(id, None, None).await.ok().map(|resolved| resolved.link)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_changes_a_ready_link_is_the_one_that_would_be_made_anew() {
    let (folder, tenant) = (tempdir().unwrap(), fresh_tenant());
    let house = House::of(&tenant, folder.path());
    let node = house.node();
    let mut assets = Vec::new();
    for _ in 0..ASSETS {
        let asset = ready(&tenant, NOW * 1_000);
        assert!(insert(&node.assets, &asset).await);
        assets.push(asset);
    }
    let (mut chance, mut now, mut held, mut again_ones) = (StdRng::seed_from_u64(7), NOW, Vec::new(), 0);
    for step in 0..400 {
        let asset = &mut assets[chance.random_range(0..ASSETS)];
        match chance.random_range(0..7) {
            0 => *asset = update(&node.assets, other_visibility(asset)).await,
            1 => *asset = update(&node.assets, asset.clone()).await,
            2 => {
                *asset = update(&*house.store, other_visibility(asset)).await;
                node.assets.forget(asset.id);
            }
            3 => {
                let mut owner = house.owner.0.lock().unwrap();
                owner.frozen = !owner.frozen;
                node.tenants.hear(&Change::Tenant(tenant.clone()));
                // What was asked in the moment of a change isn't kept.
                now += 1;
            }
            4 => drop(house.ring.replace(vec![key(&format!("K{}", step % 3), 0)], now).unwrap()),
            5 => now += chance.random_range(1..TTL / 2),
            _ => {}
        }
        house.clock.set(now);
        for asset in &assets {
            let anew = house.anew(asset.id).await;
            // What was ready once is given again only where it would be made just so.
            for (id, Ready { resolved, grounds }) in &held {
                if let Some(max_age) = node.resolver.still(grounds).filter(|_| *id == asset.id) {
                    let again = Link { max_age, ..resolved.link.clone() };
                    assert_eq!(Some(&again), anew.as_ref(), "step {step}");
                    again_ones += 1;
                }
            }
            let warm = node.resolver.resolve(asset.id, None, None).await.ok().map(|resolved| resolved.link);
            assert_eq!(warm, anew, "step {step}");
            let ready = node.resolver.ready(asset.id, None);
            assert_eq!(ready.as_ref().map(|ready| &ready.resolved.link), anew.as_ref(), "step {step}");
            held.extend(ready.map(|ready| (asset.id, ready)));
        }
        let over = held.len().saturating_sub(HELD);
        held.drain(..over);
    }
    assert!(again_ones > 100, "{again_ones} were given again: nothing was shown");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_when_a_window_rolls_waits_for_nothing_where_its_link_was_asked_for_just_before() {
    let (folder, tenant) = (tempdir().unwrap(), fresh_tenant());
    let house = House::of(&tenant, folder.path());
    let asset = Asset { visibility: Visibility::Public, ..ready(&tenant, NOW * 1_000) };
    assert!(insert(&house.node().assets, &asset).await);
    let first = house.anew(asset.id).await.unwrap();
    let rolls = first.expires.unwrap() - TTL / 2;
    // Asset and tenant are known for a minute from here on, and the last tenth of a window is its last half minute.
    house.clock.set(rolls - 35);
    let node = house.node();
    node.resolver.resolve(asset.id, None, None).await.unwrap();
    let at_once = |now| {
        house.clock.set(now);
        node.resolver.ready(asset.id, None).map(|ready| ready.resolved.link)
    };
    let last = at_once(rolls - 20).expect("the link of this window is there");
    assert_eq!(last.url, first.url);
    let patience = Instant::now() + Duration::from_secs(30);
    let next = loop {
        if let Some(next) = at_once(rolls) {
            break next;
        }
        assert!(Instant::now() < patience, "nothing was signed ahead");
        tokio::task::yield_now().await;
    };
    assert_eq!(next.expires, Some(rolls + TTL));
    assert_eq!(Some(next), house.anew(asset.id).await);
}

async fn update(store: &(impl AssetStore + ?Sized), asset: Asset) -> Asset {
    let asset = asset.touched(Timestamp::from_seconds(NOW));
    assert_eq!(store.update(&asset).await.unwrap(), Update::Done);
    asset
}

fn other_visibility(asset: &Asset) -> Asset {
    let visibility = match asset.visibility {
        Visibility::Public => Visibility::Private,
        Visibility::Private => Visibility::Public,
    };
    Asset { visibility, ..asset.clone() }
}

fn key(id: &str, not_before: u64) -> RingKey {
    let pem = std::fs::read(file("vectors/rsa")).unwrap();
    let private = PrivateKey::from_pem(&pem, NonceMode::Deterministic).unwrap();
    let (public, hash) = (private.public_key(), private.default_hash());
    RingKey { id: id.parse().unwrap(), private, public, hash, not_before, retire_at: None }
}
