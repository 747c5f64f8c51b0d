//! Private keys: PEM in, signatures out.
//!
//! 1. Read: RSA in PKCS#8 or PKCS#1, ECDSA P-256 in PKCS#8 or SEC1; anything else says what it is.
//! 2. Sign: RSA and random ECDSA by aws-lc, deterministic ECDSA by p256.
//! 3. Generate: a new pair for `keygen`.

use std::fmt;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::elliptic_curve::sec1::ToSec1Point as _;
use zeroize::Zeroizing;

use super::der::{self, Pkcs8, Sec1};
use super::encoding;
use super::key_error::{KeyError, SignError};
use super::names::{HashAlgorithm, KeyAlgorithm, NonceMode};
use super::pem;
use super::public_key::PublicKey;
use super::rsa_sign::RsaSigner;

/// A private key, parsed once. Its parts are zeroized when it is dropped, and `Debug` shows its kind alone.
pub struct PrivateKey {
    signer: Signer,
    public: PublicKey,
}

enum Signer {
    Rsa(RsaSigner),
    EcdsaRandom(EcdsaKeyPair),
    EcdsaDeterministic(SigningKey),
}

/// The raw bytes of a signature: PKCS#1 v1.5 for RSA, ASN.1 DER for ECDSA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature(Box<[u8]>);

