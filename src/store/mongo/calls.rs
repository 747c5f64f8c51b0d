//! Calls that their clients may repeat: each is remembered until its time is over. The server removes them some
//! time later; whether one still holds is decided by the time that is asked for.

use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, DateTime, Document, doc};
use serde::Deserialize;

use super::Mongo;
use super::connection_permits::Work;
use super::indexes::{CALL, CALLS};
use super::record::date_or_last;
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

    /// The statement of an `update` that stores the call, replacing an expired one of the same key. It fails with a
    /// duplicate key if there is one that hasn't expired.
    pub fn statement(&self) -> Bson {
        doc! { "q": &self.filter, "u": { "$set": &self.call }, "upsert": true, "hint": CALL }.into()
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
            .tenant(tenant, Work::Read, database, |database| async move {
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
