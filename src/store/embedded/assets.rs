//! The store of assets.

use async_trait::async_trait;
use redb::{ReadTransaction, ReadableTable, WriteTransaction};

use super::Embedded;
use super::calls::Call;
use super::tables::{self, ASSET_PLACES, ASSETS};
use super::{dues, usage};
use crate::media::{Asset, AssetId, TenantId, Timestamp, Usage};
use crate::service::ports::{
    AssetFilter, AssetStore, Due, InsertTerms, Inserted, ListPosition, StoreError, Update,
};

#[async_trait]
impl AssetStore for Embedded {
    async fn insert(&self, asset: &Asset, terms: &InsertTerms) -> Result<Inserted, StoreError> {
        let (asset, value) = (asset.clone(), tables::encode(asset)?);
        let call = terms.call.as_ref().map(|call| Call::new(&asset, call)).transpose()?;
        let (quota, now) = (terms.quota, terms.now);
        self.0
            .writer
            .write(move |transaction| {
                if let Some(call) = &call {
                    match call.before(transaction, now)? {
                        Err(unreadable) => return Ok(Err(unreadable)),
                        Ok(Some(before)) => return Ok(Ok(before)),
                        Ok(None) => {}
                    }
                }
                let usage = usage::of(transaction, &asset.tenant)?;
                if usage::counts(&asset) && !quota.has_room(&usage, asset.size_bytes) {
                    return Ok(Ok(Inserted::OverQuota(usage)));
                }
                if !insert(transaction, &asset, &value)? {
                    return Ok(Ok(Inserted::Taken));
                }
                if let Some(call) = &call {
                    call.remember(transaction, now)?;
                }
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
        let change = move |transaction: &WriteTransaction| {
            let place = tables::place(&asset);
            let before = match stored(transaction, &place)? {
                Err(unreadable) => return Ok(Err(unreadable)),
                Ok(Some(before)) if before.revision.checked_add(1) == Some(asset.revision) => before,
                Ok(_) => return Ok(Ok(Update::Stale)),
            };
            transaction.open_table(ASSETS)?.insert(place.as_slice(), value.as_slice())?;
            usage::change(transaction, Some(&before), Some(&asset))?;
            dues::change(transaction, Some(&before), Some(&asset))?;
            Ok(Ok(Update::Done))
        };
        self.0.writer.write(change).await?
    }

    async fn remove(&self, asset: &Asset) -> Result<Update, StoreError> {
        let asset = asset.clone();
        let change = move |transaction: &WriteTransaction| {
            let place = tables::place(&asset);
            let before = match stored(transaction, &place)? {
                Err(unreadable) => return Ok(Err(unreadable)),
                Ok(Some(before)) if before.revision == asset.revision => before,
                Ok(_) => return Ok(Ok(Update::Stale)),
            };
            transaction.open_table(ASSETS)?.remove(place.as_slice())?;
            transaction.open_table(ASSET_PLACES)?.remove(asset.id.to_bytes())?;
            usage::change(transaction, Some(&before), None)?;
            dues::change(transaction, Some(&before), None)?;
            Ok(Ok(Update::Done))
        };
        self.0.writer.write(change).await?
    }

    async fn usage(&self, tenant: &TenantId) -> Result<Usage, StoreError> {
        self.read_now(|transaction| usage::read(transaction, tenant))
    }

    async fn due(&self, now: Timestamp, after: Option<&Due>, limit: usize) -> Result<Vec<Due>, StoreError> {
        let after = after.cloned();
        self.read(move |transaction| dues::read(transaction, now, after.as_ref(), limit)).await
    }

    async fn forget_due(&self, due: &Due) -> Result<(), StoreError> {
        let due = due.clone();
        let forget = move |transaction: &WriteTransaction| {
            let there = transaction.open_table(ASSET_PLACES)?.get(due.id.to_bytes())?.is_some();
            if there { Ok(()) } else { dues::forget(transaction, &due) }
        };
        self.0.writer.write(forget).await
    }
}

/// The asset that lies there. An asset lies where its tenant, time and id say, or it isn't there.
fn stored(
    transaction: &WriteTransaction,
    place: &[u8],
) -> Result<Result<Option<Asset>, StoreError>, redb::Error> {
    let assets = transaction.open_table(ASSETS)?;
    let stored = assets.get(place)?.map(|stored| tables::decode(stored.value()));
    Ok(stored.transpose())
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
    usage::change(transaction, None, Some(asset))?;
    dues::change(transaction, None, Some(asset))?;
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
