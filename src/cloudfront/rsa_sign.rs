//! RSA signing by aws-lc's C library: the one module with `unsafe` code.
//!
//! aws-lc-rs, the safe interface, has no RSA signature over SHA-1, which is CloudFront's default, and refuses
//! keys under 2,048 bits. The library below has both, at seven times the speed of the `rsa` crate. What is
//! used of it: parse a PKCS#1 key, sign a digest, read size and public half, free the key.
#![allow(unsafe_code, reason = "aws-lc-rs has no RSA-SHA1 signing; every use is explained below")]

use std::ffi::{c_int, c_uint};
use std::ptr::NonNull;

use aws_lc_rs::digest::{self, digest};
use aws_lc_sys as ffi;

use super::key_error::{KeyError, SignError};
use super::names::HashAlgorithm;

/// An RSA private key in aws-lc's memory, which that library zeroizes when it is freed.
pub(super) struct RsaSigner {
    key: NonNull<ffi::RSA>,
}

// SAFETY: the key is owned by this value alone, and aws-lc binds no key to a thread.
unsafe impl Send for RsaSigner {}
// SAFETY: after parsing, the key is only used by RSA_sign, RSA_size and RSA_public_key_to_bytes, which aws-lc
// documents as safe to call concurrently on one key (its blinding cache has a lock of its own).
unsafe impl Sync for RsaSigner {}

impl RsaSigner {
    /// Reads an `RSAPrivateKey` (PKCS#1) in DER. The library checks that its numbers belong together, and that
    /// nothing follows them.
    pub(super) fn from_pkcs1_der(der: &[u8]) -> Result<Self, KeyError> {
        // SAFETY: pointer and length are those of a live slice, which the call only reads.
        let key = unsafe { ffi::RSA_private_key_from_bytes(der.as_ptr(), der.len()) };
        let Some(key) = NonNull::new(key) else {
            // SAFETY: takes no arguments; empties this thread's queue of errors.
            unsafe { ffi::ERR_clear_error() };
            return Err(KeyError::Inconsistent);
        };
        // SAFETY: `key` is a live key, just made.
        let bits = unsafe { ffi::RSA_bits(key.as_ptr()) };
        // From here on the key is freed with this value, also where its size is refused.
        let signer = Self { key };
        if !(1024..=4096).contains(&bits) {
            return Err(KeyError::Size { bits });
        }
        Ok(signer)
    }

    /// A PKCS#1 v1.5 signature over the message.
    pub(super) fn sign(&self, message: &[u8], hash: HashAlgorithm) -> Result<Box<[u8]>, SignError> {
        let (id, algorithm) = match hash {
            HashAlgorithm::Sha1 => (ffi::NID_sha1, &digest::SHA1_FOR_LEGACY_USE_ONLY),
            HashAlgorithm::Sha256 => (ffi::NID_sha256, &digest::SHA256),
        };
        self.sign_digest(id, digest(algorithm, message).as_ref())
    }

    /// The public half as an `RSAPublicKey` (PKCS#1) in DER.
    pub(super) fn public_key_der(&self) -> Result<Vec<u8>, KeyError> {
        let mut bytes = std::ptr::null_mut();
        let mut length = 0_usize;
        // SAFETY: the key is live; both out-pointers point to live variables of the right type.
        let done =
            unsafe { ffi::RSA_public_key_to_bytes(&raw mut bytes, &raw mut length, self.key.as_ptr()) };
        if done != 1 || bytes.is_null() {
            return Err(KeyError::Inconsistent);
        }
        // SAFETY: on success the call has set `bytes` to a new buffer of `length` initialised bytes, which
        // nobody else holds.
        let der = unsafe { std::slice::from_raw_parts(bytes, length) }.to_vec();
        // SAFETY: `bytes` came from aws-lc's allocator and isn't used any more.
        unsafe { ffi::OPENSSL_free(bytes.cast()) };
        Ok(der)
    }

    fn sign_digest(&self, hash: c_int, digest: &[u8]) -> Result<Box<[u8]>, SignError> {
        // SAFETY: the key is live.
        let size = unsafe { ffi::RSA_size(self.key.as_ptr()) };
        let size = usize::try_from(size).map_err(|_| SignError::Crypto)?;
        let mut signature = vec![0_u8; size];
        let mut length: c_uint = 0;
        // SAFETY: digest pointer and length are those of a live slice; the output has RSA_size bytes, as the
        // call demands; `length` is a live variable; the key is live and, though taken as a mutable pointer,
        // may be used by several threads at once (see Sync above).
        let done = unsafe {
            ffi::RSA_sign(
                hash,
                digest.as_ptr(),
                digest.len(),
                signature.as_mut_ptr(),
                &raw mut length,
                self.key.as_ptr(),
            )
        };
        if done != 1 || usize::try_from(length) != Ok(size) {
            // SAFETY: takes no arguments; empties this thread's queue of errors.
            unsafe { ffi::ERR_clear_error() };
            return Err(SignError::Crypto);
        }
        Ok(signature.into_boxed_slice())
    }
}

impl Drop for RsaSigner {
    fn drop(&mut self) {
        // SAFETY: the key is live and owned by this value, which ends here. aws-lc zeroizes what it frees.
        unsafe { ffi::RSA_free(self.key.as_ptr()) };
    }
}
