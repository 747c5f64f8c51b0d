//! What one link is made of.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use divan::{Bencher, black_box};
use futures_util::future::join_all;
use signet::cloudfront::{
    Grant, HashAlgorithm, NonceMode, Policy, PrivateKey, Resource, SignableUrl, Window,
};
use signet::service::link_cache::LinkCache;
use signet::service::signing_pool::{Lane, SigningPool};

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

/// Signatures a second through the signing pool, as JSON: of one core's time with one thread, and of time that
/// passes with one thread and with a thread a core. `loadtest/` reads it.
pub fn print_pool() {
    let cores = std::thread::available_parallelism().unwrap();
    let keys = [("rsa", RSA), ("ecdsa", ECDSA)].map(|(name, pem)| {
        let (used, one) = pool_rates(pem, NonZeroUsize::MIN);
        let (_, all) = pool_rates(pem, cores);
        format!("\"{name}\":{{\"a_core\":{used},\"one\":{one},\"all\":{all}}}")
    });
    println!("{{{},\"cores\":{cores}}}", keys.join(","));
}

/// Signatures per second of processor time of the whole process, and per second that passes. Jobs are as long as
/// the link service makes them, and as many are under way.
fn pool_rates(pem: &[u8], threads: NonZeroUsize) -> (f64, f64) {
    let key = Arc::new(PrivateKey::from_pem(pem, NonceMode::Random).unwrap());
    let (hash, pool) = (key.default_hash(), SigningPool::start(threads).unwrap());
    let size = (JOB_MICROS / key.cost_micros().max(1)).clamp(1, 32);
    let (start, used, pool) = (Instant::now(), cpu_seconds(), &pool);
    let worker = |lane: usize| {
        let key = Arc::clone(&key);
        async move {
            let mut made = 0;
            while start.elapsed() < POOL_TIME {
                let key = Arc::clone(&key);
                let job = move || {
                    for index in 0..size {
                        key.sign(black_box(format!("{URL}{index}").as_bytes()), hash).unwrap();
                    }
                };
                pool.run(Lane(lane as u64), job).await.unwrap();
                made += size;
            }
            made
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let made = runtime.block_on(join_all((0..threads.get() * 2).map(worker))).into_iter().sum::<u64>() as f64;
    (made / (cpu_seconds() - used), made / start.elapsed().as_secs_f64())
}

/// User and system time of this process so far, in hundredths as the kernel counts it.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).sum()
}

/// What the link service signs at a stretch.
const JOB_MICROS: u64 = 1_000;
const POOL_TIME: Duration = Duration::from_secs(2);

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
