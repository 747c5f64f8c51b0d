//! Signet: a CDN edge signing proxy.
pub mod cloudfront;
pub mod media;
pub mod service;
