//! What the services need of the world; `store/` implements it, `app` joins the two.
//!
//! - [`AssetStore`], [`TenantStore`]: what is known of assets and tenants.
//!   [`LeaseStore`]: which node does what is done once for all.
//!   [`ChangeFeed`]: what other nodes have changed.
//! - [`ObjectStore`]: where the bytes lie. [`ObjectGate`]: the way in and out where Signet itself
//!   holds them (development, single machine).
//! - [`TokenVerifier`]: bearer tokens. [`SecretSource`]: private keys that lie in a vault.
//! - [`Clock`]: the time. [`StoreError`]: why a store couldn't answer.
//! - [`CurrentTrace`]: which trace what is done now belongs to.
//! - [`Meter`]: what the services count. [`StoreMeter`]: what is counted of stores. `words`: what it is called.
//!
//! Every implementation of a store passes the same contract suite in `tests/it/contract/`.

mod assets;
mod changes;
mod clock;
mod error;
mod leases;
mod meter;
mod objects;
mod parts;
mod secrets;
mod store_meter;
mod tenants;
mod tokens;
mod trace;
pub(crate) mod words;

pub use assets::{AssetFilter, AssetStore, Due, InsertTerms, Inserted, ListPosition, NamedCall, Update};
pub use changes::{Change, ChangeFeed};
pub use clock::{Clock, SystemClock};
pub use error::{StoreError, with_causes};
pub use leases::LeaseStore;
pub use meter::{
    AssetSource, DocumentOutcome, LifecycleOutcome, Limit, LinkSource, Meter, NoMeter, TicketOutcome,
};
pub use objects::{
    ByteRange, ByteStream, GetError, ObjectBody, ObjectGate, ObjectLocation, ObjectStore, Presigned,
    PutError, SignedRequest, UploadTerms,
};
pub use parts::{Completion, PartTag, PartTerms, PartsId, StoredPart};
pub use secrets::{SecretBytes, SecretError, SecretSource};
pub use store_meter::{
    CheckoutEnd, ConnectionEnd, ObjectOperation, StoreMeter, StoreOperation, StoreOutcome,
};
pub use tenants::{ApiKey, LEAST_API_KEY_BYTES, TenantStore, api_key_digest};
pub use tokens::{Claims, TokenError, TokenVerifier};
pub use trace::{CurrentTrace, TraceContext};
