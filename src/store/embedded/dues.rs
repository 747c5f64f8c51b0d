//! When each asset is due, kept right in the transaction that changes it. In the order of their times.

use std::ops::Bound;

use redb::{ReadTransaction, WriteTransaction};

use super::tables::DUES;
use crate::media::{Asset, AssetId, Timestamp};
use crate::service::ports::{Due, StoreError};

/// What is due at `now`, the longest due first, after one.
pub fn read(
    transaction: &ReadTransaction,
    now: Timestamp,
    after: Option<&Due>,
    limit: usize,
) -> Result<Vec<Due>, StoreError> {
    let first = after.map(|due| place(due.at, due.id));
    let end = now.millis().saturating_add(1).to_be_bytes();
    let first = first.as_ref().map_or(Bound::Unbounded, |place| Bound::Excluded(place.as_slice()));
    if matches!(first, Bound::Excluded(first) if first >= end.as_slice()) {
        return Ok(Vec::new());
    }
    let table = transaction.open_table(DUES)?;
    let rows = table.range::<&[u8]>((first, Bound::Excluded(end.as_slice())))?;
    rows.take(limit)
        .map(|row| {
            let (key, tenant) = row?;
            let (at, id) = read_place(key.value())
                .ok_or_else(|| StoreError::corrupt("a row of the table `dues` has another length"))?;
            let tenant = tenant.value().parse().map_err(StoreError::corrupt)?;
            Ok(Due { at, tenant, id })
        })
        .collect()
}

/// Puts an asset where it belongs that was due at one time and is at another.
pub fn change(
    transaction: &WriteTransaction,
    before: Option<&Asset>,
    after: Option<&Asset>,
) -> Result<(), redb::Error> {
    let place_of = |asset: Option<&Asset>| {
        asset.and_then(|asset| Some((place(asset.due_at?, asset.id), asset.tenant.clone())))
    };
    let (old, new) = (place_of(before), place_of(after));
    if old == new {
        return Ok(());
    }
    let mut dues = transaction.open_table(DUES)?;
    if let Some((place, _)) = old {
        dues.remove(place.as_slice())?;
    }
    if let Some((place, tenant)) = new {
        dues.insert(place.as_slice(), tenant.as_str())?;
    }
    Ok(())
}

/// Forgets that an asset is due.
pub fn forget(transaction: &WriteTransaction, due: &Due) -> Result<(), redb::Error> {
    transaction.open_table(DUES)?.remove(place(due.at, due.id).as_slice())?;
    Ok(())
}

fn place(at: Timestamp, id: AssetId) -> Vec<u8> {
    [at.millis().to_be_bytes().as_slice(), &id.to_bytes()].concat()
}

fn read_place(place: &[u8]) -> Option<(Timestamp, AssetId)> {
    let (at, id) = place.split_first_chunk::<8>()?;
    let id = AssetId::from_bytes(id.try_into().ok()?);
    Some((Timestamp::from_millis(u64::from_be_bytes(*at)), id))
}
