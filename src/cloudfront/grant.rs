//! Grants: a signed policy, and the links and cookies made of it.
//!
//! A grant is signed once and applies to every URL that its resource covers, and to no other.

use std::fmt::Write as _;

use thiserror::Error;

use super::encoding;
use super::key_error::SignError;
use super::names::{HashAlgorithm, KeyPairId};
use super::policy::Policy;
use super::private_key::{PrivateKey, Signature};
use super::url::SignableUrl;

/// The longest URL that CloudFront takes, in bytes.
pub const MAX_URL_BYTES: usize = 8_192;

/// A policy with its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    policy: Policy,
    key_pair_id: KeyPairId,
    hash: HashAlgorithm,
    signature: Signature,
    /// The parameters of every link of this grant, in one piece.
    parameters: String,
}

/// Why a grant doesn't apply to a URL.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum GrantError {
    /// The resource covers other URLs.
    #[error("the resource {resource} doesn't cover it: its {section} differs")]
    NotCovered {
        /// The resource of the grant.
        resource: String,
        /// Which of `protocol`, `domain`, `path` and `query` is not covered.
        section: &'static str,
    },
    /// CloudFront would refuse the link for its length.
    #[error("its link has {bytes} bytes; CloudFront takes {MAX_URL_BYTES}")]
    TooLong {
        /// Length of the link.
        bytes: usize,
    },
}

impl Grant {
    /// Signs a policy.
    ///
    /// # Errors
    /// [`SignError`] where key and hash don't fit, or the crypto library fails.
    pub fn sign(
        policy: Policy,
        key: &PrivateKey,
        key_pair_id: KeyPairId,
        hash: HashAlgorithm,
    ) -> Result<Self, SignError> {
        let signature = key.sign(policy.to_json().as_bytes(), hash)?;
        Ok(Self::from_parts(policy, key_pair_id, hash, signature))
    }

    /// Puts a grant together from a signature that was made before for exactly this policy.
    pub fn from_parts(
        policy: Policy,
        key_pair_id: KeyPairId,
        hash: HashAlgorithm,
        signature: Signature,
    ) -> Self {
        let mut parameters = String::with_capacity(512);
        // Writing to a String can't fail.
        let _ = if policy.is_canned() {
            write!(parameters, "Expires={}", policy.expires())
        } else {
            write!(parameters, "Policy={}", encoding::encode(policy.to_json().as_bytes()))
        };
        let _ = write!(parameters, "&Signature={}&Key-Pair-Id={key_pair_id}", signature.encode());
        if hash == HashAlgorithm::Sha256 {
            parameters.push_str("&Hash-Algorithm=SHA256");
        }
        Self { policy, key_pair_id, hash, signature, parameters }
    }

    /// The URL with this grant applied.
    ///
    /// # Errors
    /// [`GrantError`] for a URL that the resource doesn't cover, and a link that is too long.
    pub fn link(&self, url: &SignableUrl) -> Result<String, GrantError> {
        let mut link = String::with_capacity(url.as_str().len() + 1 + self.parameters.len());
        self.write_link(url, &mut link)?;
        Ok(link)
    }

    /// Appends the URL with this grant applied; on an error nothing is appended.
    ///
    /// # Errors
    /// As [`Grant::link`].
    pub fn write_link(&self, url: &SignableUrl, out: &mut String) -> Result<(), GrantError> {
        let url = url.as_str();
        if let Some(section) = self.policy.resource().mismatch(url) {
            return Err(GrantError::NotCovered { resource: self.policy.resource().to_string(), section });
        }
        let bytes = url.len() + 1 + self.parameters.len();
        if bytes > MAX_URL_BYTES {
            return Err(GrantError::TooLong { bytes });
        }
        out.push_str(url);
        out.push(if url.contains('?') { '&' } else { '?' });
        out.push_str(&self.parameters);
        Ok(())
    }

    /// The cookies of this grant: names and values, none of which needs quoting. Attributes are the caller's.
    pub fn cookies(&self) -> Vec<(&'static str, String)> {
        let mut cookies = vec![
            if self.policy.is_canned() {
                ("CloudFront-Expires", self.policy.expires().to_string())
            } else {
                ("CloudFront-Policy", encoding::encode(self.policy.to_json().as_bytes()))
            },
            ("CloudFront-Signature", self.signature.encode()),
            ("CloudFront-Key-Pair-Id", self.key_pair_id.to_string()),
        ];
        if self.hash == HashAlgorithm::Sha256 {
            cookies.push(("CloudFront-Hash-Algorithm", self.hash.as_str().to_owned()));
        }
        cookies
    }

    /// When it expires, in seconds since the Unix epoch.
    pub fn expires(&self) -> u64 {
        self.policy.expires()
    }

    /// What was signed.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The raw signature, to be kept for [`Grant::from_parts`].
    pub fn signature(&self) -> &Signature {
        &self.signature
    }
}
