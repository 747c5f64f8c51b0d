//! CloudFront's signatures, pure: no I/O, no clock, no runtime; time is an argument, in seconds since the Unix
//! epoch.
//!
//! 1. [`names`]: key pair ids, hashes, algorithms, nonces.
//! 2. Keys: [`private_key`] signs (aws-lc, by way of `rsa_sign`), [`public_key`] verifies (other libraries);
//!    `pem` and `der` tell what a key file holds, [`key_error`] says it.
//! 3. What is signed: [`url`] (and its [`query`]), [`resource`], [`source_ip`], [`policy`].
//! 4. What comes of it: [`grant`] makes links and cookies; `encoding` is CloudFront's base64.
//! 5. [`window`]: when a link expires, so that it stays the same for half of its life.
//! 6. [`mod@inspect`]: would CloudFront serve this request, and if not, why.

mod der;
mod encoding;
pub mod grant;
pub mod inspect;
pub mod key_error;
pub mod names;
mod pem;
pub mod policy;
pub mod private_key;
pub mod public_key;
pub mod query;
pub mod resource;
mod rsa_sign;
pub mod source_ip;
pub mod url;
pub mod window;

#[cfg(test)]
mod key_tests;
#[cfg(test)]
mod tests;

pub use grant::{Grant, GrantError, MAX_URL_BYTES};
pub use inspect::{Inspection, KeyLookup, Refusal, Request, inspect, likely_causes};
pub use key_error::{KeyError, SignError};
pub use names::{HashAlgorithm, KeyAlgorithm, KeyPairId, NameError, NonceMode};
pub use policy::{MAX_EXPIRES, Policy, PolicyError, PolicyParseError, PolicyTerms};
pub use private_key::{NewKey, PrivateKey, Signature};
pub use public_key::PublicKey;
pub use query::strip_signing_parameters;
pub use resource::Resource;
pub use source_ip::{SourceIp, SourceIpError};
pub use url::{SignableUrl, UrlError};
pub use window::{Window, WindowError, max_age};
