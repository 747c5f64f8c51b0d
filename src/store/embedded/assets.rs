//! The store of assets.

use async_trait::async_trait;
use redb::{ReadTransaction, ReadableTable, WriteTransaction};

use super::Embedded;
use super::calls::{self, CallRecord};
use super::tables::{self, ASSET_PLACES, ASSETS, USAGE};
use crate::media::{Asset, AssetId, TenantId, Timestamp};
use crate::service::ports::{
    AssetFilter, AssetStore, Inserted, ListPosition, NamedCall, StoreError, Update, Usage,
};

#[async_trait]
impl AssetStore for Embedded {
    async fn insert(&self, asset: &Asset) -> Result<bool, StoreError> {
        let (asset, value) = (asset.clone(), tables::encode(asset)?);
        self.0.writer.write(move |transaction| insert(transaction, &asset, &value)).await
    }

    async fn insert_once(
        &self,
        asset: &Asset,
        call: &NamedCall,
        now: Timestamp,
    ) -> Result<Inserted, StoreError> {
        let (asset, value) = (asset.clone(), tables::encode(asset)?);
        let (place, record) = (calls::place(&asset, call), CallRecord::new(&asset, call));
        let call_value = tables::encode(&record)?;
        self.0
            .writer
            .write(move |transaction| {
                match calls::find(transaction, &place, now)? {
                    Err(unreadable) => return Ok(Err(unreadable)),
                    Ok(Some(CallRecord { asset, fingerprint, .. })) => {
                        return Ok(Ok(Inserted::Before { asset, fingerprint }));
                    }
                    Ok(None) => {}
                }
                if !insert(transaction, &asset, &value)? {
                    return Ok(Ok(Inserted::Taken));
                }
                calls::remember(transaction, &place, &record, &call_value, now)?;
                Ok(Ok(Inserted::New))
            })
            .await?
    }

    async fn find(&self, tenant: &TenantId, id: AssetId) -> Result<Option<Asset>, StoreError> {
        Ok(self.find_anywhere(id).await?.filter(|asset| asset.tenant == *tenant))
    }

    async fn find_many(&self, tenant: &TenantId, ids: &[AssetId]) -> Result<Vec<Asset>, StoreError> {
        let (tenant, mut ids) = (tenant.clone(), ids.to_vec());
        ids.sort_unstable();
        ids.dedup();
        self.read(move |transaction| find_many(transaction, &tenant, &ids)).await
    }

    async fn find_anywhere(&self, id: AssetId) -> Result<Option<Asset>, StoreError> {
        self.read_now(|transaction| {
            let Some(place) = transaction.open_table(ASSET_PLACES)?.get(id.to_bytes())? else {
                return Ok(None);
            };
            let value = transaction.open_table(ASSETS)?.get(place.value())?;
            value.map(|value| tables::decode(value.value())).transpose()
        })
    }

    async fn existing(&self, ids: &[AssetId]) -> Result<Vec<AssetId>, StoreError> {
        let ids = ids.to_vec();
        self.read(move |transaction| {
            let places = transaction.open_table(ASSET_PLACES)?;
            let mut existing = Vec::new();
            for id in ids {
                if places.get(id.to_bytes())?.is_some() {
                    existing.push(id);
                }
            }
            Ok(existing)
        })
        .await
    }

    async fn list(
        &self,
        tenant: &TenantId,
        filter: &AssetFilter,
        after: Option<ListPosition>,
        limit: usize,
    ) -> Result<Vec<Asset>, StoreError> {
        let (tenant, filter) = (tenant.clone(), filter.clone());
        self.read(move |transaction| list(transaction, &tenant, &filter, after, limit)).await
    }

