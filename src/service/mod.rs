//! The use cases, and the ports that they need.
//!
//! 1. [`auth`]: who calls. [`scope`]: what they may do. [`tenant_cache`]: who is known, also while the store
//!    is down (`tenant_lookups`: one look-up for all requests that need the same; `outage`: the store is known to be down). [`token_tenants`]: tenants that only tokens name.
//! 2. [`layout`]: where a tenant's media lies: roots, buckets, keys, and what is foreign.
//! 3. [`key_ring`], [`signing_pool`], [`signature_budget`], [`link_cache`], [`links`] (`file_links`): from
//!    a resource to a signed link. [`fragments`], [`asset_links`]: links that are ready. [`presigner`]: links
//!    of the object store's. [`delivery`]: which of them, or a stable URL.
//! 4. [`resolve`]: `/m/{id}`. [`hot_links`]: what is asked for most, good as long as the `epochs` stand. [`batch`]: many links in one call. [`documents`] ([`document_body`]): whole
//!    documents. [`profiles`]: by which rules. `rota`: large ones of tenants in turn. [`lines`]: a document a
//!    line. [`asset_cache`]: what is known of assets. [`lookup`]: from ids to assets, for all of these. `eligibility`: whether what a caller names may be signed.
//!    [`cookies`]: folders.
//! 5. [`uploads`], [`multipart`] (`assembly`), [`assets`]: the life of a stored file. `inspection`: what was
//!    uploaded. `asset_files`, `relocation`, `trash`: its objects, and how they move. [`lifecycle`]: what becomes of
//!    it when nobody looks. [`cursor`]: pages of assets.
//! 6. [`edge`]: what CloudFront does with a link. [`rates`]: how often somebody may ask. [`shares`]: how
//!    much one may take of what there is for all.
//! 7. [`ports`]: what all of these need of the world. [`metered`]: stores whose operations are counted.
//!    [`cache_figures`]: how full caches are.
//!
//! [`Services`] is all of it, as `app` joins it and `http` uses it.

mod assembly;
pub mod asset_cache;
mod asset_files;
pub mod asset_links;
pub mod assets;
pub mod auth;
pub mod batch;
pub mod cache_figures;
pub mod cookies;
pub mod cursor;
pub mod delivery;
pub mod document_body;
mod document_work;
pub mod documents;
pub mod edge;
mod eligibility;
mod epochs;
mod file_links;
pub mod fragments;
pub mod hot_links;
mod inspection;
pub mod key_ring;
pub mod layout;
mod life;
pub mod lifecycle;
pub mod lines;
pub mod link_cache;
pub mod links;
pub mod lookup;
pub mod metered;
pub mod multipart;
mod outage;
pub mod ports;
pub mod presigner;
pub mod profiles;
pub mod rates;
mod relocation;
pub mod resolve;
mod rota;
pub mod scope;
pub mod shares;
pub mod signature_budget;
pub mod signing_pool;
pub mod tenant_cache;
mod tenant_lookups;
pub mod token_tenants;
mod trash;
pub mod uploads;

pub use assets::{AssetError, AssetPage, AssetPatch, AssetView, Assets, Expected, Views};
pub use auth::{AuthError, Authenticator, Caller, Credentials};
pub use batch::{BatchItem, BatchLinks, BatchRequest, Subject};
pub use cookies::{CookieError, CookieGrant, FolderCookies};
pub use delivery::{Delivery, PrivateDelivery, PublicDelivery};
pub use document_body::{Blocks, DocumentBody};
pub use documents::{DocumentError, DocumentOptions, Documents, SignedDocument};
pub use edge::{Edge, EdgeError};
pub use links::{FileTarget, Link, LinkError, LinkService};
pub use lookup::Lookup;
pub use multipart::{Part, PartsError, PartsPage, PartsQuery};
pub use profiles::Profiles;
pub use resolve::{ResolveError, Resolved, Resolver};
pub use scope::{InsufficientScope, Scope, Scopes};
pub use uploads::{FinalizeError, Sending, Ticket, UploadError, Uploads};

/// The use cases that the API offers.
pub struct Services {
    /// Who calls.
    pub auth: Authenticator,
    /// `/m/{id}`.
    pub resolver: Resolver,
    /// Many links in one call.
    pub batch: BatchLinks,
    /// Whole documents.
    pub documents: Documents,
    /// Folders.
    pub cookies: FolderCookies,
    /// Tickets.
    pub uploads: Uploads,
    /// Stored files.
    pub assets: Assets,
}
