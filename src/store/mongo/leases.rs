//! The port [`LeaseStore`]: a document a lease, replaced only where it is one's own or its time is over.

use async_trait::async_trait;
use mongodb::bson::{Document, doc};
use mongodb::options::Hint;

use super::connection_permits::{Owner, Work};
use super::indexes::LEASES;
use super::record::date_or_last;
use super::{Mongo, error};
use crate::media::Timestamp;
use crate::service::ports::{LeaseStore, StoreError};

#[async_trait]
impl LeaseStore for Mongo {
    async fn take(
        &self,
        lease: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let cluster = &self.0.cluster;
        let free = doc! { "_id": lease, "$or": [
            { "holder": holder },
            { "until": { "$lte": date_or_last(now) } },
        ] };
        let mine = doc! { "$set": { "holder": holder, "until": date_or_last(until) } };
        cluster
            .control(Owner::Node, Work::Write, |database| async move {
                let leases = database.collection::<Document>(LEASES);
                let take = leases.find_one_and_update(free, mine).upsert(true);
                let take = take.hint(Hint::Keys(doc! { "_id": 1 }));
                match take.projection(doc! { "_id": 1 }).max_time(cluster.max_time()).await {
                    // It isn't free, and so it would have been put in a second time.
                    Err(error) if error::is_duplicate(&error) => Ok(false),
                    taken => taken.map(|_| true),
                }
            })
            .await
    }

    async fn give_back(&self, lease: &str, holder: &str) -> Result<(), StoreError> {
        let cluster = &self.0.cluster;
        let own = doc! { "_id": lease, "holder": holder };
        cluster
            .control(Owner::Node, Work::Write, |database| async move {
                let leases = database.collection::<Document>(LEASES);
                let remove = leases.find_one_and_delete(own).projection(doc! { "_id": 1 });
                remove.hint(Hint::Keys(doc! { "_id": 1 })).max_time(cluster.max_time()).await
            })
            .await?;
        Ok(())
    }
}
