//! Random documents through the real service: every link in them is one that CloudFront would serve,
//! every other byte is as it was, and signing twice is signing once.

use std::num::NonZeroUsize;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use signet::cloudfront::{KeyPairId, NonceMode, PrivateKey, PublicKey, Window};
use signet::document::{Limits, MediaHost, Profile, References, Rules};
use signet::service::delivery::Delivery;
use signet::service::documents::{DocumentOptions, Documents};
use signet::service::key_ring::{KeyRing, RingKey};
use signet::service::layout::{Layout, Place, Template};
use signet::service::link_cache::LinkCache;
use signet::service::links::{GrantScope, Life, LinkService, LinkSettings};
use signet::service::ports::{NoMeter, SystemClock};
use signet::service::profiles::Profiles;
use signet::service::signature_budget::SignatureBudget;
use signet::service::signing_pool::SigningPool;

use crate::support::program::file;
use crate::support::splices::changes;
use crate::support::verify::{assert_served, now};

const HOST: &str = "media.example.com";
const ROOT: &str = "https://media.example.com/vivreal-demo/";

fn documents(scope: GrantScope) -> (Documents, Place, PublicKey) {
    let private =
        PrivateKey::from_pem(&std::fs::read(file("vectors/ecdsa")).unwrap(), NonceMode::Deterministic);
    let private = private.unwrap();
    let (public, hash) = (private.public_key(), private.default_hash());
    let id = KeyPairId::new("K2JCJMDEHXQW5F").unwrap();
    let key = RingKey { id, private, public: public.clone(), hash, not_before: 0, retire_at: None };
    let template = || Template::parse("vivreal-{key}").unwrap();
    let layout = Arc::new(Layout::new(&format!("https://{HOST}"), &[], template(), template()));
    let place = layout.place_of("vivreal-demo", "vivreal-demo");
    // So long that no window rolls over during the test.
    let life = Life::Window(Window::new(604_800).unwrap());
    let links = LinkService::new(
        Arc::new(KeyRing::new(vec![key]).unwrap()),
        LinkCache::new(10_000_000, [3; 16]),
        SigningPool::start(NonZeroUsize::new(2).unwrap()).unwrap(),
        SignatureBudget::unlimited(),
        Arc::new(SystemClock),
        Arc::new(NoMeter),
        LinkSettings::strict(life, scope),
    );
    let rules = Rules {
        profile: Profile::vivreal(),
        hosts: vec![MediaHost::host(HOST)],
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
        public,
    )
}

/// Keys of few files, so that some come again, and some that no store can hold.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => (0..40_u8, select(vec!["jpg", "png", "mp4"])).prop_map(|(n, ending)| format!("groupObjects/{n}/größe {n}.{ending}")),
        1 => select(vec!["private/a.jpg", "a//b.jpg", "../up.png", "terms", "a/b"]).prop_map(str::to_owned),
    ]
}

fn url() -> impl Strategy<Value = String> {
    key().prop_map(|key| format!("{ROOT}{}", key.replace(' ', "%20").replace("größe", "gr")))
}

fn media() -> impl Strategy<Value = Value> {
    prop_oneof![
        key().prop_map(|key| json!({"key": key, "name": "a \"name\" \u{1F600}"})),
        key().prop_map(|key| json!({"type": "image", "key": key, "currentFile": {"source": "old"}})),
        (key(), any::<bool>()).prop_map(|(key, good)| {
            let widths = if good { json!([640, 320]) } else { json!(["640"]) };
            json!({"key": key, "meta": {"derivatives": widths, "derivativeFormat": "jpg"}, "deep": [{"key": "a/in.png", "size": 1.0}]})
        }),
        (url(), any::<bool>()).prop_map(|(url, old)| {
            json!(if old { format!("{url}?w=1&Expires=1&Signature=x&Key-Pair-Id=K") } else { url })
        }),
        (key(), url()).prop_map(|(key, url)| {
            json!(format!("<p>é <img data-media-key=\"{key}\" alt='x'><a href=\"{url}\">file</a><br>"))
        }),
        url().prop_map(|url| json!(format!("text with {url} in it"))),
        Just(json!("https://media.example.com/vivreal-other/a.png")),
        Just(json!("med_01J8ZK6Q1TV4VY4RC7VQ5X9Y2B")),
    ]
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        3 => media(),
        1 => any::<f64>().prop_map(|number| json!(number)),
        1 => ".{0,12}".prop_map(|text| json!(text)),
        1 => Just(Value::Null),
    ];
    let tree = leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            proptest::collection::vec((select(vec!["a", "key", "name", "type", "images", "é"]), inner), 0..5)
                .prop_map(|members| members
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect()),
        ]
    });
    proptest::collection::vec(tree, 4..16).prop_map(Value::Array)
}

#[test]
fn every_link_of_a_random_document_is_served_and_signing_twice_is_signing_once() {
    for scope in [GrantScope::Url, GrantScope::Asset] {
        let (documents, place, public) = documents(scope);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let sign = |input: Bytes| {
            let options = DocumentOptions { report: true, ..DocumentOptions::default() };
            runtime.block_on(documents.sign_at(&place, None, input, options)).unwrap()
        };
        let links = std::cell::Cell::new(0);
        let mut runner =
            TestRunner::new(Config { cases: 150, failure_persistence: None, ..Config::default() });
        let run = runner.run(&document(), |document| {
            let input = Bytes::from(document.to_string());
            let signed = sign(input.clone());
            let output = signed.body.to_bytes();
            for link in changes(&input, &output).iter().flat_map(|change| change.links()) {
                assert_served(&link, &public, now());
                links.set(links.get() + 1);
            }
            let reported = signed.rows.iter().filter(|row| row.get("link").is_some()).count();
            prop_assert!(reported >= signed.signed, "{:?}", signed.rows);
            prop_assert_eq!(signed.rows.len(), signed.found);
            prop_assert_eq!(sign(output.clone()).body.to_bytes(), output);
            Ok(())
        });
        run.unwrap();
        assert!(links.get() > 1_000, "only {} links in all documents", links.get());
    }
}
