//! Why a file is not the key that is needed: each reason says what the thing is, and what to do.

use thiserror::Error;

use super::names::HashAlgorithm;

/// A key that can't be used.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    /// Nothing but white space.
    #[error("it is empty; needed is a key in PEM, beginning with -----BEGIN")]
    Empty,
    /// No PEM at all.
    #[error(
        "it is not PEM; needed is a key in PEM, beginning with -----BEGIN (from DER: openssl pkey -inform DER)"
    )]
    NotPem,
    /// Text before the key.
    #[error("there is text before -----BEGIN; a key file holds the key alone")]
    LeadingGarbage,
    /// Text or further blocks after the key.
    #[error("there is something after the key's END line; a key file holds one key and nothing else")]
    TrailingGarbage,
    /// No END line that fits.
    #[error("its END line is missing or doesn't match its BEGIN line; the file looks cut off")]
    Truncated,
    /// Base64 or DER that can't be read.
    #[error("it is damaged: its content can't be read as the key that its first line promises")]
    Damaged,
    /// Numbers that are no key.
    #[error("it is no valid key: its numbers don't belong together")]
    Inconsistent,
    /// The other half.
    #[error("it is a public key; needed is the private key that belongs to it")]
    PublicKey,
    /// The other half, where a public key is asked for.
    #[error("it is a private key; needed is the public key that belongs to it (openssl pkey -pubout)")]
    PrivateKey,
    /// A certificate.
    #[error("it is a certificate; CloudFront signs with a bare key pair: needed is {needed}")]
    Certificate {
        /// Which half is wanted.
        needed: &'static str,
    },
    /// Protected by a passphrase.
    #[error("it is encrypted with a passphrase; decrypt it first: openssl pkey -in FILE -out DECRYPTED")]
    Encrypted,
    /// OpenSSH's own format.
    #[error("it is an OpenSSH key; convert it to PEM first: ssh-keygen -p -m PEM -f FILE")]
    OpenSsh,
    /// DSA, Ed25519 and the like.
    #[error("it is {name} key; CloudFront takes RSA 2048 and ECDSA P-256")]
    Algorithm {
        /// The algorithm with its article, such as `an Ed25519`.
        name: &'static str,
    },
    /// An elliptic curve other than P-256.
    #[error("it is an elliptic curve key on {name}; CloudFront takes P-256 (prime256v1) alone")]
    Curve {
        /// The curve, such as `P-384`.
        name: &'static str,
    },
    /// RSA of another size.
    #[error("it is an RSA key of {bits} bits; needed are 2048 (1024 to 4096 are accepted)")]
    Size {
        /// Bits of the modulus.
        bits: u32,
    },
    /// A PEM block of another kind.
    #[error("it holds no key: its first line names something else than a key")]
    OtherBlock,
}

/// A signature that can't be made.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SignError {
    /// A hash that the key must not be used with.
    #[error("an ECDSA key signs with SHA256, not with {0}")]
    Hash(HashAlgorithm),
    /// The crypto library failed.
    #[error("the crypto library failed to sign")]
    Crypto,
}
