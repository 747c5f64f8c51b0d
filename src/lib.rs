//! Signet: a CDN edge signing proxy.
//!
//! 1. [`document`]: finds the media in a JSON document and splices links in.

pub mod document;
