//! The implementations of the services' ports, one vendor a folder. None knows another, none knows HTTP. Without the
//! feature `server` there is [`jwks`] alone.
//!
//! 1. [`embedded`]: assets and tenants in one database file, objects in local files. Needs nothing else.
//! 2. [`mongo`]: assets, tenants and leases in MongoDB.
//! 3. [`jwks`]: bearer tokens checked against a file of public keys.
//! 4. [`s3`]: objects in S3. [`secrets`]: private keys that lie in AWS Secrets Manager. [`aws`]: what both
//!    have of the SDK.

#[cfg(feature = "server")]
pub mod aws;
#[cfg(feature = "server")]
pub mod embedded;
pub mod jwks;
#[cfg(feature = "server")]
pub mod mongo;
#[cfg(feature = "server")]
pub mod s3;
#[cfg(feature = "server")]
pub mod secrets;
