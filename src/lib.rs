//! Signet: a CDN edge signing proxy.
pub mod http;
pub mod media;
pub mod service;
