//! Credentials that are known: for a minute while the store answers, for a day while it doesn't.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use signet::media::{Quota, Tenant, TenantId};
use signet::service::ports::{
    ApiKey, Change, Claims, StoreError, TenantStore, TokenError, TokenVerifier, api_key_digest,
};
use signet::service::tenant_cache::{CachedTenants, LookUpError};
use signet::service::{AuthError, Authenticator, Credentials, Scopes};
use tokio::sync::Semaphore;

use crate::support::tokens::{Hand, NOW};

const KEY: &str = "sk_anna_0123456789abcdef";
const DAY: u64 = 24 * 3_600;

/// A store of one tenant, or none, that can be taken down.
#[derive(Default)]
struct Store {
    tenant: Mutex<Option<Tenant>>,
    down: AtomicBool,
    asked: AtomicUsize,
}

impl Store {
    fn answer(&self, found: impl FnOnce(&Tenant) -> bool) -> Result<Option<Tenant>, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.down.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("it is down"));
        }
        Ok(self.tenant.lock().unwrap().clone().filter(found))
    }

    fn change(&self, change: impl FnOnce(&mut Tenant)) {
        change(self.tenant.lock().unwrap().as_mut().unwrap());
    }

    fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::SeqCst)
    }
}

#[async_trait]
impl TenantStore for Store {
    async fn find(&self, id: &TenantId) -> Result<Option<Tenant>, StoreError> {
        self.answer(|tenant| tenant.id == *id)
    }

    async fn find_by_api_key(&self, key: &ApiKey) -> Result<Option<Tenant>, StoreError> {
        self.answer(|tenant| tenant.api_key.as_ref() == Some(key.digest()))
    }
}

/// Takes a tenant's id for its token.
struct Names;

#[async_trait]
impl TokenVerifier for Names {
    async fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        Ok(Claims { tenant: token.parse().map_err(|_| TokenError::NoTenant)?, scopes: Scopes::ALL })
    }
}

struct House {
    store: Arc<Store>,
    clock: Arc<Hand>,
    tenants: Arc<CachedTenants>,
    auth: Authenticator,
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Good,
    Unknown,
    Frozen,
    Down,
}

impl House {
    fn new() -> Self {
        let tenant = Tenant {
            id: "t_anna".parse().unwrap(),
            key: "anna".into(),
            db_key: None,
            frozen: false,
            quota: Quota::NONE,
            profile: None,
            api_key: Some(api_key_digest(KEY)),
        };
        let store = Arc::new(Store { tenant: Mutex::new(Some(tenant)), ..Store::default() });
        let clock = Hand::new();
        let tenants = Arc::new(CachedTenants::new(store.clone(), clock.clone()));
        let auth = Authenticator::new(tenants.clone(), Some(Arc::new(Names)));
        Self { store, clock, tenants, auth }
    }

    async fn ask(&self, credentials: &str) -> Outcome {
        let credentials = Credentials::parse(Some(credentials)).unwrap();
        match self.auth.authenticate(&credentials).await {
            Ok(_) => Outcome::Good,
            Err(AuthError::Invalid) => Outcome::Unknown,
            Err(AuthError::Frozen) => Outcome::Frozen,
            Err(AuthError::Store(StoreError::Unavailable(_))) => Outcome::Down,
            Err(error) => panic!("{error}"),
        }
    }
}

const BOTH: [&str; 2] = [KEY, "Bearer t_anna"];

#[tokio::test]
async fn a_known_tenant_is_asked_for_once_a_minute() {
    for credentials in BOTH {
        let house = House::new();
        for after in [0, 1, 59] {
            house.clock.set(NOW + after);
            assert_eq!(house.ask(credentials).await, Outcome::Good);
        }
        assert_eq!(house.store.asked(), 1);
        house.clock.set(NOW + 60);
        assert_eq!(house.ask(credentials).await, Outcome::Good);
        assert_eq!(house.store.asked(), 1);
    }
}

