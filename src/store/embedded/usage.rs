//! What each tenant has stored, kept right in the transaction that changes one of its assets.

use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};

use super::tables::{PENDING_USAGE, USAGE};
use crate::media::{Asset, Tally, TenantId, Usage};
use crate::service::ports::StoreError;

type Row = (u64, u64);

/// A tenant's usage.
pub fn read(transaction: &ReadTransaction, tenant: &TenantId) -> Result<Usage, StoreError> {
    let row = |table: TableDefinition<'static, &'static str, Row>| {
        let row = transaction.open_table(table)?.get(tenant.as_str())?;
        Ok::<_, StoreError>(tally(row.map(|row| row.value())))
    };
    Ok(Usage { ready: row(USAGE)?, pending: row(PENDING_USAGE)? })
}

/// A tenant's usage, as the writes of this transaction leave it.
pub fn of(transaction: &WriteTransaction, tenant: &TenantId) -> Result<Usage, redb::Error> {
    let row = |table: TableDefinition<'static, &'static str, Row>| {
        let table = transaction.open_table(table)?;
        let row = table.get(tenant.as_str())?.map(|row| row.value());
        Ok::<_, redb::Error>(tally(row))
    };
    Ok(Usage { ready: row(USAGE)?, pending: row(PENDING_USAGE)? })
}

/// Whether an asset takes room.
pub fn counts(asset: &Asset) -> bool {
    let (ready, pending) = asset.tallies();
    ready.plus(pending).count > 0
}

/// Counts an asset that was one thing and is another.
pub fn change(
    transaction: &WriteTransaction,
    before: Option<&Asset>,
    after: Option<&Asset>,
) -> Result<(), redb::Error> {
    let Some(tenant) = after.or(before).map(|asset| asset.tenant.as_str()) else { return Ok(()) };
    let tallies = |asset: Option<&Asset>| asset.map(Asset::tallies).unwrap_or_default();
    let ((old_ready, old_pending), (ready, pending)) = (tallies(before), tallies(after));
    for (table, old, new) in [(USAGE, old_ready, ready), (PENDING_USAGE, old_pending, pending)] {
        if old != new {
            let mut table = transaction.open_table(table)?;
            let row = table.get(tenant)?.map(|row| row.value());
            let Tally { count, bytes } = tally(row).plus(new).minus(old);
            table.insert(tenant, (count, bytes))?;
        }
    }
    Ok(())
}

fn tally(row: Option<Row>) -> Tally {
    let (count, bytes) = row.unwrap_or_default();
    Tally { count, bytes }
}
