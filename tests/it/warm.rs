//! Documents whose links are ready are the documents that would be made anew: in every second, over
//! windows that roll and keys that rotate.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use signet::cloudfront::{NonceMode, PrivateKey, Window};
use signet::document::{Limits, MediaHost, Profile, References, Rules};
use signet::media::Timestamp;
use signet::service::Profiles;
use signet::service::delivery::Delivery;
use signet::service::documents::{DocumentOptions, Documents};
use signet::service::key_ring::{KeyRing, RingKey};
use signet::service::layout::{Layout, Place, Template};
use signet::service::link_cache::LinkCache;
use signet::service::links::{GrantScope, Life, LinkService, LinkSettings, OnFailure};
use signet::service::ports::{Clock, NoMeter};
use signet::service::signature_budget::SignatureBudget;
use signet::service::signing_pool::SigningPool;

const START: u64 = 1_800_000_000;
const TTL: u64 = 60;
const PRIVATE_TTL: u64 = 20;

struct Hands(AtomicU64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(self.0.load(Ordering::Relaxed))
    }
}

#[tokio::test]
async fn a_warm_document_is_the_one_that_would_be_made_anew() {
    for scope in [GrantScope::Url, GrantScope::Asset] {
        let clock = Arc::new(Hands(AtomicU64::new(START)));
        let ring = Arc::new(KeyRing::new(vec![key("KONE", 0), key("KTWO", START + 50)]).unwrap());
        let warm = documents(&ring, &clock, scope);
        let mut seen = std::collections::HashSet::new();
        for second in 0..2 * TTL {
            clock.0.store(START + second, Ordering::Relaxed);
            if second == 80 {
                ring.replace(vec![key("KTHREE", 0)], START + second).unwrap();
            }
            let (ready, anew) = (sign(&warm).await, sign(&documents(&ring, &clock, scope)).await);
            assert_eq!(ready, anew, "second {second}");
            seen.insert(ready.0);
        }
        assert!(seen.len() > 8, "nothing rolled: {}", seen.len());
    }
}

async fn sign((documents, place): &(Documents, Place)) -> (String, Option<u64>) {
    let files = (0..4).map(|index| {
        format!(
            r#"{{"key":"{}a/{index}.png","type":"image","meta":{{"derivatives":[320,640],"derivativeFormat":"jpg"}}}}"#,
            if index == 0 { "private/" } else { "" }
        )
    });
    let files: Vec<String> = files.collect();
    let url = r#""https://media.example.com/vivreal-demo/b.png?w=1&Expires=1&Signature=x&Key-Pair-Id=K""#;
    let input = format!("[{0},{0},{url},{url}]", files.join(","));
    let signed =
        documents.sign_at(place, None, Bytes::from(input), DocumentOptions::default()).await.unwrap();
    assert_eq!((signed.found, signed.signed), (10, 10));
    (String::from_utf8(signed.body.to_bytes().to_vec()).unwrap(), signed.max_age)
}

fn documents(ring: &Arc<KeyRing>, clock: &Arc<Hands>, scope: GrantScope) -> (Documents, Place) {
    let template = || Template::parse("vivreal-{key}").unwrap();
    let layout = Arc::new(Layout::new("https://media.example.com", &[], template(), template()));
    let place = layout.place_of("vivreal-demo", "vivreal-demo");
    let links = LinkService::new(
        Arc::clone(ring),
        LinkCache::new(10_000_000, [1; 16]),
        SigningPool::start(NonZeroUsize::MIN).unwrap(),
        SignatureBudget::unlimited(),
        Arc::clone(clock) as Arc<dyn Clock>,
        Arc::new(NoMeter),
        LinkSettings {
            life: Life::Window(Window::new(TTL).unwrap()),
            private_life: Life::Window(Window::new(PRIVATE_TTL).unwrap()),
            scope,
            on_failure: OnFailure::Refuse,
        },
    );
    let rules = Rules {
        profile: Profile::vivreal(),
        hosts: vec![MediaHost::host("media.example.com")],
        references: References::Leave,
        limits: Limits::default(),
    };
    (
        Documents::new(
            Profiles::only("vivreal", rules),
            None,
            Delivery::signed(layout, links),
            Arc::new(NoMeter),
        ),
        place,
    )
}

fn key(id: &str, not_before: u64) -> RingKey {
    let pem = std::fs::read("tests/vectors/ecdsa.pem").unwrap();
    let private = PrivateKey::from_pem(&pem, NonceMode::Deterministic).unwrap();
    RingKey {
        id: id.parse().unwrap(),
        public: private.public_key(),
        hash: private.default_hash(),
        private,
        not_before,
        retire_at: None,
    }
}