    async fn update(&self, asset: &Asset) -> Result<Update, StoreError> {
        let (asset, value) = (asset.clone(), tables::encode(asset)?);
        self.0
            .writer
            .write(move |transaction| {
                // An asset lies where its tenant, time and id say, or it isn't there.
                let place = tables::place(&asset);
                let mut assets = transaction.open_table(ASSETS)?;
                let stored =
                    assets.get(place.as_slice())?.map(|stored| tables::decode::<Asset>(stored.value()));
                let stored = match stored {
                    None => return Ok(Ok(Update::Stale)),
                    Some(Err(unreadable)) => return Ok(Err(unreadable)),
                    Some(Ok(stored)) => stored,
                };
                if stored.revision.checked_add(1) != Some(asset.revision) {
                    return Ok(Ok(Update::Stale));
                }
                assets.insert(place.as_slice(), value.as_slice())?;
                count(transaction, Some(&stored), &asset)?;
                Ok(Ok(Update::Done))
            })
            .await?
    }

    async fn usage(&self, tenant: &TenantId) -> Result<Usage, StoreError> {
        self.read_now(|transaction| {
            let row = transaction.open_table(USAGE)?.get(tenant.as_str())?;
            let (count, bytes) = row.map(|row| row.value()).unwrap_or_default();
            Ok(Usage { count, bytes })
        })
    }
}

/// `false` where the id is taken.
fn insert(transaction: &WriteTransaction, asset: &Asset, value: &[u8]) -> Result<bool, redb::Error> {
    let mut places = transaction.open_table(ASSET_PLACES)?;
    if places.get(asset.id.to_bytes())?.is_some() {
        return Ok(false);
    }
    let place = tables::place(asset);
    places.insert(asset.id.to_bytes(), place.as_slice())?;
    transaction.open_table(ASSETS)?.insert(place.as_slice(), value)?;
    count(transaction, None, asset)?;
    Ok(true)
}

fn find_many(
    transaction: &ReadTransaction,
    tenant: &TenantId,
    ids: &[AssetId],
) -> Result<Vec<Asset>, StoreError> {
    let (places, assets) = (transaction.open_table(ASSET_PLACES)?, transaction.open_table(ASSETS)?);
    let own = tables::first_place(tenant);
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        let Some(place) = places.get(id.to_bytes())? else { continue };
        if !place.value().starts_with(&own) {
            continue;
        }
        if let Some(value) = assets.get(place.value())? {
            found.push(tables::decode(value.value())?);
        }
    }
    Ok(found)
}

/// Holds no more than `limit` assets at a time, however many a filter passes over.
fn list(
    transaction: &ReadTransaction,
    tenant: &TenantId,
    filter: &AssetFilter,
    after: Option<ListPosition>,
    limit: usize,
) -> Result<Vec<Asset>, StoreError> {
    let first = tables::first_place(tenant);
    let end = match after {
        Some(position) => tables::place_of(tenant, position.created_at, position.id),
        None => tables::after_last_place(tenant),
    };
    let assets = transaction.open_table(ASSETS)?;
    let mut page = Vec::new();
    for row in assets.range(first.as_slice()..end.as_slice())?.rev() {
        if page.len() >= limit {
            break;
        }
        let asset: Asset = tables::decode(row?.1.value())?;
        if filter.takes(&asset) {
            page.push(asset);
        }
    }
    Ok(page)
}

/// Keeps the tenant's usage right in the transaction that changes one of its assets.
fn count(transaction: &WriteTransaction, before: Option<&Asset>, after: &Asset) -> Result<(), redb::Error> {
    let counted = |asset: &Asset| if asset.is_servable() { (1, asset.size_bytes) } else { (0, 0) };
    let (old, new) = (before.map(counted).unwrap_or_default(), counted(after));
    if old == new {
        return Ok(());
    }
    let mut usage = transaction.open_table(USAGE)?;
    let tenant = after.tenant.as_str();
    let (count, bytes) = usage.get(tenant)?.map(|row| row.value()).unwrap_or_default();
    let changed = (
        count.saturating_add(new.0).saturating_sub(old.0),
        bytes.saturating_add(new.1).saturating_sub(old.1),
    );
    usage.insert(tenant, changed)?;
    Ok(())
}
