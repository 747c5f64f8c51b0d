//! What every store of tenants must do. Reading is the port; how tenants get in is each store's own affair.

use std::sync::Arc;

use signet::media::{Quota, Tenant};
use signet::service::ports::{ApiKey, TenantStore};

use super::fresh_tenant;

type Store = Arc<dyn TenantStore>;

/// A tenant, and its API key.
pub type Sample = (Tenant, Option<ApiKey>);

/// Tenants of each kind, to be put in before [`all`] is called with them.
pub fn samples() -> Vec<Sample> {
    let tenant = |key: &str, db_key: Option<&str>, frozen, api_key: Option<ApiKey>| {
        let tenant = Tenant {
            id: fresh_tenant(),
            key: key.into(),
            db_key: db_key.map(Into::into),
            frozen,
            quota: Quota::NONE,
            profile: frozen.then(|| "shop".to_owned()),
            api_key: api_key.as_ref().map(|key| *key.digest()),
        };
        (tenant, api_key)
    };
    vec![
        tenant("thecomedycollective", Some("comedy_db"), false, Some(fresh_key())),
        tenant("frozen", Some("frozen_db"), true, Some(fresh_key())),
        tenant("keyless", None, false, None),
    ]
}

/// All checks.
pub async fn all(store: Store, stored: &[Sample]) {
    for (tenant, api_key) in stored {
        assert_eq!(store.find(&tenant.id).await.unwrap().as_ref(), Some(tenant));
        if let Some(key) = api_key {
            assert_eq!(store.find_by_api_key(key).await.unwrap().as_ref(), Some(tenant));
        }
    }
    assert_eq!(store.find(&fresh_tenant()).await.unwrap(), None);
    let upper = stored[0].0.id.as_str().to_ascii_uppercase().parse().unwrap();
    assert_eq!(store.find(&upper).await.unwrap(), None, "ids are compared byte for byte");
    for stranger in [fresh_key(), ApiKey::new(""), ApiKey::new("null"), ApiKey::new("{\"$ne\":null}")] {
        assert_eq!(store.find_by_api_key(&stranger).await.unwrap(), None);
    }
}

fn fresh_key() -> ApiKey {
    ApiKey::new(&format!("sk-{}", ulid::Ulid::generate()))
}
