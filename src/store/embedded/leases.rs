//! The port [`LeaseStore`]. One process has the folder, so a lease guards against a second worker in it.

use async_trait::async_trait;
use redb::{ReadableTable, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::Embedded;
use super::tables::{self, LEASES};
use crate::media::Timestamp;
use crate::service::ports::{LeaseStore, StoreError};

#[derive(Serialize, Deserialize)]
struct Lease {
    holder: String,
    until: Timestamp,
}

#[async_trait]
impl LeaseStore for Embedded {
    async fn take(
        &self,
        lease: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let (name, holder) = (lease.to_owned(), holder.to_owned());
        let value = tables::encode(&Lease { holder: holder.clone(), until })?;
        let take = move |transaction: &WriteTransaction| {
            let mut leases = transaction.open_table(LEASES)?;
            let theirs =
                read(&leases, &name)?.is_some_and(|lease| lease.holder != holder && now < lease.until);
            if !theirs {
                leases.insert(name.as_str(), value.as_slice())?;
            }
            Ok(!theirs)
        };
        self.0.writer.write(take).await
    }

    async fn give_back(&self, lease: &str, holder: &str) -> Result<(), StoreError> {
        let (name, holder) = (lease.to_owned(), holder.to_owned());
        let give_back = move |transaction: &WriteTransaction| {
            let mut leases = transaction.open_table(LEASES)?;
            if read(&leases, &name)?.is_some_and(|lease| lease.holder == holder) {
                leases.remove(name.as_str())?;
            }
            Ok(())
        };
        self.0.writer.write(give_back).await
    }
}

/// A lease; one that can't be read is as good as none: what is done under it bears a second worker.
fn read(
    leases: &impl ReadableTable<&'static str, &'static [u8]>,
    name: &str,
) -> Result<Option<Lease>, redb::Error> {
    Ok(leases.get(name)?.and_then(|stored| tables::decode(stored.value()).ok()))
}
