//! The store of assets.

use async_trait::async_trait;

use super::StoreError;
use crate::media::{
    Asset, AssetId, ContentType, IdempotencyKey, Quota, Status, TenantId, Timestamp, Usage, Visibility,
};

/// What is known of assets. Everything but [`AssetStore::find_anywhere`], [`AssetStore::existing`] and
/// [`AssetStore::due`] is scoped by tenant: an asset of another tenant is an asset that isn't there.
///
/// A call that has answered is durable.
#[async_trait]
pub trait AssetStore: Send + Sync + 'static {
    /// Puts a new asset in, or changes nothing and says why. What the terms bound holds also among calls
    /// at the same time.
    async fn insert(&self, asset: &Asset, terms: &InsertTerms) -> Result<Inserted, StoreError>;

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

    /// Removes an asset for good where its stored revision is still `asset.revision`. Its id is free
    /// from then on.
    async fn remove(&self, asset: &Asset) -> Result<Update, StoreError>;

    /// What a tenant has stored. Exact at each moment, whatever changes at the same time.
    async fn usage(&self, tenant: &TenantId) -> Result<Usage, StoreError>;

    /// Assets of all tenants whose `due_at` has come at `now`, the longest due first, beginning after
    /// one. At most `limit`.
    async fn due(&self, now: Timestamp, after: Option<&Due>, limit: usize) -> Result<Vec<Due>, StoreError>;

    /// Forgets that an asset is due which isn't there: what an insertion may leave that was cut off.
    /// Changes nothing where the asset is there.
    async fn forget_due(&self, due: &Due) -> Result<(), StoreError>;
}

/// On what terms an asset is put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InsertTerms {
    /// The call that it is put in for, where that has a name: where the tenant has made a call of that
    /// name whose time isn't over at `now`, nothing is changed. Of calls at the same time, one is the
    /// first. A call whose time is over is as good as never made, and forgotten some time later.
    pub call: Option<NamedCall>,
    /// How much the tenant may have. A PENDING or READY asset that doesn't fit isn't put in.
    pub quota: Quota,
    /// When.
    pub now: Timestamp,
}

/// An asset that the lifecycle worker is to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Since when.
    pub at: Timestamp,
    /// Whose it is.
    pub tenant: TenantId,
    /// Which.
    pub id: AssetId,
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
    /// It doesn't fit into the quota beside what is there.
    OverQuota(Usage),
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
