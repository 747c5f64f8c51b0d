//! `/m/{id}`: from an id to a link, for anybody where the asset is PUBLIC.

use std::sync::Arc;

use tracing::Span;
use tracing::field::display;

use super::asset_cache::{AssetMark, CachedAssets, Known};
use super::asset_links::{AssetFile, ReadyLink};
use super::auth::Caller;
use super::delivery::Delivery;
use super::links::{Link, LinkError};
use super::ports::{Clock, StoreError};
use super::scope::{InsufficientScope, Scope};
use super::tenant_cache::{CachedTenants, TenantMark};
use crate::media::{Asset, AssetId, Visibility};

/// Resolves ids.
pub struct Resolver {
    assets: CachedAssets,
    tenants: Arc<CachedTenants>,
    delivery: Delivery,
    clock: Arc<dyn Clock>,
}

/// What an id leads to.
#[derive(Debug)]
pub struct Resolved {
    /// The id.
    pub id: AssetId,
    /// Who may read it.
    pub visibility: Visibility,
    /// The link.
    pub link: Link,
    /// Whether the asset is what was known of it before its store became unavailable.
    pub stale: bool,
}

/// What was ready.
pub struct Ready {
    /// The answer.
    pub resolved: Resolved,
    /// What it stands and falls with.
    pub grounds: Grounds,
}

/// What a ready answer was made of. For [`Resolver::still`].
pub struct Grounds {
    asset: AssetMark,
    tenant: TenantMark,
    link: ReadyLink,
}

impl Resolver {
    /// Joins the parts.
    #[must_use]
    pub fn new(
        assets: CachedAssets,
        tenants: Arc<CachedTenants>,
        delivery: Delivery,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { assets, tenants, delivery, clock }
    }

    /// What [`Resolver::resolve`] would answer anybody, where nothing has to be waited for: the asset is PUBLIC, all
    /// that its link depends on is known, and the link was handed out before, or all of its signatures are there.
    #[must_use]
    pub fn ready(&self, id: AssetId, width: Option<u32>) -> Option<Ready> {
        let now = self.clock.now();
        let (asset, known_asset) = self.assets.good_and_mark(id, now.millis())?;
        if !asset.is_servable() || asset.visibility != Visibility::Public {
            return None;
        }
        let (tenant, known_tenant) = self.tenants.good_and_mark(&asset.tenant, now.millis())?;
        if tenant.frozen {
            return None;
        }
        let file = AssetFile { asset: &asset, tenant: &tenant, width: derivative(&asset, width) };
        let again = |handed_out: ReadyLink| {
            let link = self.delivery.again(&handed_out, now.seconds())?;
            Some((link, handed_out))
        };
        let before = self.delivery.handed_out(file).and_then(again);
        let (link, handed_out) = before.or_else(|| again(self.delivery.asset_link_at_once(file)?))?;
        self.assets.used(1);
        let resolved = Resolved { id, visibility: asset.visibility, link, stale: false };
        Some(Ready {
            resolved,
            grounds: Grounds { asset: known_asset, tenant: known_tenant, link: handed_out },
        })
    }

    /// Whether what was ready is still what [`Resolver::ready`] would answer, and for how many seconds that may be
    /// cached.
    #[must_use]
    pub fn still(&self, grounds: &Grounds) -> Option<u64> {
        let now = self.clock.now();
        let known = self.assets.still_good(grounds.asset, now.millis())
            && self.tenants.still_good(grounds.tenant, now.millis());
        let max_age = known.then(|| self.delivery.again_for(&grounds.link, now.seconds())).flatten()?;
        self.assets.used(1);
        Some(max_age)
    }

    /// The link of an asset, or of its smallest derivative that is at least `width` pixels wide.
    ///
    /// # Errors
    /// [`ResolveError::NotFound`] alike where it isn't there, isn't READY, is deleted, or is
    /// PRIVATE and the caller isn't its tenant. A PRIVATE one needs either of the scopes to read and to sign.
    pub async fn resolve(
        &self,
        id: AssetId,
        width: Option<u32>,
        caller: Option<&Caller>,
    ) -> Result<Resolved, ResolveError> {
        let Known { value: asset, stale } = self.assets.look_up(id).await?;
        let asset = asset.filter(|asset| asset.is_servable()).ok_or(ResolveError::NotFound)?;
        let own = caller.is_some_and(|caller| caller.tenant.id == asset.tenant);
        if asset.visibility == Visibility::Private && !own {
            return Err(ResolveError::NotFound);
        }
        if let Some(caller) = caller
            && !caller.scopes.may_fetch(asset.visibility)
        {
            caller.require(Scope::Read)?;
        }
        let tenant = self.tenants.shared(&asset.tenant).await?.ok_or(ResolveError::NotFound)?;
        if tenant.frozen {
            return Err(ResolveError::Frozen);
        }
        // The span of the request has a place for it.
        Span::current().record("tenant", display(&asset.tenant));
        let file = AssetFile { asset: &asset, tenant: &tenant, width: derivative(&asset, width) };
        let link = self.delivery.asset_link(file).await?;
        Ok(Resolved { id, visibility: asset.visibility, link, stale })
    }
}

/// The width of an asset's smallest derivative that is at least so many pixels wide.
fn derivative(asset: &Asset, width: Option<u32>) -> Option<u32> {
    let width = width?;
    asset.derivatives()?.at_least(width)
}

/// Why an id leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// There is no such asset for this caller.
    #[error("there is no such asset")]
    NotFound,
    /// Its tenant is frozen.
    #[error("the tenant is frozen")]
    Frozen,
    /// Its tenant may, with other scopes.
    #[error(transparent)]
    Scope(#[from] InsufficientScope),
    /// No link can be made.
    #[error(transparent)]
    Link(#[from] LinkError),
}

impl From<StoreError> for ResolveError {
    fn from(error: StoreError) -> Self {
        Self::Link(error.into())
    }
}
