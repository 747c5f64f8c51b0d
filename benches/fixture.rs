//! A document like those of a large content site, and what signs it.

use std::num::NonZeroUsize;
use std::sync::Arc;

use bytes::Bytes;
use divan::black_box;
use signet::cloudfront::{HashAlgorithm, KeyPairId, NonceMode, PrivateKey, Window};
use signet::document::{Limits, MediaHost, Profile, References, Rules};
use signet::service::Profiles;
use signet::service::delivery::Delivery;
use signet::service::documents::{DocumentOptions, Documents, SignedDocument};
use signet::service::key_ring::{KeyRing, RingKey};
use signet::service::layout::{Layout, Place, Template};
use signet::service::link_cache::LinkCache;
use signet::service::links::{GrantScope, Life, LinkService, LinkSettings};
use signet::service::ports::{NoMeter, SystemClock};
use signet::service::signature_budget::SignatureBudget;
use signet::service::signing_pool::SigningPool;
use tokio::runtime::Runtime;

pub const RSA: &[u8] = include_bytes!("../tests/vectors/rsa.pem");
pub const ECDSA: &[u8] = include_bytes!("../tests/vectors/ecdsa.pem");
/// Memory for signatures: enough for every link of the document.
const CACHE_BYTES: u64 = 256 * 1024 * 1024;
const DESCRIPTORS: usize = 2_050;

/// 2,050 descriptors with three derivatives each, and prose: 700 KB.
pub fn document() -> Bytes {
    let mut json = String::from("{\"success\":true,\"data\":[");
    for index in 0..DESCRIPTORS {
        let comma = if index == 0 { "" } else { "," };
        json.push_str(&format!(
            "{comma}{{\"_id\":\"68bfac78{index:016x}\",\"title\":\"Harbour night no. {index}\",\"price\":19.90,\
             \"image\":{{\"name\":\"picture-{index}.jpg\",\"key\":\"groupObjects/68bfac783bc7c024975c90cb/\
             {index}/picture-{index}.jpg\",\"type\":\"image/jpeg\",\"meta\":{{\"derivatives\":[320,640,1280],\
             \"derivativeFormat\":\"jpg\"}}}},\"text\":\"Tea is served \\u2013 as ever, {index} times.\"}}"
        ));
    }
    json.push_str("]}");
    Bytes::from(json)
}

pub fn rules() -> Rules {
    Rules {
        profile: Profile::vivreal(),
        hosts: vec![MediaHost::host("media.example.com")],
        references: References::Leave,
        limits: Limits::default(),
    }
}

/// The service that signs documents, as `serve` joins it.
pub struct Signing {
    documents: Documents,
    place: Place,
    runtime: Runtime,
}

impl Signing {
    /// With links of a window so long that none rolls over in a run.
    pub fn new(pem: &[u8]) -> Self {
        let template = || Template::parse("vivreal-{key}").unwrap();
        let layout = Arc::new(Layout::new("https://media.example.com", &[], template(), template()));
        let life = Life::Window(Window::new(604_800).unwrap());
        let links = LinkService::new(
            Arc::new(KeyRing::new(vec![key(pem)]).unwrap()),
            LinkCache::new(CACHE_BYTES, [7; 16]),
            SigningPool::start(NonZeroUsize::MIN).unwrap(),
            SignatureBudget::unlimited(),
            Arc::new(SystemClock),
            Arc::new(NoMeter),
            LinkSettings::strict(life, GrantScope::Url),
        );
        let place = layout.place_of("vivreal-demo", "vivreal-demo");
        let documents = Documents::new(
            Profiles::only("vivreal", rules()),
            None,
            Delivery::signed(layout, links),
            Arc::new(NoMeter),
        );
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        Self { documents, place, runtime }
    }

    /// Signs a document and puts the answer together as the server does, block by block: how many bytes it has.
    pub fn answer(&self, input: &Bytes) -> usize {
        self.sign(input).body.into_blocks().map(|block| black_box(block).len()).sum()
    }

    /// Signs a document.
    pub fn sign(&self, input: &Bytes) -> SignedDocument {
        let options = DocumentOptions::default();
        self.runtime.block_on(self.documents.sign_at(&self.place, None, input.clone(), options)).unwrap()
    }
}

pub fn key(pem: &[u8]) -> RingKey {
    let private = PrivateKey::from_pem(pem, NonceMode::Random).unwrap();
    let hash: HashAlgorithm = private.default_hash();
    RingKey {
        id: KeyPairId::new("K2JCJMDEHXQW5F").unwrap(),
        public: private.public_key(),
        private,
        hash,
        not_before: 0,
        retire_at: None,
    }
}
