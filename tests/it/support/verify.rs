//! Links, checked by the independent implementation (`rsa`, `sha1`, `p256`) as CloudFront would.

use std::fs;
use std::path::Path;

use signet::cloudfront::inspect::{Request, inspect};
use signet::cloudfront::{Inspection, PublicKey};

/// The public key of a PEM file.
pub fn public_key(path: impl AsRef<Path>) -> PublicKey {
    PublicKey::from_pem(&fs::read(path).unwrap()).unwrap()
}

/// What CloudFront would make of a link at a time (seconds since the Unix epoch).
pub fn inspection(link: &str, key: &PublicKey, at: u64) -> Inspection {
    let group = |_: &str| Some(key);
    inspect(&Request { url: link, cookies: None, at, ip: None }, Some(&group))
}

/// That CloudFront would serve a link at a time. Gives its expiry in seconds since the Unix epoch.
pub fn assert_served(link: &str, key: &PublicKey, at: u64) -> u64 {
    let inspection = inspection(link, key, at);
    assert_eq!(inspection.verdict, Ok(()), "{link}: {:?}", inspection.checks);
    inspection.expires.unwrap()
}

/// Now, in seconds since the Unix epoch.
pub fn now() -> u64 {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    elapsed.unwrap().as_secs()
}
