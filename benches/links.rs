//! What one link is made of.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use divan::{Bencher, black_box};
use signet::cloudfront::{
    Grant, HashAlgorithm, NonceMode, Policy, PrivateKey, Resource, SignableUrl, Window,
};
use signet::service::link_cache::LinkCache;

use super::fixture::{ECDSA, RSA, key};

const URL: &str = "https://media.example.com/vivreal-demo/groupObjects/68bfac783bc7c024975c90cb/1757391992521/logo.png.640.jpg";
const NOW: u64 = 1_800_000_000;

/// Seconds that the 8,200 signatures of a cold document take on all cores with nothing else done, as JSON:
/// what no way of signing it can beat. `loadtest/` reads it.
pub fn print_signatures() {
    let threads = std::thread::available_parallelism().unwrap().get();
    let keys = [("rsa", RSA), ("ecdsa", ECDSA)].map(|(name, pem)| {
        let key = PrivateKey::from_pem(pem, NonceMode::Random).unwrap();
        let (hash, next) = (key.default_hash(), AtomicUsize::new(0));
        let start = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let index @ ..SIGNATURES = next.fetch_add(1, Ordering::Relaxed) {
                        key.sign(black_box(format!("{URL}{index}").as_bytes()), hash).unwrap();
                    }
                });
            }
        });
        format!("\"{name}\":{}", start.elapsed().as_secs_f64())
    });
    println!("{{{}}}", keys.join(","));
}

/// A link for each of 2,050 files and its three derivatives.
const SIGNATURES: usize = 8_200;

#[divan::bench]
fn window() -> u64 {
    Window::new(300).map(|window| window.expires(black_box(URL), NOW)).unwrap()
}

#[divan::bench]
fn cache_key(bencher: Bencher<'_, '_>) {
    let cache = LinkCache::new(1_000_000, [7; 16]);
    let key = key(RSA);
    bencher.bench(|| cache.digest(black_box(URL), NOW, &key));
}

#[divan::bench]
fn grant_of_a_signature(bencher: Bencher<'_, '_>) {
    let key = key(RSA);
    let url = SignableUrl::parse(URL).unwrap();
    let policy = Policy::canned(Resource::exact(&url), NOW).unwrap();
    let signature = key.private.sign(policy.to_json().as_bytes(), key.hash).unwrap();
    bencher.bench(|| {
        let grant = Grant::from_parts(policy.clone(), key.id.clone(), key.hash, signature.clone());
        grant.link(&url).unwrap()
    });
}

#[divan::bench]
fn rsa_sha1(bencher: Bencher<'_, '_>) {
    sign(bencher, RSA, NonceMode::Random, HashAlgorithm::Sha1);
}

#[divan::bench]
fn rsa_sha256(bencher: Bencher<'_, '_>) {
    sign(bencher, RSA, NonceMode::Random, HashAlgorithm::Sha256);
}

#[divan::bench]
fn ecdsa_random(bencher: Bencher<'_, '_>) {
    sign(bencher, ECDSA, NonceMode::Random, HashAlgorithm::Sha256);
}

#[divan::bench]
fn ecdsa_deterministic(bencher: Bencher<'_, '_>) {
    sign(bencher, ECDSA, NonceMode::Deterministic, HashAlgorithm::Sha256);
}

fn sign(bencher: Bencher<'_, '_>, pem: &[u8], nonce: NonceMode, hash: HashAlgorithm) {
    let key = PrivateKey::from_pem(pem, nonce).unwrap();
    bencher.bench(|| key.sign(black_box(URL.as_bytes()), hash).unwrap());
}
