//! The store of assets.

use async_trait::async_trait;

use super::StoreError;
use crate::media::{Asset, AssetId, ContentType, IdempotencyKey, Status, TenantId, Timestamp, Visibility};

/// What is known of assets. Everything but [`AssetStore::find_anywhere`] and [`AssetStore::existing`]
/// is scoped by tenant: an
/// asset of another tenant is an asset that isn't there.
///
/// A call that has answered is durable.
#[async_trait]
pub trait AssetStore: Send + Sync + 'static {
    /// Puts a new asset in. `false` where its id is taken (by any tenant): nothing is changed.
    async fn insert(&self, asset: &Asset) -> Result<bool, StoreError>;

    /// Puts a new asset in for a call that has a name. Where the tenant has made a call of that name
    /// whose time isn't over at `now`, nothing is changed, and the answer says what that call was. Of
    /// calls at the same time, one is the first.
    ///
    /// A call whose time is over is as good as never made, and forgotten some time later.
    async fn insert_once(
        &self,
        asset: &Asset,
        call: &NamedCall,
        now: Timestamp,
    ) -> Result<Inserted, StoreError>;

    /// One asset, deleted or not.
    async fn find(&self, tenant: &TenantId, id: AssetId) -> Result<Option<Asset>, StoreError>;

    /// Many assets in one query, in any order; ids that aren't there are left out.
    async fn find_many(&self, tenant: &TenantId, ids: &[AssetId]) -> Result<Vec<Asset>, StoreError>;

    /// One asset of whatever tenant: the look-up behind `/m/{id}`.
    async fn find_anywhere(&self, id: AssetId) -> Result<Option<Asset>, StoreError>;

    /// Which of these ids are taken, by whatever tenant. In any order.
    async fn existing(&self, ids: &[AssetId]) -> Result<Vec<AssetId>, StoreError>;

    /// A page of assets that aren't deleted, newest first (`created_at`, then id), beginning after
    /// a position. At most `limit`.
    async fn list(
        &self,
        tenant: &TenantId,
        filter: &AssetFilter,
        after: Option<ListPosition>,
        limit: usize,
    ) -> Result<Vec<Asset>, StoreError>;

    /// Replaces an asset where its stored revision is still `asset.revision - 1`.
    async fn update(&self, asset: &Asset) -> Result<Update, StoreError>;

    /// Count and bytes of a tenant's READY assets that aren't deleted.
    async fn usage(&self, tenant: &TenantId) -> Result<Usage, StoreError>;
}

/// A call that its client may repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedCall {
    /// Its name, unique within the asset's tenant.
    pub key: IdempotencyKey,
    /// SHA-256 of what it asks for.
    pub fingerprint: [u8; 32],
    /// When its name may be used anew.
    pub expires_at: Timestamp,
}

/// What became of an insertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// The asset is in.
    New,
    /// The asset's id is taken.
    Taken,
    /// The call was made before.
    Before {
        /// The asset that it made.
        asset: AssetId,
        /// What it asked for.
        fingerprint: [u8; 32],
    },
}

/// What became of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// The asset is as asked.
    Done,
    /// Somebody else was faster, or the asset isn't there: read again and decide anew.
    Stale,
}

/// Which assets a list holds; `None` is any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AssetFilter {
    /// Only with this visibility.
    pub visibility: Option<Visibility>,
    /// Only of this type.
    pub content_type: Option<ContentType>,
    /// Only in this state.
    pub status: Option<Status>,
}

impl AssetFilter {
    /// Whether an asset is to be listed.
    #[must_use]
    pub fn takes(&self, asset: &Asset) -> bool {
        asset.deleted_at.is_none()
            && self.visibility.is_none_or(|visibility| visibility == asset.visibility)
            && self.status.is_none_or(|status| status == asset.status)
            && self.content_type.as_ref().is_none_or(|content_type| *content_type == asset.content_type)
    }
}

/// Where a page of a list ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListPosition {
    /// Of the last asset on the page.
    pub created_at: Timestamp,
    /// Of the last asset on the page.
    pub id: AssetId,
}

/// What a tenant has stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// How many assets.
    pub count: u64,
    /// Their bytes together.
    pub bytes: u64,
}