#[tokio::test]
async fn a_change_is_seen_within_a_minute() {
    for credentials in BOTH {
        let house = House::new();
        assert_eq!(house.ask(credentials).await, Outcome::Good);
        house.store.change(|tenant| tenant.frozen = true);
        house.clock.set(NOW + 60);
        assert_eq!(house.ask(credentials).await, Outcome::Frozen);
        house.store.change(|tenant| tenant.frozen = false);
        house.clock.set(NOW + 120);
        assert_eq!(house.ask(credentials).await, Outcome::Good);
        house.store.tenant.lock().unwrap().take();
        house.clock.set(NOW + 180);
        assert_eq!(house.ask(credentials).await, Outcome::Unknown);
        // What was taken back isn't good again because the store is down.
        house.store.set_down(true);
        house.clock.set(NOW + 190);
        assert_eq!(house.ask(credentials).await, Outcome::Down);
    }
}

#[tokio::test]
async fn a_key_that_was_replaced_does_not_live_on_by_its_tenant() {
    let house = House::new();
    assert_eq!(house.ask(KEY).await, Outcome::Good);
    house.store.change(|tenant| tenant.api_key = Some(api_key_digest("another")));
    for after in [30, 59] {
        house.clock.set(NOW + after);
        assert_eq!(house.ask("another").await, Outcome::Good);
    }
    house.clock.set(NOW + 60);
    assert_eq!(house.ask(KEY).await, Outcome::Unknown);
}

#[tokio::test]
async fn with_the_store_down_who_is_known_is_answered_for_a_day() {
    for credentials in BOTH {
        let house = House::new();
        assert_eq!(house.ask(credentials).await, Outcome::Good);
        house.store.set_down(true);
        for after in [59, 61, 3_600, DAY - 1] {
            house.clock.set(NOW + after);
            assert_eq!(house.ask(credentials).await, Outcome::Good, "{after}");
        }
        house.clock.set(NOW + DAY);
        assert_eq!(house.ask(credentials).await, Outcome::Down);
        house.store.set_down(false);
        assert_eq!(
            house.ask(credentials).await,
            Outcome::Good,
            "the store is asked as soon as there is need"
        );
    }
}

#[tokio::test]
async fn with_the_store_down_a_frozen_one_stays_frozen_and_an_unseen_one_is_503() {
    for credentials in BOTH {
        let house = House::new();
        house.store.change(|tenant| tenant.frozen = true);
        assert_eq!(house.ask(credentials).await, Outcome::Frozen);
        house.store.set_down(true);
        house.clock.set(NOW + 3_600);
        assert_eq!(house.ask(credentials).await, Outcome::Frozen);
        for unseen in ["sk_nobody", "Bearer t_nobody"] {
            assert_eq!(house.ask(unseen).await, Outcome::Down);
        }
    }
}

#[tokio::test]
async fn what_is_learned_by_token_holds_for_the_key() {
    let house = House::new();
    assert_eq!(house.ask(KEY).await, Outcome::Good);
    house.store.change(|tenant| tenant.frozen = true);
    house.clock.set(NOW + 61);
    assert_eq!(house.ask("Bearer t_anna").await, Outcome::Frozen);
    house.store.set_down(true);
    house.clock.set(NOW + 62);
    assert_eq!(house.ask(KEY).await, Outcome::Frozen);
}

#[tokio::test]
async fn guesses_are_remembered_for_a_moment() {
    for guess in ["sk_nobody", "Bearer t_nobody"] {
        let house = House::new();
        for after in [0, 1, 4] {
            house.clock.set(NOW + after);
            assert_eq!(house.ask(guess).await, Outcome::Unknown);
        }
        assert_eq!(house.store.asked(), 1);
        house.clock.set(NOW + 5);
        assert_eq!(house.ask(guess).await, Outcome::Unknown);
        assert_eq!(house.store.asked(), 1);
    }
    // A key that comes into being is good within these seconds.
    let house = House::new();
    assert_eq!(house.ask("sk_new").await, Outcome::Unknown);
    house.store.change(|tenant| tenant.api_key = Some(api_key_digest("sk_new")));
    house.clock.set(NOW + 5);
    assert_eq!(house.ask("sk_new").await, Outcome::Good);
}

