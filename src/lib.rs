//! Signet: a CDN edge signing proxy.
pub mod media;
pub mod service;
pub mod store;
