//! The use cases, and the ports that they need.
//!
//! 1. [`auth`]: who calls.
//! 2. [`layout`]: where a tenant's media lies: roots, buckets, keys, and what is foreign.
//! 3. [`key_ring`], [`signing_pool`], [`link_cache`], [`links`]: from a resource to a signed link.
//! 4. [`resolve`]: `/m/{id}`. [`batch`]: many links in one call. [`documents`]: whole documents.
//!    [`cookies`]: folders.
//! 5. [`uploads`], [`assets`]: the life of a stored file. [`cursor`]: pages of them.
//! 6. [`edge`]: what CloudFront does with a link.
//! 7. [`ports`]: what all of these need of the world.

pub mod ports;
