//! Signet: a CDN edge signing proxy. It stands in front of a CloudFront distribution, turns
//! `med_*` ids and whole JSON documents into signed links, and hands out upload tickets.
//!
//! Layers, each of which may know those below it and no other:
//!
//! ```text
//! main → cli → app → config, telemetry
//!                  → http  → service → cloudfront
//!                  → store → service → document
//!                                    → media
//! ```
//!
//! - [`cloudfront`]: keys, policies, windows, grants, inspection. Pure.
//! - [`document`]: finds media in JSON, splices links in. Pure.
//! - [`media`]: assets, tenants, uploads. Pure.
//! - [`service`]: the use cases, and the ports that they need.
//! - [`store`]: what implements the ports, a vendor a folder.
//! - [`http`]: routes, problems, the listener.
//! - [`config`], [`telemetry`]: settings; metrics and logs.
//! - [`app`]: the composition root. [`cli`]: the commands.

pub mod app;
pub mod cli;
pub mod cloudfront;
pub mod config;
pub mod document;
pub mod http;
pub mod media;
pub mod service;
pub mod store;
pub mod telemetry;
