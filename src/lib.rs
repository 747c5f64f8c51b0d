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
//! - [`config`], [`telemetry`]: settings; metrics, logs and traces.
//! - [`app`]: the composition root. [`cli`]: the commands.
//!
//! Without the feature `server`, a default one, there is no program and none of its dependencies: [`http`],
//! [`telemetry`], [`app`], [`cli`] and all of [`store`] but the check of tokens are gone. What is fuzzed is the rest.
//!
//! A content API in Rust can sign its documents in process, with the caches and signing threads that
//! the server has. [`document`] shows the same without either.
//!
//! ```
//! use std::sync::Arc;
//!
//! use signet::app::offline::Offline;
//! use signet::cloudfront::{NonceMode, PrivateKey, Window};
//! use signet::document::{Profile, References};
//! use signet::service::DocumentOptions;
//! use signet::service::key_ring::RingKey;
//! use signet::service::links::{GrantScope, Life};
//! use signet::service::ports::NoMeter;
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let private = PrivateKey::from_pem(include_bytes!("../tests/vectors/rsa.pem"), NonceMode::Random)?;
//! let (documents, place) = Offline {
//!     key: RingKey {
//!         id: "K2JCJMDEHXQW5F".parse()?,
//!         public: private.public_key(),
//!         hash: private.default_hash(),
//!         private,
//!         not_before: 0,
//!         retire_at: None,
//!     },
//!     life: Life::Window(Window::new(300)?),
//!     scope: GrantScope::Url,
//!     base: "https://media.example.com".to_owned(),
//!     bucket: "vivreal-demo".to_owned(),
//!     hosts: Vec::new(),
//!     profile: Profile::vivreal(),
//!     references: References::Leave,
//!     meter: Arc::new(NoMeter),
//! }
//! .build()?;
//!
//! let page = br#"{"hero": {"key": "a/hero.jpg", "type": "image"}, "logo": "https://media.example.com/vivreal-demo/logo.png"}"#;
//! let signed = documents.sign_at(&place, None, page[..].into(), DocumentOptions::default()).await?;
//! assert_eq!((signed.found, signed.signed), (2, 2));
//! // The page may be cached for so many seconds: its links live longer.
//! assert!(signed.max_age.is_some_and(|seconds| seconds > 300 / 4 - 2));
//! let text = String::from_utf8(signed.body.to_bytes().into())?;
//! assert!(text.contains("https://media.example.com/vivreal-demo/a/hero.jpg?Expires="));
//! assert!(text.contains("https://media.example.com/vivreal-demo/logo.png?Expires="));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "server")]
pub mod app;
#[cfg(feature = "server")]
pub mod cli;
pub mod cloudfront;
pub mod config;
pub mod document;
#[cfg(feature = "server")]
pub mod http;
pub mod media;
pub mod service;
pub mod store;
#[cfg(feature = "server")]
pub mod telemetry;
