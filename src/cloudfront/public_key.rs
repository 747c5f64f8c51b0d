//! Public keys: PEM in and out, and verification by libraries other than the one that signs.

use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{DerSignature, VerifyingKey};
use p256::pkcs8::{DecodePublicKey as _, EncodePublicKey as _};
use rsa::RsaPublicKey;
use rsa::pkcs1::DecodeRsaPublicKey as _;
use rsa::pkcs1v15::Pkcs1v15Sign;
use rsa::pkcs8::EncodePublicKey as _;
use rsa::traits::PublicKeyParts as _;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::der::{self, Algorithm, BIT_STRING, Reader};
use super::key_error::KeyError;
use super::names::{HashAlgorithm, KeyAlgorithm};
use super::pem;

/// A public key, as CloudFront holds it to verify with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Rsa(RsaPublicKey),
    Ecdsa(VerifyingKey),
}

impl PublicKey {
    /// Reads the one public key of a PEM file: `PUBLIC KEY` (SPKI) as CloudFront wants it, or `RSA PUBLIC KEY`
    /// (PKCS#1).
    ///
    /// # Errors
    /// [`KeyError`] says what the file holds instead.
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let block = pem::read(pem)?;
        match block.label.as_str() {
            "PUBLIC KEY" => Self::from_spki_der(&block.der),
            "RSA PUBLIC KEY" => Self::from_pkcs1_der(&block.der),
            "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => {
                Err(KeyError::Certificate { needed: "its public key (openssl x509 -pubkey -noout)" })
            }
            label if label.ends_with("PRIVATE KEY") => Err(KeyError::PrivateKey),
            _ => Err(KeyError::OtherBlock),
        }
    }

    /// The key as SPKI in PEM: what is pasted into CloudFront.
    pub fn to_pem(&self) -> String {
        // Encoding a key that was parsed can't fail.
        let der = match &self.0 {
            Kind::Rsa(key) => key.to_public_key_der().map(|der| der.into_vec()).unwrap_or_default(),
            Kind::Ecdsa(key) => key.to_public_key_der().map(|der| der.into_vec()).unwrap_or_default(),
        };
        pem::write("PUBLIC KEY", &der).to_string()
    }

    /// What kind of key this is.
    pub fn algorithm(&self) -> KeyAlgorithm {
        match &self.0 {
            Kind::Rsa(key) => KeyAlgorithm::Rsa { bits: bits(key) },
            Kind::Ecdsa(_) => KeyAlgorithm::EcdsaP256,
        }
    }

    /// Whether these raw signature bytes are this key's over the message. ECDSA with SHA-1 never is.
    pub fn verify(&self, message: &[u8], signature: &[u8], hash: HashAlgorithm) -> bool {
        match (&self.0, hash) {
            (Kind::Rsa(key), HashAlgorithm::Sha1) => {
                key.verify(Pkcs1v15Sign::new::<Sha1>(), &Sha1::digest(message), signature).is_ok()
            }
            (Kind::Rsa(key), HashAlgorithm::Sha256) => {
                key.verify(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(message), signature).is_ok()
            }
            (Kind::Ecdsa(_), HashAlgorithm::Sha1) => false,
            (Kind::Ecdsa(key), HashAlgorithm::Sha256) => DerSignature::from_bytes(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
        }
    }

    pub(super) fn from_ecdsa(key: VerifyingKey) -> Self {
        Self(Kind::Ecdsa(key))
    }

    pub(super) fn from_pkcs1_der(der: &[u8]) -> Result<Self, KeyError> {
        Self::from_rsa(RsaPublicKey::from_pkcs1_der(der).map_err(|_| KeyError::Damaged)?)
    }

    fn from_spki_der(der: &[u8]) -> Result<Self, KeyError> {
        let mut outer = Reader::new(der);
        let mut fields = outer.sequence().ok_or(KeyError::Damaged)?;
        let algorithm = Algorithm::read(&mut fields).ok_or(KeyError::Damaged)?;
        let bit_string = fields.element(BIT_STRING).ok_or(KeyError::Damaged)?;
        if !outer.is_at_end() || !fields.is_at_end() {
            return Err(KeyError::Damaged);
        }
        match algorithm.oid {
            der::RSA => Self::from_pkcs1_der(bit_string.strip_prefix(&[0]).ok_or(KeyError::Damaged)?),
            der::EC => match algorithm.curve {
                Some(der::P256) => {
                    let key = VerifyingKey::from_public_key_der(der).map_err(|_| KeyError::Damaged)?;
                    Ok(Self(Kind::Ecdsa(key)))
                }
                curve => Err(KeyError::Curve { name: der::curve_name(curve.unwrap_or_default()) }),
            },
            other => Err(KeyError::Algorithm { name: der::algorithm_name(other) }),
        }
    }

    fn from_rsa(key: RsaPublicKey) -> Result<Self, KeyError> {
        match bits(&key) {
            1024..=4096 => Ok(Self(Kind::Rsa(key))),
            bits => Err(KeyError::Size { bits }),
        }
    }
}

fn bits(key: &RsaPublicKey) -> u32 {
    u32::try_from(key.n().bits()).unwrap_or(u32::MAX)
}
