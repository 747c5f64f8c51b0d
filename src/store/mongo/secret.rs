//! Secrets that all nodes share: 32 random bytes each, made by whichever node asks first.

use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, doc};
use mongodb::options::ReturnDocument;
use rand::RngExt;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::Mongo;
use super::connection_permits::{Owner, Work};
use crate::service::ports::{SecretBytes, StoreError};

/// The collection of the control plane that has them.
const SECRETS: &str = "media_secrets";
/// How many bytes one has.
const BYTES: usize = 32;

/// A document of `media_secrets`.
#[derive(Deserialize)]
struct SecretRecord {
    secret: Binary,
}

impl Mongo {
    /// The secret of this name, made where there is none.
    ///
    /// # Errors
    /// Where the cluster can't be asked, or there is something else.
    pub async fn secret(&self, name: &str) -> Result<SecretBytes, StoreError> {
        let fresh = Zeroizing::new(rand::rng().random::<[u8; BYTES]>());
        let secret = Binary { subtype: BinarySubtype::Generic, bytes: fresh.to_vec() };
        let cluster = &self.0.cluster;
        let record = cluster
            .control(Owner::Node, Work::Write, |database| async move {
                let secrets = database.collection::<SecretRecord>(SECRETS);
                secrets
                    .find_one_and_update(doc! { "_id": name }, doc! { "$setOnInsert": { "secret": secret } })
                    .upsert(true)
                    .return_document(ReturnDocument::After)
                    .max_time(cluster.max_time())
                    .await
            })
            .await?;
        let bytes = record.map(|record| record.secret.bytes).unwrap_or_default();
        if bytes.len() != BYTES {
            return Err(StoreError::corrupt(format!("the secret {name:?} isn't {BYTES} bytes")));
        }
        Ok(SecretBytes::new(bytes))
    }
}
