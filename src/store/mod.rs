//! The implementations of the services' ports, one vendor a folder. None knows another, none knows HTTP.
//!
//! 1. [`embedded`]: assets and tenants in one database file, objects in local files. Needs nothing else.
//! 2. [`mongo`]: assets, tenants and leases in MongoDB.
//! 3. [`jwks`]: bearer tokens checked against a file of public keys.
//! 4. [`s3`]: objects in S3. [`secrets`]: private keys that lie in AWS Secrets Manager. [`aws`]: what both
//!    have of the SDK.

pub mod aws;
pub mod embedded;
pub mod jwks;
pub mod mongo;
pub mod s3;
pub mod secrets;