impl PrivateKey {
    /// Reads the one private key of a PEM file: RSA of 1024 to 4096 bits in PKCS#8 or PKCS#1, or ECDSA P-256 in
    /// PKCS#8 or SEC1. CRLF, `\n` written out and white space around the key are fine. The nonce mode matters
    /// to ECDSA alone.
    ///
    /// # Errors
    /// [`KeyError`] says what the file holds instead.
    pub fn from_pem(pem: &[u8], nonce: NonceMode) -> Result<Self, KeyError> {
        let block = pem::read(pem)?;
        match block.label.as_str() {
            "PRIVATE KEY" => Self::from_pkcs8(&block.der, nonce),
            "RSA PRIVATE KEY" => Self::from_pkcs1(&block.der),
            "EC PRIVATE KEY" => Self::from_sec1(&block.der, None, nonce),
            "ENCRYPTED PRIVATE KEY" => Err(KeyError::Encrypted),
            "PUBLIC KEY" | "RSA PUBLIC KEY" => Err(KeyError::PublicKey),
            "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => {
                Err(KeyError::Certificate { needed: "the private key" })
            }
            "DSA PRIVATE KEY" => Err(KeyError::Algorithm { name: "a DSA" }),
            "OPENSSH PRIVATE KEY" => Err(KeyError::OpenSsh),
            _ => Err(KeyError::OtherBlock),
        }
    }

    /// Makes a new RSA key of 2048 bits, or ECDSA key on P-256, and its PEM (PKCS#8).
    ///
    /// # Errors
    /// [`KeyError::Inconsistent`] where the crypto library fails.
    pub fn generate(kind: NewKey) -> Result<(Self, Zeroizing<String>), KeyError> {
        let text = match kind {
            NewKey::Rsa2048 => {
                let pair = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048);
                let der = pair.and_then(|pair| pair.as_der()).map_err(|_| KeyError::Inconsistent)?;
                pem::write("PRIVATE KEY", der.as_ref())
            }
            NewKey::EcdsaP256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING);
                let der = pair.and_then(|pair| pair.to_pkcs8v1()).map_err(|_| KeyError::Inconsistent)?;
                pem::write("PRIVATE KEY", der.as_ref())
            }
        };
        let key = Self::from_pem(text.as_bytes(), NonceMode::Random)?;
        Ok((key, text))
    }

    /// Signs a message: the JSON of a policy.
    ///
    /// # Errors
    /// [`SignError::Hash`] for ECDSA with SHA-1, [`SignError::Crypto`] where the crypto library fails.
    pub fn sign(&self, message: &[u8], hash: HashAlgorithm) -> Result<Signature, SignError> {
        let bytes = match (&self.signer, hash) {
            (Signer::Rsa(key), hash) => key.sign(message, hash)?,
            (_, HashAlgorithm::Sha1) => return Err(SignError::Hash(hash)),
            (Signer::EcdsaRandom(key), HashAlgorithm::Sha256) => {
                key.sign(&SystemRandom::new(), message).map_err(|_| SignError::Crypto)?.as_ref().into()
            }
            (Signer::EcdsaDeterministic(key), HashAlgorithm::Sha256) => {
                let signature: DerSignature = key.try_sign(message).map_err(|_| SignError::Crypto)?;
                signature.as_bytes().into()
            }
        };
        Ok(Signature(bytes))
    }

    /// The public half.
    pub fn public_key(&self) -> PublicKey {
        self.public.clone()
    }

    /// What kind of key this is.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.public.algorithm()
    }

    /// The hash to sign with where none is asked for: SHA-1 for RSA, SHA-256 for ECDSA.
    pub fn default_hash(&self) -> HashAlgorithm {
        self.algorithm().default_hash()
    }

    /// Roughly how long a signature takes on one core, in microseconds.
    pub fn cost_micros(&self) -> u64 {
        match (&self.signer, self.algorithm()) {
            (Signer::EcdsaRandom(_), _) => 16,
            (_, KeyAlgorithm::Rsa { bits: ..=2048 }) => 250,
            (_, KeyAlgorithm::Rsa { .. }) => 1_500,
            (_, KeyAlgorithm::EcdsaP256) => 150,
        }
    }

    /// What an operator should know about this key: RSA that is not of 2048 bits.
    pub fn warning(&self) -> Option<String> {
        match self.algorithm() {
            KeyAlgorithm::Rsa { bits } if bits != 2048 => Some(format!(
                "the RSA key has {bits} bits; CloudFront takes 2048 for new public keys, others only from old key pairs"
            )),
            _ => None,
        }
    }

    fn from_pkcs8(der: &[u8], nonce: NonceMode) -> Result<Self, KeyError> {
        let Pkcs8 { algorithm, key } = Pkcs8::read(der).ok_or(KeyError::Damaged)?;
        match algorithm.oid {
            der::RSA => Self::from_pkcs1(key),
            der::EC => Self::from_sec1(key, algorithm.curve, nonce),
            other => Err(KeyError::Algorithm { name: der::algorithm_name(other) }),
        }
    }

    fn from_pkcs1(der: &[u8]) -> Result<Self, KeyError> {
        let signer = RsaSigner::from_pkcs1_der(der)?;
        let public = PublicKey::from_pkcs1_der(&signer.public_key_der()?)?;
        Ok(Self { signer: Signer::Rsa(signer), public })
    }

    /// Reads a SEC1 key, on the curve that is named around it (PKCS#8) or in it.
    fn from_sec1(der: &[u8], outer_curve: Option<&[u8]>, nonce: NonceMode) -> Result<Self, KeyError> {
        let Sec1 { scalar, curve, point } = Sec1::read(der).ok_or(KeyError::Damaged)?;
        for curve in [outer_curve, curve].into_iter().flatten() {
            if curve != der::P256 {
                return Err(KeyError::Curve { name: der::curve_name(curve) });
            }
        }
        if outer_curve.is_none() && curve.is_none() {
            return Err(KeyError::Curve { name: der::curve_name(&[]) });
        }
        let signing = SigningKey::from_slice(scalar).map_err(|_| KeyError::Inconsistent)?;
        let verifying = *signing.verifying_key();
        let own_point = verifying.as_affine().to_sec1_point(false);
        let stated_differs = |stated: &[u8]| {
            stated != own_point.as_bytes() && stated != verifying.to_sec1_point(true).as_bytes()
        };
        if point.is_some_and(stated_differs) {
            return Err(KeyError::Inconsistent);
        }
        let signer = match nonce {
            NonceMode::Deterministic => Signer::EcdsaDeterministic(signing),
            NonceMode::Random => {
                let pair = EcdsaKeyPair::from_private_key_and_public_key(
                    &ECDSA_P256_SHA256_ASN1_SIGNING,
                    &Zeroizing::new(signing.to_bytes()),
                    own_point.as_bytes(),
                );
                Signer::EcdsaRandom(pair.map_err(|_| KeyError::Inconsistent)?)
            }
        };
        Ok(Self { signer, public: PublicKey::from_ecdsa(verifying) })
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.algorithm())
    }
}

/// What `keygen` can make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewKey {
    /// RSA of 2048 bits.
    Rsa2048,
    /// ECDSA on P-256.
    EcdsaP256,
}

impl Signature {
    /// Takes the bytes of a signature that was made before, such as one from a cache.
    pub fn from_bytes(bytes: Box<[u8]>) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The raw bytes, handed over.
    pub fn into_bytes(self) -> Box<[u8]> {
        self.0
    }

    /// The signature as links and cookies carry it.
    pub fn encode(&self) -> String {
        encoding::encode(&self.0)
    }
}
