//! The store of assets.
//!
//! `find`: queries. Changes that also affect the tenant's usage or the asset's row in `media_ids` are transactions
//! (`writes`); others are single commands.

mod find;

use std::sync::Arc;

use async_trait::async_trait;
use mongodb::bson::{Document, doc};
use mongodb::options::Hint;

use super::Mongo;
use super::calls::Call;
use super::connection_permits::Work;
use super::indexes::ASSETS;
use super::writes::{Insertion, Outcome, Removal, Replacement, Write};
use crate::media::{Asset, AssetId, TenantId, Timestamp, Usage};
use crate::service::ports::{
    AssetFilter, AssetStore, Due, InsertTerms, Inserted, ListPosition, StoreError, Update,
};

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
        for _ in 0..MEETINGS {
            if let Some(call) = &terms.call
                && let Some(before) = self.call_before(&asset.tenant, &database, call, terms.now).await?
            {
                return Ok(before);
            }
            let call = terms.call.as_ref().map(|call| Call::new(asset, call, terms.now));
            let insertion = Insertion::new(asset, &database, call, terms.quota)?;
            match self.write(&asset.tenant, &database, Write::Insert(insertion.into())).await? {
                Outcome::Inserted(inserted) => return Ok(inserted),
                Outcome::Called => {}
                Outcome::Updated(_) => return Err(misanswered()),
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
            Some(place) => self.find_in(&place.db_key.into(), &place.group_id, id).await,
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
        if replacement.is_alone() {
            return self.replace(&database, replacement).await;
        }
        self.update_by(&asset.tenant, &database, Write::Replace(replacement.into())).await
    }

    async fn remove(&self, asset: &Asset) -> Result<Update, StoreError> {
        let Some(database) = self.database_of(&asset.tenant).await? else { return Ok(Update::Stale) };
        let before = self.find_in(&database, &asset.tenant, asset.id).await?;
        let Some(before) = before.filter(|before| before.revision == asset.revision) else {
            return Ok(Update::Stale);
        };
        self.update_by(&asset.tenant, &database, Write::Remove(Removal::new(before)?.into())).await
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

impl Mongo {
    async fn update_by(
        &self,
        tenant: &TenantId,
        database: &Arc<str>,
        write: Write,
    ) -> Result<Update, StoreError> {
        match self.write(tenant, database, write).await? {
            Outcome::Updated(update) => Ok(update),
            Outcome::Inserted(_) | Outcome::Called => Err(misanswered()),
        }
    }

    /// Replaces an asset by a single command, when no other document changes.
    async fn replace(&self, database: &str, replacement: Replacement) -> Result<Update, StoreError> {
        let cluster = &self.0.cluster;
        let tenant = replacement.asset.tenant.clone();
        let replaced = cluster
            .tenant(&tenant, Work::Write, database, |database| async move {
                let assets = database.collection::<Document>(ASSETS);
                let replace = assets.find_one_and_replace(replacement.before, replacement.record);
                let replace = replace.projection(doc! { "_id": 1 }).hint(Hint::Keys(doc! { "_id": 1 }));
                replace.max_time(cluster.max_time()).await
            })
            .await?;
        Ok(if replaced.is_some() { Update::Done } else { Update::Stale })
    }
}

/// The error of a write that got the outcome of another kind, which would be a bug.
fn misanswered() -> StoreError {
    StoreError::corrupt("a write was answered as one of another kind")
}
