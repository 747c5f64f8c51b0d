//! Assets and tenants for `loadtest/`, put straight into an embedded store: a million uploads through the API would
//! take hours.

use std::path::Path;

use futures_util::future::join_all;
use signet::media::{
    Asset, AssetId, ContentType, Filename, Metadata, NewUpload, ObjectKey, Periods, Quota, Tenant, TenantId,
    Timestamp, Visibility,
};
use signet::service::ports::{AssetStore, InsertTerms, api_key_digest};
use signet::store::embedded::Embedded;

/// The id of asset 0; that of asset `n` is `n` further.
const FIRST: &str = "med_01JC8Z3V5N0000000000000000";
/// How many are under way at a time: the store commits what waits in one transaction.
const AT_ONCE: u64 = 4_096;

/// `FOLDER TENANT ASSETS TENANTS`: puts READY, PUBLIC assets of a tenant into the store of a folder, and tenants
/// `t_load_{n}` with the slug `load-{n}` and the API key `load-test-{n}`.
pub fn run(arguments: &[String]) {
    let [folder, tenant, assets, tenants] = arguments else { panic!("--seed FOLDER TENANT ASSETS TENANTS") };
    let tenant: TenantId = tenant.parse().unwrap();
    let store = Embedded::open(Path::new(folder)).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    runtime.block_on(async {
        let now = Timestamp::from_seconds(1_790_000_000);
        let terms = InsertTerms { call: None, quota: Quota::NONE, now };
        for numbers in batches(assets.parse().unwrap()) {
            let made: Vec<Asset> = numbers.map(|number| asset(number, &tenant, now)).collect();
            for put in join_all(made.iter().map(|asset| store.insert(asset, &terms))).await {
                put.unwrap();
            }
        }
        for numbers in batches(tenants.parse().unwrap()) {
            let made: Vec<Tenant> = numbers.map(other).collect();
            for put in join_all(made.iter().map(|tenant| store.put_tenant(tenant))).await {
                assert!(put.unwrap(), "an API key is another tenant's");
            }
        }
    });
}

fn batches(count: u64) -> impl Iterator<Item = std::ops::Range<u64>> {
    (0..count).step_by(AT_ONCE as usize).map(move |first| first..(first + AT_ONCE).min(count))
}

fn asset(number: u64, tenant: &TenantId, now: Timestamp) -> Asset {
    let mut bytes = FIRST.parse::<AssetId>().unwrap().to_bytes();
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    let id = AssetId::from_bytes(bytes);
    let upload = NewUpload {
        filename: Filename::clean("harbour.jpg").unwrap(),
        content_type: ContentType::parse("image/jpeg").unwrap(),
        size_bytes: 40_000,
        visibility: Visibility::Public,
        checksum: None,
        metadata: Metadata::default(),
    };
    let key = ObjectKey::parse(format!("{id}/harbour.jpg")).unwrap();
    Asset::pending(id, tenant.clone(), key, upload, now, &Periods::default()).ready(None, now).unwrap()
}

fn other(number: u64) -> Tenant {
    Tenant {
        id: format!("t_load_{number}").parse().unwrap(),
        key: format!("load-{number}"),
        db_key: None,
        frozen: false,
        profile: None,
        quota: Quota::NONE,
        api_key: Some(api_key_digest(&format!("load-test-{number}"))),
    }
}
