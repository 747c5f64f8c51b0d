//! What is counted of stores. `telemetry` turns it into metrics.

use std::time::Duration;

use super::words::words;
use super::{NoMeter, StoreError};

/// Counts operations, connections, waits and what was tried again. A store calls what it has.
pub trait StoreMeter: Send + Sync + 'static {
    /// A store of assets, tenants or leases was asked for something.
    fn operation(&self, _operation: StoreOperation, _outcome: StoreOutcome, _after: Duration) {}
    /// The object store was asked for something.
    fn object_operation(&self, _operation: ObjectOperation, _outcome: StoreOutcome, _after: Duration) {}
    /// A connection is being made.
    fn connection_opened(&self) {}
    /// A connection was closed.
    fn connection_closed(&self, _why: ConnectionEnd) {}
    /// The driver handed a connection out, or couldn't, after a time.
    fn checked_out(&self, _after: Duration, _end: CheckoutEnd) {}
    /// All connections to a server were thrown away.
    fn pool_cleared(&self) {}
    /// An operation waited for its turn: so long, and whether it came.
    fn waited(&self, _time: Duration, _served: bool) {}
    /// Whether there is a server that can be written to.
    fn server_known(&self, _writable: bool) {}
    /// No server could be selected in time.
    fn no_server(&self) {}
    /// A transaction met another one, and is tried again.
    fn transaction_retried(&self) {}
    /// Whether changes of other nodes are heard of as they are made.
    fn feed(&self, _connected: bool) {}
    /// A change of another node, or of this one, was heard of.
    fn change_heard(&self) {}
    /// Sets how many tenants can't be served.
    fn unservable(&self, _tenants: usize) {}
}

words! {
    /// What a store of assets, tenants or leases is asked for: the methods of their ports.
    pub enum StoreOperation {
        /// A new asset.
        InsertAsset = "insert_asset",
        /// One asset of a tenant.
        FindAsset = "find_asset",
        /// Many assets of a tenant.
        FindAssets = "find_assets",
        /// One asset of whatever tenant.
        FindAnywhere = "find_anywhere",
        /// Which ids are taken.
        Existing = "existing",
        /// A page of assets.
        ListAssets = "list_assets",
        /// A change of an asset.
        UpdateAsset = "update_asset",
        /// The removal of an asset.
        RemoveAsset = "remove_asset",
        /// What a tenant has stored.
        Usage = "usage",
        /// What is due.
        Due = "due",
        /// That something isn't due.
        ForgetDue = "forget_due",
        /// A tenant by its id.
        FindTenant = "find_tenant",
        /// A tenant by its API key.
        FindTenantByKey = "find_tenant_by_key",
        /// A lease.
        TakeLease = "take_lease",
        /// A lease's end.
        GiveLeaseBack = "give_lease_back",
    }

    /// What an object store is asked for: the methods of its port.
    pub enum ObjectOperation {
        /// A request that puts a file in: signed here.
        PresignPut = "presign_put",
        /// A request that reads a file: signed here.
        PresignGet = "presign_get",
        /// A request that puts a part in: signed here.
        PresignPart = "presign_part",
        /// What is stored.
        Head = "head",
        /// A file.
        Get = "get",
        /// A file's removal.
        Delete = "delete",
        /// A tombstone in the place of a file.
        PutTombstone = "put_tombstone",
        /// The keys under a prefix.
        List = "list",
        /// Whether a bucket keeps versions.
        KeepsVersions = "keeps_versions",
        /// The return of what was hidden under a prefix.
        RestoreVersions = "restore_versions",
        /// The removal of all versions under a prefix.
        DeleteVersions = "delete_versions",
        /// A file's copy.
        Copy = "copy",
        /// An upload in parts.
        BeginParts = "begin_parts",
        /// The parts that are there.
        ListParts = "list_parts",
        /// Parts put together.
        CompleteParts = "complete_parts",
        /// Parts forgotten.
        AbortParts = "abort_parts",
    }

    /// How an operation of a store ended.
    pub enum StoreOutcome {
        /// With an answer.
        Done = "done",
        /// The store can't be reached, or is overloaded.
        Unavailable = "unavailable",
        /// It refused the operation, and would do so again.
        Refused = "refused",
        /// It holds something that can't be read.
        Corrupt = "corrupt",
        /// Nobody waited for its end.
        Abandoned = "abandoned",
    }

    /// Why a connection was closed.
    pub enum ConnectionEnd {
        /// Nobody used it.
        Idle = "idle",
        /// Its server was away meanwhile.
        Stale = "stale",
        /// It broke.
        Error = "error",
        /// The pool was closed.
        PoolClosed = "pool_closed",
    }

    /// How asking the driver for a connection ended.
    pub enum CheckoutEnd {
        /// With a connection.
        Done = "done",
        /// None was free in time.
        Timeout = "timeout",
        /// None could be made.
        Error = "error",
    }
}

impl StoreOutcome {
    /// How an operation ended that answered so.
    #[must_use]
    pub fn of<T>(answer: &Result<T, StoreError>) -> Self {
        match answer {
            Ok(_) => Self::Done,
            Err(StoreError::Unavailable(_)) => Self::Unavailable,
            Err(StoreError::Refused(_)) => Self::Refused,
            Err(StoreError::Corrupt(_)) => Self::Corrupt,
        }
    }
}

impl StoreMeter for NoMeter {}
