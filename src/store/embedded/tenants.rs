//! The store of tenants.

use async_trait::async_trait;
use redb::{ReadTransaction, ReadableTable};

use super::Embedded;
use super::tables::{self, API_KEYS, TENANTS};
use crate::media::{Tenant, TenantId};
use crate::service::ports::{ApiKey, StoreError, TenantStore};

#[async_trait]
impl TenantStore for Embedded {
    async fn find(&self, id: &TenantId) -> Result<Option<Tenant>, StoreError> {
        self.read_now(|transaction| find(transaction, id.as_str()))
    }

    async fn find_by_api_key(&self, key: &ApiKey) -> Result<Option<Tenant>, StoreError> {
        let digest = key.digest().as_bytes();
        self.read_now(|transaction| match transaction.open_table(API_KEYS)?.get(digest)? {
            Some(id) => find(transaction, id.value()),
            None => Ok(None),
        })
    }
}

impl Embedded {
    /// All tenants that were ever put in, in the order of their ids.
    ///
    /// # Errors
    /// The database's.
    pub async fn tenants(&self) -> Result<Vec<Tenant>, StoreError> {
        self.read(|transaction| {
            let table = transaction.open_table(TENANTS)?;
            let rows = table.iter()?;
            rows.map(|row| tables::decode(row?.1.value())).collect()
        })
        .await
    }

    /// Puts a tenant in, or replaces the one with its id; the API key that it had is good no more.
    /// `false` where its API key is another tenant's: nothing is changed.
    ///
    /// # Errors
    /// The database's.
    pub async fn put_tenant(&self, tenant: &Tenant) -> Result<bool, StoreError> {
        let (tenant, value) = (tenant.clone(), tables::encode(tenant)?);
        self.0
            .writer
            .write(move |transaction| {
                let id = tenant.id.as_str();
                let (mut tenants, mut api_keys) =
                    (transaction.open_table(TENANTS)?, transaction.open_table(API_KEYS)?);
                let old = tenants.get(id)?.map(|old| tables::decode::<Tenant>(old.value())).transpose();
                let old = match old {
                    Ok(old) => old,
                    Err(unreadable) => return Ok(Err(unreadable)),
                };
                if let Some(digest) = &tenant.api_key
                    && api_keys.get(digest.as_bytes())?.is_some_and(|owner| owner.value() != id)
                {
                    return Ok(Ok(false));
                }
                if let Some(digest) = old.and_then(|old| old.api_key) {
                    api_keys.remove(digest.as_bytes())?;
                }
                if let Some(digest) = &tenant.api_key {
                    api_keys.insert(digest.as_bytes(), id)?;
                }
                tenants.insert(id, value.as_slice())?;
                Ok(Ok(true))
            })
            .await?
    }
}

fn find(transaction: &ReadTransaction, id: &str) -> Result<Option<Tenant>, StoreError> {
    let value = transaction.open_table(TENANTS)?.get(id)?;
    value.map(|value| tables::decode(value.value())).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_tenant_that_was_stored_before_there_were_profiles_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let store = Embedded::open(folder.path()).unwrap();
        let old = br#"{"id":"t_1","key":"demo","db_key":"demo_db","frozen":true,"api_key":null}"#;
        let put = store.0.writer.write(move |transaction| {
            transaction.open_table(TENANTS)?.insert("t_1", old.as_slice())?;
            Ok(())
        });
        put.await.unwrap();
        let found = TenantStore::find(&store, &"t_1".parse().unwrap()).await.unwrap().unwrap();
        assert_eq!((found.key.as_str(), found.frozen, &found.profile), ("demo", true, &None));
        let with = Tenant { profile: Some("shop".into()), ..found };
        assert!(store.put_tenant(&with).await.unwrap());
        assert_eq!(TenantStore::find(&store, &with.id).await.unwrap(), Some(with));
    }
}
