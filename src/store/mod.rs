//! The implementations of the services' ports, one vendor a folder. None knows another, none knows HTTP.
//!
//! 1. [`embedded`]: assets and tenants in one database file, objects in local files. Needs nothing else.
//! 2. [`mongo`]: assets, tenants and leases in MongoDB.
//! 3. [`jwks`]: bearer tokens checked against a file of public keys.
//! 4. [`secrets`]: private keys that lie in AWS Secrets Manager.

pub mod embedded;
pub mod jwks;
pub mod mongo;
pub mod secrets;
