//! Signet
pub mod cloudfront;
