//! What Signet knows about a stored file. Pure: no I/O, no clock.
//!
//! 1. [`AssetId`], [`TenantId`]: names, parsed once at the border.
//! 2. [`ObjectKey`]: where a file lies under its tenant's root, and the rules that keep it there.
//! 3. [`Asset`]: a stored file and its states (PENDING → READY, REJECTED or EXPIRED).
//!    [`Placement`]: where its objects lie. [`Periods`]: how long the stages of its life take. [`Usage`], [`Quota`]: what a tenant has, and may have.
//! 4. [`UploadRequest`] → [`NewUpload`]: what a client may upload; [`SizeLimits`]: how large.
//! 5. [`Tenant`]: who owns assets.
//! 6. [`contradiction`]: whether a file is what it was declared to be.
//! 7. [`Derivatives`]: smaller copies of a picture.
//! 8. [`PartsPolicy`] → [`PartPlan`]: which files are sent in parts, and how they are cut. [`Parts`]: of an asset.

mod asset;
mod checksum;
mod content_type;
mod derivatives;
mod filename;
mod id;
mod idempotency_key;
mod magic;
mod metadata;
mod object_key;
mod parts;
mod periods;
mod placement;
mod size_limits;
mod tenant;
mod timestamp;
mod upload;
mod usage;

pub use asset::{Asset, Rejection, Status, StatusConflict, Stored, Visibility};
pub use checksum::Checksum;
pub use content_type::ContentType;
pub use derivatives::Derivatives;
pub use filename::Filename;
pub use id::{AssetId, InvalidId, TenantId};
pub use idempotency_key::IdempotencyKey;
pub use magic::{HEAD_BYTES, contradiction};
pub use metadata::Metadata;
pub use object_key::{InvalidKey, ObjectKey};
pub use parts::{
    MAX_FILE_BYTES, MAX_PART_BYTES, MAX_PARTS, MIN_PART_BYTES, PartPlan, Parts, PartsId, PartsPolicy,
};
pub use periods::{Hold, Periods};
pub use placement::{Placement, TooManyDerivatives};
pub use size_limits::{InvalidLimit, SizeLimits};
pub use tenant::{ApiKeyDigest, Tenant};
pub use timestamp::Timestamp;
pub use upload::{InvalidField, NewUpload, UploadPolicy, UploadRequest};
pub use usage::{Quota, Tally, Usage};
