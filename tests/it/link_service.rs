//! The link service with a clock of the test's: windows, single flight, signing ahead, rotation.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use signet::cloudfront::{KeyPairId, NonceMode, PrivateKey, Window};
use signet::document::Reason;
use signet::media::{Derivatives, ObjectKey, Timestamp};
use signet::service::key_ring::{KeyRing, RingKey};
use signet::service::layout::{Layout, Place, Template};
use signet::service::link_cache::LinkCache;
use signet::service::links::{FileLinks, GrantScope, Life, LinkSettings, OnFailure};
use signet::service::ports::{Clock, LinkSource, Meter};
use signet::service::signature_budget::SignatureBudget;
use signet::service::signing_pool::SigningPool;
use signet::service::{FileTarget, LinkError, LinkService};

use crate::support::program::file;
use crate::support::verify;

pub const TTL: u64 = 600;
pub const START: u64 = 1_800_000_000;

/// A clock that the test sets, in seconds, and a count of signatures.
#[derive(Default)]
pub struct World {
    now: AtomicU64,
    signatures: AtomicUsize,
    failures: AtomicUsize,
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(self.now.load(Ordering::SeqCst))
    }
}

impl Meter for World {
    fn links(&self, _: LinkSource, _: usize) {}
    fn signature(&self, _: &RingKey) {
        self.signatures.fetch_add(1, Ordering::SeqCst);
    }
    fn signing_failed(&self) {
        self.failures.fetch_add(1, Ordering::SeqCst);
    }
    fn document(&self, _: usize, _: usize, _: usize) {}
    fn unsigned(&self, _: Reason) {}
}

impl World {
    pub fn set(&self, now: u64) {
        self.now.store(now, Ordering::SeqCst);
    }

    fn signatures(&self) -> usize {
        self.signatures.load(Ordering::SeqCst)
    }
}

fn ring_key(id: &str, pem: &str, not_before: u64, retire_at: Option<u64>) -> RingKey {
    let pem = std::fs::read(file(pem)).unwrap();
    let private = PrivateKey::from_pem(&pem, NonceMode::Deterministic).unwrap();
    let (public, hash) = (private.public_key(), private.default_hash());
    RingKey { id: KeyPairId::new(id).unwrap(), private, public, hash, not_before, retire_at }
}

pub fn service(
    keys: Vec<RingKey>,
    scope: GrantScope,
    on_failure: OnFailure,
) -> (Arc<World>, LinkService, Place) {
    let world = Arc::new(World::default());
    world.now.store(START, Ordering::SeqCst);
    let life = Life::Window(Window::new(TTL).unwrap());
    let links = LinkService::new(
        Arc::new(KeyRing::new(keys).unwrap()),
        LinkCache::new(1 << 20, [7; 16]),
        SigningPool::start(NonZeroUsize::new(2).unwrap()).unwrap(),
        SignatureBudget::unlimited(),
        Arc::clone(&world) as Arc<dyn Clock>,
        Arc::clone(&world) as Arc<dyn Meter>,
        LinkSettings { on_failure, ..LinkSettings::strict(life, scope) },
    );
    let place = Layout::new("https://media.vivreal.io", &[], template(), template()).place_of("v", "v");
    (world, links, place)
}

pub fn template() -> Template {
    Template::parse("{key}").unwrap()
}

fn target(place: &Place, key: &str) -> FileTarget {
    FileTarget::new(place, ObjectKey::parse(key).unwrap(), None).unwrap()
}

