//! Calls that their clients may repeat: each is remembered until its time is over.
//!
//! The table `call_ends` has them in the order of their ends. Each new call removes up to [`SWEEP`] of
//! those that are over, more than it adds, and opening the store removes the rest: so the tables hold
//! little more than the calls of one ticket's life.

use redb::{ReadableTable, Table, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::Embedded;
use super::tables::{self, CALL_ENDS, CALLS};
use crate::media::{Asset, AssetId, Timestamp};
use crate::service::ports::{Inserted, NamedCall, StoreError};

/// How many calls that are over go with each new one.
const SWEEP: usize = 16;

/// A call, and where it lies.
pub struct Call {
    place: Vec<u8>,
    record: CallRecord,
    value: Vec<u8>,
}

/// A call as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct CallRecord {
    /// The asset that it made.
    asset: AssetId,
    /// What it asked for.
    fingerprint: [u8; 32],
    expires_at: Timestamp,
}

impl Call {
    /// The call that makes an asset.
    pub fn new(asset: &Asset, call: &NamedCall) -> Result<Self, StoreError> {
        let mut place = tables::first_place(&asset.tenant);
        place.extend_from_slice(call.key.as_str().as_bytes());
        let record =
            CallRecord { asset: asset.id, fingerprint: call.fingerprint, expires_at: call.expires_at };
        Ok(Self { place, value: tables::encode(&record)?, record })
    }

    /// What a call of this name has made before, where its time isn't over.
    pub fn before(
        &self,
        transaction: &WriteTransaction,
        now: Timestamp,
    ) -> Result<Result<Option<Inserted>, StoreError>, redb::Error> {
        let calls = transaction.open_table(CALLS)?;
        let stored = calls.get(self.place.as_slice())?;
        let record = stored.map(|stored| tables::decode::<CallRecord>(stored.value())).transpose();
        let before = |CallRecord { asset, fingerprint, .. }| Inserted::Before { asset, fingerprint };
        Ok(record.map(|record| record.filter(|record| now < record.expires_at).map(before)))
    }

    /// Remembers the call, over one whose time is over.
    pub fn remember(&self, transaction: &WriteTransaction, now: Timestamp) -> Result<(), redb::Error> {
        forget(transaction, now, SWEEP)?;
        let mut calls = transaction.open_table(CALLS)?;
        let mut ends = transaction.open_table(CALL_ENDS)?;
        let place = self.place.as_slice();
        let old = calls.insert(place, self.value.as_slice())?;
        if let Some(Ok(old)) = old.map(|old| tables::decode::<CallRecord>(old.value())) {
            ends.remove(end(old.expires_at, place).as_slice())?;
        }
        ends.insert(end(self.record.expires_at, place).as_slice(), ())?;
        Ok(())
    }
}

impl Embedded {
    /// Forgets all calls whose time is over.
    ///
    /// # Errors
    /// The database's.
    pub async fn forget_calls(&self, now: Timestamp) -> Result<(), StoreError> {
        let write = self.0.writer.write(move |transaction| forget(transaction, now, usize::MAX));
        write.await
    }
}

fn forget(transaction: &WriteTransaction, now: Timestamp, limit: usize) -> Result<(), redb::Error> {
    let mut ends = transaction.open_table(CALL_ENDS)?;
    let mut calls = transaction.open_table(CALLS)?;
    for end in over(&ends, now, limit)? {
        ends.remove(end.as_slice())?;
        calls.remove(end.get(8..).unwrap_or_default())?;
    }
    Ok(())
}

fn over(ends: &Table<'_, &[u8], ()>, now: Timestamp, limit: usize) -> Result<Vec<Vec<u8>>, redb::Error> {
    let bound = now.millis().saturating_add(1).to_be_bytes();
    let rows = ends.range(..bound.as_slice())?.take(limit);
    rows.map(|row| Ok(row?.0.value().to_vec())).collect()
}

/// Where the end of a call lies.
fn end(expires_at: Timestamp, place: &[u8]) -> Vec<u8> {
    [expires_at.millis().to_be_bytes().as_slice(), place].concat()
}

#[cfg(test)]
mod tests {
    use redb::ReadableTableMetadata;

    use super::*;
    use crate::media::{
        ContentType, Filename, IdempotencyKey, Metadata, NewUpload, ObjectKey, Periods, Quota, Visibility,
    };
    use crate::service::ports::{AssetStore, InsertTerms};

    async fn insert(store: &Embedded, number: u64) {
        let upload = NewUpload {
            filename: Filename::clean("a").unwrap(),
            content_type: ContentType::parse("image/png").unwrap(),
            size_bytes: 1,
            visibility: Visibility::Public,
            checksum: None,
            metadata: Metadata::default(),
        };
        let (id, key, now) =
            (AssetId::generate(), ObjectKey::parse("a").unwrap(), Timestamp::from_seconds(number));
        let asset = Asset::pending(id, "t".parse().unwrap(), key, upload, now, &Periods::default());
        let call = NamedCall {
            key: IdempotencyKey::parse(format!("{number}").as_bytes()).unwrap(),
            fingerprint: [0; 32],
            expires_at: now.plus_seconds(10),
        };
        let terms = InsertTerms { call: Some(call), quota: Quota::NONE, now };
        assert_eq!(store.insert(&asset, &terms).await.unwrap(), Inserted::New);
    }

    async fn count(store: &Embedded) -> (u64, u64) {
        let count = store.read(|transaction| {
            Ok((transaction.open_table(CALLS)?.len()?, transaction.open_table(CALL_ENDS)?.len()?))
        });
        count.await.unwrap()
    }

    #[tokio::test]
    async fn calls_whose_time_is_over_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let store = Embedded::open(folder.path()).unwrap();
        for second in 1..=50 {
            insert(&store, second).await;
        }
        assert_eq!(count(&store).await, (10, 10), "those that are not over");
        insert(&store, 1_000).await;
        assert_eq!(count(&store).await, (1, 1));
        store.forget_calls(Timestamp::from_seconds(1_009)).await.unwrap();
        assert_eq!(count(&store).await, (1, 1));
        store.forget_calls(Timestamp::from_seconds(1_010)).await.unwrap();
        assert_eq!(count(&store).await, (0, 0));
    }
}