#[tokio::test]
async fn a_store_that_is_down_is_not_asked_by_each_request() {
    let house = House::new();
    assert_eq!(house.ask(KEY).await, Outcome::Good);
    house.store.set_down(true);
    house.clock.set(NOW + 100);
    house.store.asked();
    for _ in 0..50 {
        assert_eq!(house.ask(KEY).await, Outcome::Good);
    }
    assert_eq!(house.store.asked(), 1);
    house.clock.set(NOW + 102);
    assert_eq!(house.ask(KEY).await, Outcome::Good);
    assert_eq!(house.store.asked(), 1);
}

#[tokio::test]
async fn a_store_that_is_unresponsive_is_not_asked_for_who_is_known() {
    for credentials in BOTH {
        let house = House::new();
        assert_eq!(house.ask(credentials).await, Outcome::Good);
        house.clock.set(NOW + 100);
        house.tenants.hear(&Change::Unresponsive);
        house.store.asked();
        for _ in 0..50 {
            assert_eq!(house.ask(credentials).await, Outcome::Good);
        }
        assert_eq!(house.store.asked(), 0);
        for change in [Change::Lost, Change::Resumed, Change::Connected] {
            house.clock.set(NOW + 200);
            house.tenants.hear(&Change::Unresponsive);
            house.tenants.hear(&change);
            house.store.change(|tenant| tenant.frozen = true);
            assert_eq!(house.ask(credentials).await, Outcome::Frozen, "{change:?} ends it");
        }
    }
}

/// A store that answers when it is let to.
struct Slow {
    asked: AtomicUsize,
    answers: Semaphore,
}

#[async_trait]
impl TenantStore for Slow {
    async fn find(&self, _: &TenantId) -> Result<Option<Tenant>, StoreError> {
        panic!("nobody asks for ids here")
    }

    async fn find_by_api_key(&self, _: &ApiKey) -> Result<Option<Tenant>, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.answers.acquire().await.unwrap().forget();
        Ok(None)
    }
}

#[tokio::test]
async fn unknown_keys_are_looked_up_once_for_all_who_wait_and_few_at_a_time() {
    let store = Arc::new(Slow { asked: AtomicUsize::new(0), answers: Semaphore::new(0) });
    let cached = Arc::new(CachedTenants::new(store.clone(), Hand::new()).bounded(1));
    let ask = |key: &str| {
        let (cached, key) = (Arc::clone(&cached), ApiKey::new(key));
        tokio::spawn(async move { cached.find_key(&key).await })
    };
    let settle = async || {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    };
    let mut waiting: Vec<_> = (0..20).map(|_| ask("sk_same")).collect();
    settle().await;
    let too_many = ask("sk_other").await.unwrap();
    assert!(matches!(too_many, Err(LookUpError::TooMany(_))), "{too_many:?}");
    assert!(!cached.knows(&ApiKey::new("sk_same")));
    // Who has begun it hangs up; the others get its answer.
    waiting.remove(0).abort();
    settle().await;
    store.answers.add_permits(1);
    for waits in waiting {
        assert!(waits.await.unwrap().unwrap().is_none());
    }
    assert_eq!(store.asked.swap(0, Ordering::SeqCst), 1);
    assert!(cached.knows(&ApiKey::new("sk_same")), "that nobody has it is known");
    // All who wait hang up: another one may be looked up.
    let alone = ask("sk_alone");
    settle().await;
    assert!(ask("sk_other").await.unwrap().is_err());
    alone.abort();
    settle().await;
    store.answers.add_permits(1);
    assert!(ask("sk_other").await.unwrap().unwrap().is_none());
    assert_eq!(store.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_key_that_is_expected_is_known_and_good_only_once_the_store_says_so() {
    let house = House::new();
    let tenant = house.store.tenant.lock().unwrap().clone().unwrap();
    let cached = CachedTenants::new(house.store.clone(), house.clock.clone()).bounded(0);
    let key = ApiKey::new(KEY);
    assert!(!cached.knows(&key) && cached.find_key(&key).await.is_err());
    cached.expect([&tenant]);
    assert!(cached.knows(&key));
    assert_eq!(cached.find_key(&key).await.unwrap().as_deref(), Some(&tenant));
    assert_eq!(house.store.asked(), 1);
}
