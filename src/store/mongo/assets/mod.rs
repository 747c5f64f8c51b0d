//! The store of assets.
//!
//! `find`: the ways to read. `change`: the ways to change, each in one transaction with the tenant's usage and the
//! asset's row in `media_ids`.

mod change;
mod find;

use async_trait::async_trait;

use super::Mongo;
use super::calls::Call;
use super::usage::Delta;
use crate::media::{Asset, AssetId, TenantId, Timestamp, Usage};
use crate::service::ports::{
    AssetFilter, AssetStore, Due, InsertTerms, Inserted, ListPosition, StoreError, Update,
};
use change::{Insertion, Removal, Replacement, Tried};

/// How often an insertion is begun anew that met a call of its name which is gone when it is looked for.
const MEETINGS: usize = 3;

/// An asset is put in for a tenant that isn't there.
#[derive(Debug, thiserror::Error)]
#[error("the tenant {0} has no group")]
struct NoGroup(TenantId);

#[async_trait]
impl AssetStore for Mongo {
    async fn insert(&self, asset: &Asset, terms: &InsertTerms) -> Result<Inserted, StoreError> {
        let database = self.database_of(&asset.tenant).await?;
        let database = database.ok_or_else(|| StoreError::corrupt(NoGroup(asset.tenant.clone())))?;
        let call = terms.call.as_ref().map(|call| Call::new(asset, call, terms.now));
        let insertion = Insertion::new(asset, &database, call, terms.quota)?;
        for _ in 0..MEETINGS {
            if let Some(call) = &terms.call
                && let Some(before) = self.call_before(&asset.tenant, &database, call, terms.now).await?
            {
                return Ok(before);
            }
            match self.change(&asset.tenant, &database, &insertion).await? {
                Tried::Done(inserted) => return Ok(inserted),
                Tried::Called => {}
            }
        }
        Err(StoreError::unavailable("calls of the same name come and go"))
    }

    async fn find(&self, tenant: &TenantId, id: AssetId) -> Result<Option<Asset>, StoreError> {
        match self.database_of(tenant).await? {
            Some(database) => self.find_in(&database, tenant, id).await,
            None => Ok(None),
        }
    }

    async fn find_many(&self, tenant: &TenantId, ids: &[AssetId]) -> Result<Vec<Asset>, StoreError> {
        match self.database_of(tenant).await? {
            Some(database) if !ids.is_empty() => self.find_many_in(&database, tenant, ids).await,
            _ => Ok(Vec::new()),
        }
    }

    async fn find_anywhere(&self, id: AssetId) -> Result<Option<Asset>, StoreError> {
        match self.place_of(id).await? {
            Some(place) => self.find_in(&place.db_key, &place.group_id, id).await,
            None => Ok(None),
        }
    }

    async fn existing(&self, ids: &[AssetId]) -> Result<Vec<AssetId>, StoreError> {
        self.taken(ids).await
    }

    async fn list(
        &self,
        tenant: &TenantId,
        filter: &AssetFilter,
        after: Option<ListPosition>,
        limit: usize,
    ) -> Result<Vec<Asset>, StoreError> {
        match self.database_of(tenant).await? {
            Some(database) => self.list_in(&database, tenant, filter, after, limit).await,
            None => Ok(Vec::new()),
        }
    }

    async fn update(&self, asset: &Asset) -> Result<Update, StoreError> {
        let Some(database) = self.database_of(&asset.tenant).await? else { return Ok(Update::Stale) };
        // A revision is one state: what is read here is what the replacement finds, or it finds nothing.
        let before = self.find_in(&database, &asset.tenant, asset.id).await?;
        let before = before.filter(|before| before.revision.checked_add(1) == Some(asset.revision));
        let Some(before) = before else { return Ok(Update::Stale) };
        let replacement = Replacement::new(&before, asset)?;
        if before.due_at == asset.due_at && Delta::between(Some(&before), Some(asset)).is_none() {
            return self.replace(&database, &replacement).await;
        }
        self.change(&asset.tenant, &database, &replacement).await
    }

    async fn remove(&self, asset: &Asset) -> Result<Update, StoreError> {
        let Some(database) = self.database_of(&asset.tenant).await? else { return Ok(Update::Stale) };
        let before = self.find_in(&database, &asset.tenant, asset.id).await?;
        let Some(before) = before.filter(|before| before.revision == asset.revision) else {
            return Ok(Update::Stale);
        };
        self.change(&asset.tenant, &database, &Removal::new(before)?).await
    }

    async fn usage(&self, tenant: &TenantId) -> Result<Usage, StoreError> {
        match self.database_of(tenant).await? {
            Some(database) => self.usage_in(&database, tenant).await,
            None => Ok(Usage::default()),
        }
    }

    async fn due(&self, now: Timestamp, after: Option<&Due>, limit: usize) -> Result<Vec<Due>, StoreError> {
        self.due_rows(now, after, limit).await
    }

    async fn forget_due(&self, due: &Due) -> Result<(), StoreError> {
        self.forget_row(due).await
    }
}