pub fn one_key() -> Vec<RingKey> {
    vec![ring_key("K1", "vectors/rsa", 0, None)]
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_who_wait_for_one_cold_link_cost_one_signature() {
    let (world, links, place) = service(one_key(), GrantScope::Url, OnFailure::Refuse);
    let asks: Vec<_> = (0..10_000)
        .map(|_| {
            let (links, target) = (links.clone(), target(&place, "a.jpg"));
            tokio::spawn(async move { links.link(target).await.unwrap().url })
        })
        .collect();
    let mut urls = Vec::new();
    for ask in asks {
        urls.push(ask.await.unwrap());
    }
    urls.dedup();
    assert_eq!((urls.len(), world.signatures()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn at_each_second_of_two_windows_a_link_has_more_than_half_of_its_life() {
    let (world, links, place) = service(one_key(), GrantScope::Url, OnFailure::Refuse);
    let key = verify::public_key(file("vectors/rsa-public"));
    let mut distinct = Vec::new();
    for second in 0..TTL {
        world.now.store(START + second, Ordering::SeqCst);
        let link = links.link(target(&place, "a.jpg")).await.unwrap();
        let left = link.expires.unwrap() - (START + second);
        assert!(left > TTL / 2 && left <= TTL, "{left} s left at second {second}");
        assert!(link.max_age > TTL / 4 - 1 && link.max_age == left - TTL / 4, "{}", link.max_age);
        if distinct.last() != Some(&link.url) {
            verify::assert_served(&link.url, &key, START + second);
            distinct.push(link.url);
        }
    }
    assert!((2..=3).contains(&distinct.len()), "{} links in two windows", distinct.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_shortly_before_its_window_ends_is_signed_ahead() {
    let (world, links, place) = service(one_key(), GrantScope::Url, OnFailure::Refuse);
    let first = links.link(target(&place, "hot.jpg")).await.unwrap();
    let roll = first.expires.unwrap() - TTL / 2;
    world.now.store(roll - 5, Ordering::SeqCst);
    assert_eq!(links.link(target(&place, "hot.jpg")).await.unwrap().url, first.url);
    for _ in 0..200 {
        if world.signatures() == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(world.signatures(), 2, "the next window's signature is made before it is needed");
    world.now.store(roll, Ordering::SeqCst);
    assert_ne!(links.link(target(&place, "hot.jpg")).await.unwrap().url, first.url);
    assert_eq!(world.signatures(), 2, "and is used when its time has come");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_signature_of_scope_asset_serves_a_file_and_its_derivatives() {
    let (_, links, place) = service(one_key(), GrantScope::Asset, OnFailure::Refuse);
    let derivatives = Derivatives::new(vec![320, 640, 1280], "jpg").unwrap();
    let of = |key: &str| FileTarget::new(&place, ObjectKey::parse(key).unwrap(), Some(&derivatives)).unwrap();
    let made = links.files(vec![of("a/b.jpg")]).await.unwrap().pop().unwrap().unwrap();
    assert_eq!((signatures(&made), made.derivatives.len()), (1, 3));
    let key = verify::public_key(file("vectors/rsa-public"));
    verify::assert_served(&made.link.url, &key, START);
    for (width, link) in &made.derivatives {
        assert!(link.contains(&format!("/a/b.jpg.{width}.jpg?Policy=")), "{link}");
        verify::assert_served(link, &key, START);
    }
    // A name without an extension could be the beginning of other files' names.
    let made = links.files(vec![of("a/b")]).await.unwrap().pop().unwrap().unwrap();
    assert_eq!(signatures(&made), 4);
    assert!(made.link.url.contains("?Expires="));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cancelled_is_signed_no_further_and_what_was_made_is_kept() {
    let (world, links, place) = service(one_key(), GrantScope::Url, OnFailure::Refuse);
    let targets: Vec<_> = (0..20_000).map(|index| target(&place, &format!("{index}.jpg"))).collect();
    let signing = tokio::spawn({
        let (links, targets) = (links.clone(), targets.clone());
        async move { links.files(targets).await.map(|made| made.len()) }
    });
    while world.signatures() < 20 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    signing.abort();
    assert!(signing.await.unwrap_err().is_cancelled());
    // A job that nobody waits for any more is dropped, so this one comes after whatever had begun.
    links.link(target(&place, "last.jpg")).await.unwrap();
    let made = world.signatures();
    assert!(made < 2_000, "{made} of 20,000 signatures");
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert!(world.signatures() <= made + 20, "signing goes on: {} after {made}", world.signatures());
    let before = world.signatures();
    links.files(targets[..4].to_vec()).await.unwrap();
    assert_eq!(world.signatures(), before, "the first ones are cached");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_one_link_does_not_wait_for_who_asks_for_thousands() {
    let (world, links, place) = service(one_key(), GrantScope::Url, OnFailure::Refuse);
    let template = || Template::parse("{key}").unwrap();
    let other = Layout::new("https://media.vivreal.io", &[], template(), template()).place_of("w", "w");
    let targets: Vec<_> = (0..4_000).map(|index| target(&place, &format!("{index}.jpg"))).collect();
    let large = tokio::spawn({
        let links = links.clone();
        async move { links.files(targets).await.map(|made| made.len()) }
    });
    while world.signatures() < 20 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    // Another tenant first, then the same one: each waits for a few jobs, not for thousands.
    for (place, key) in [(&other, "a.jpg"), (&place, "small.jpg")] {
        let before = world.signatures();
        links.link(target(place, key)).await.unwrap();
        let meanwhile = world.signatures() - before;
        assert!(meanwhile < 200, "{meanwhile} signatures came before {key} in {}", place.root());
    }
    assert!(!large.is_finished());
    assert_eq!(large.await.unwrap().unwrap(), 4_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_would_be_too_long_is_refused_alone() {
    let (_, links, place) = service(one_key(), GrantScope::Url, OnFailure::Refuse);
    let long = place.own_url(&format!("{}a.jpg?{}", place.root(), "q".repeat(7_900))).unwrap();
    let targets =
        vec![target(&place, "a.jpg"), FileTarget::of_url(&place, long.clone()), target(&place, "b.jpg")];
    let made: Vec<bool> = links.files(targets).await.unwrap().iter().map(Result::is_ok).collect();
    assert_eq!(made, [true, false, true]);
    let alone = links.link(FileTarget::of_url(&place, long)).await;
    assert!(matches!(&alone, Err(LinkError::Grant(reason)) if reason.contains("8192")), "{alone:?}");
}

/// How many different signatures the links of a file have.
fn signatures(made: &FileLinks) -> usize {
    let links = made.derivatives.iter().map(|(_, link)| link.as_str()).chain([&*made.link.url]);
    let signatures: HashSet<&str> =
        links.map(|link| link.split("Signature=").nth(1).unwrap().split('&').next().unwrap()).collect();
    signatures.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_active_key_signs_and_a_cached_link_of_the_old_one_is_not_used() {
    let keys = vec![
        ring_key("OLD", "vectors/rsa", 0, Some(START + 20)),
        ring_key("NEW", "vectors/ecdsa", START + 10, None),
    ];
    let (world, links, place) = service(keys, GrantScope::Url, OnFailure::Refuse);
    for (second, id) in [(0, "OLD"), (9, "OLD"), (10, "NEW"), (30, "NEW")] {
        world.now.store(START + second, Ordering::SeqCst);
        let url = links.link(target(&place, "a.jpg")).await.unwrap().url;
        assert!(url.contains(&format!("Key-Pair-Id={id}")), "second {second}: {url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_active_key_nothing_goes_out_unsigned_unless_that_is_asked_for() {
    let retired = || vec![ring_key("K1", "vectors/rsa", 0, Some(START - 1))];
    let (world, links, place) = service(retired(), GrantScope::Url, OnFailure::Refuse);
    let refused = links.link(target(&place, "a.jpg")).await;
    assert!(matches!(refused, Err(LinkError::NoKey)), "{refused:?}");
    assert_eq!(world.failures.load(Ordering::SeqCst), 1);

    let (world, links, place) = service(retired(), GrantScope::Url, OnFailure::Unsigned);
    let link = links.link(target(&place, "a.jpg")).await.unwrap();
    assert_eq!((&*link.url, link.max_age), ("https://media.vivreal.io/v/a.jpg", 0));
    assert_eq!(world.failures.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_with_one_key_give_the_same_links() {
    for pem in ["vectors/rsa", "vectors/ecdsa"] {
        let keys = || vec![ring_key("K1", pem, 0, None)];
        let (_, one, place) = service(keys(), GrantScope::Url, OnFailure::Refuse);
        let (_, other, _) = service(keys(), GrantScope::Url, OnFailure::Refuse);
        for key in ["a.jpg", "b/c d.png", "größe.webp"] {
            let links = (one.link(target(&place, key)).await, other.link(target(&place, key)).await);
            assert_eq!(links.0.unwrap(), links.1.unwrap());
        }
    }
}
