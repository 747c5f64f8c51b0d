//! What every store of tenants must do. Reading is the port; how tenants get in is each store's own affair.

use std::sync::Arc;

use signet::media::{ApiKeyDigest, Quota, Tenant};
use signet::service::ports::TenantStore;

use super::fresh_tenant;

type Store = Arc<dyn TenantStore>;

/// Tenants of each kind, to be put in before [`all`] is called with them.
pub fn samples() -> Vec<Tenant> {
    let tenant = |key: &str, db_key: Option<&str>, frozen, api_key| Tenant {
        id: fresh_tenant(),
        key: key.into(),
        db_key: db_key.map(Into::into),
        frozen,
        quota: Quota::NONE,
        profile: frozen.then(|| "shop".to_owned()),
        api_key,
    };
    vec![
        tenant("thecomedycollective", Some("comedy_db"), false, Some(ApiKeyDigest::new(rand::random()))),
        tenant("frozen", Some("frozen_db"), true, Some(ApiKeyDigest::new(rand::random()))),
        tenant("keyless", None, false, None),
    ]
}

/// All checks.
pub async fn all(store: Store, stored: &[Tenant]) {
    for tenant in stored {
        assert_eq!(store.find(&tenant.id).await.unwrap().as_ref(), Some(tenant));
        if let Some(digest) = &tenant.api_key {
            assert_eq!(store.find_by_api_key(digest).await.unwrap().as_ref(), Some(tenant));
        }
    }
    assert_eq!(store.find(&fresh_tenant()).await.unwrap(), None);
    let upper = stored[0].id.as_str().to_ascii_uppercase().parse().unwrap();
    assert_eq!(store.find(&upper).await.unwrap(), None, "ids are compared byte for byte");
    assert_eq!(store.find_by_api_key(&ApiKeyDigest::new(rand::random())).await.unwrap(), None);
    assert_eq!(store.find_by_api_key(&ApiKeyDigest::new([0; 32])).await.unwrap(), None);
}
