//! Calls that their clients may repeat: each is remembered until its time is over. The server removes them some
//! time later; whether one still holds is decided by the time that is asked for.

use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, DateTime, Document, doc};
use mongodb::error::Error;
use mongodb::options::Hint;
use serde::Deserialize;

use super::indexes::{CALL, CALLS};
use super::record::date_or_last;
use super::transaction::Attempt;
use super::{Mongo, error};
use crate::media::{Asset, AssetId, TenantId, Timestamp};
use crate::service::ports::{Inserted, NamedCall, StoreError};

/// A document of `media_calls`, as far as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CallRecord {
    asset: AssetId,
    fingerprint: Binary,
    expires_at: DateTime,
}

/// A call, to be remembered.
pub struct Call {
    filter: Document,
    call: Document,
}

impl Call {
    /// A call that puts an asset in at a time.
    pub fn new(asset: &Asset, call: &NamedCall, now: Timestamp) -> Self {
        let fingerprint = Binary { subtype: BinarySubtype::Generic, bytes: call.fingerprint.to_vec() };
        let mut filter = of(&asset.tenant, call);
        filter.insert("expiresAt", doc! { "$lte": date_or_last(now) });
        let call = doc! {
            "asset": asset.id.to_string(),
            "fingerprint": fingerprint,
            "expiresAt": date_or_last(call.expires_at),
        };
        Self { filter, call }
    }

    /// Remembers it, over one whose time is over. `false` where there is one that holds.
    pub async fn remember(&self, at: &mut Attempt<'_>) -> Result<bool, Error> {
        let calls = at.tenants.collection::<Document>(CALLS);
        let update = calls
            .find_one_and_update(self.filter.clone(), doc! { "$set": &self.call })
            .upsert(true)
            .hint(Hint::Name(CALL.to_owned()))
            .projection(doc! { "_id": 1 })
            .max_time(at.max_time)
            .session(&mut *at.session);
        match update.await {
            // Nothing matched, and so it would have been put in beside the one that is there.
            Err(error) if error::is_duplicate(&error) => Ok(false),
            remembered => remembered.map(|_| true),
        }
    }
}

impl Mongo {
    /// What came of a call of this name whose time isn't over.
    pub(super) async fn call_before(
        &self,
        tenant: &TenantId,
        database: &str,
        call: &NamedCall,
        now: Timestamp,
    ) -> Result<Option<Inserted>, StoreError> {
        let cluster = &self.0.cluster;
        let filter = of(tenant, call);
        let found = cluster
            .tenant(database, |database| async move {
                database.collection::<CallRecord>(CALLS).find_one(filter).max_time(cluster.max_time()).await
            })
            .await?;
        let holds = found.filter(|found| found.expires_at > date_or_last(now));
        let Some(CallRecord { asset, fingerprint, .. }) = holds else { return Ok(None) };
        let fingerprint = fingerprint.bytes.try_into();
        let fingerprint =
            fingerprint.map_err(|_| StoreError::corrupt("a call's fingerprint isn't 32 bytes"))?;
        Ok(Some(Inserted::Before { asset, fingerprint }))
    }
}

fn of(tenant: &TenantId, call: &NamedCall) -> Document {
    doc! { "groupID": tenant.as_str(), "key": call.key.as_str() }
}
