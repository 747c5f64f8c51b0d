//! Every kind of key file: it works, or it says what it is.

use super::*;

macro_rules! file {
    ($name:literal) => {
        include_str!(concat!("../../tests/", $name, ".pem"))
    };
}

const RSA: &str = file!("vectors/rsa");
const RSA_PKCS1: &str = file!("vectors/rsa-pkcs1");
const ECDSA: &str = file!("vectors/ecdsa");
const ECDSA_SEC1: &str = file!("vectors/ecdsa-sec1");

fn load(pem: &str) -> Result<PrivateKey, KeyError> {
    PrivateKey::from_pem(pem.as_bytes(), NonceMode::Random)
}

#[test]
fn each_format_of_a_key_is_the_same_key() {
    let rsa = PublicKey::from_pem(file!("vectors/rsa-public").as_bytes()).unwrap();
    let ecdsa = PublicKey::from_pem(file!("vectors/ecdsa-public").as_bytes()).unwrap();
    for (pem, public) in [(RSA, &rsa), (RSA_PKCS1, &rsa), (ECDSA, &ecdsa), (ECDSA_SEC1, &ecdsa)] {
        assert_eq!(load(pem).unwrap().public_key(), *public);
    }
    let pkcs1 = PublicKey::from_pem(file!("keys/rsa-public-pkcs1").as_bytes()).unwrap();
    assert_eq!(pkcs1, rsa);
    assert_eq!(rsa.to_pem(), file!("vectors/rsa-public"));
    assert_eq!(ecdsa.to_pem(), file!("vectors/ecdsa-public"));
}

#[test]
fn a_key_survives_the_ways_that_key_files_travel() {
    for pem in [RSA, RSA_PKCS1, ECDSA, ECDSA_SEC1, file!("keys/p256-with-parameters")] {
        for variant in [
            pem.replace('\n', "\r\n"),
            pem.replace('\n', "\\n"),
            pem.replace('\n', "\\r\\n"),
            pem.trim_end().to_owned(),
            format!("\n \t{pem}\n\r\n  "),
            format!("\u{feff}{pem}"),
            pem.replace('\n', " "),
        ] {
            let key = load(&variant).unwrap();
            assert!(key.sign(b"x", HashAlgorithm::Sha256).is_ok());
        }
    }
}

#[test]
fn what_is_no_usable_private_key_says_what_it_is() {
    use KeyError::*;
    let cut = RSA.get(..RSA.len() / 2).unwrap();
    let wrong_end = RSA.replace("END PRIVATE", "END RSA PRIVATE");
    // One byte of the modulus: no longer the product of the primes.
    let inconsistent = RSA_PKCS1.replacen("jlNlZPmh", "jlNlZPmi", 1);
    let relabelled = ECDSA.replace("PRIVATE KEY", "RSA PRIVATE KEY");
    let twice = format!("{RSA}{RSA}");
    let followed = format!("{RSA}x");
    let preceded = format!("Bag Attributes\n{RSA}");
    let not_base64 = RSA.replacen("MII", "M!I", 1);
    let needed = "the private key";
    for (pem, reason) in [
        ("", Empty),
        (" \r\n", Empty),
        ("K2JCJMDEHXQW5F", NotPem),
        ("{\"key\":1}", NotPem),
        (cut, Truncated),
        (&wrong_end, Truncated),
        (&inconsistent, Inconsistent),
        (&relabelled, Inconsistent),
        (&twice, TrailingGarbage),
        (&followed, TrailingGarbage),
        (&preceded, LeadingGarbage),
        (&not_base64, Damaged),
        (file!("vectors/rsa-public"), PublicKey),
        (file!("vectors/ecdsa-public"), PublicKey),
        (file!("keys/rsa-public-pkcs1"), PublicKey),
        (file!("keys/certificate"), Certificate { needed }),
        (file!("keys/encrypted"), Encrypted),
        (file!("keys/encrypted-pkcs1"), Encrypted),
        (file!("keys/openssh"), OpenSsh),
        (file!("keys/dsa"), Algorithm { name: "a DSA" }),
        (&file!("keys/dsa").replace("PRIVATE", "DSA PRIVATE"), Algorithm { name: "a DSA" }),
        (file!("keys/ed25519"), Algorithm { name: "an Ed25519" }),
        (file!("keys/rsa-pss"), Algorithm { name: "an RSA-PSS" }),
        (file!("keys/p384"), Curve { name: "P-384" }),
        (file!("keys/p384-sec1"), Curve { name: "P-384" }),
        (file!("keys/secp256k1-sec1"), Curve { name: "secp256k1" }),
        (file!("keys/rsa512"), Size { bits: 512 }),
        (file!("keys/rsa8192"), Size { bits: 8192 }),
    ] {
        assert_eq!(load(pem).unwrap_err(), reason, "{pem}");
    }
}

#[test]
fn what_is_no_usable_public_key_says_what_it_is() {
    use KeyError::*;
    for (pem, reason) in [
        (RSA, PrivateKey),
        (ECDSA_SEC1, PrivateKey),
        (file!("keys/encrypted"), PrivateKey),
        (file!("keys/p384-public"), Curve { name: "P-384" }),
        (file!("keys/ed25519-public"), Algorithm { name: "an Ed25519" }),
    ] {
        assert_eq!(super::PublicKey::from_pem(pem.as_bytes()).unwrap_err(), reason, "{pem}");
    }
    assert!(matches!(
        super::PublicKey::from_pem(file!("keys/certificate").as_bytes()),
        Err(Certificate { .. })
    ));
}

#[test]
fn sizes_other_than_2048_work_with_a_warning() {
    for (pem, bits) in [(file!("keys/rsa1024"), 1024), (file!("keys/rsa4096"), 4096)] {
        let key = load(pem).unwrap();
        assert_eq!(key.algorithm(), KeyAlgorithm::Rsa { bits });
        assert!(key.warning().unwrap().contains(&bits.to_string()));
        for hash in [HashAlgorithm::Sha1, HashAlgorithm::Sha256] {
            let signature = key.sign(b"policy", hash).unwrap();
            assert!(key.public_key().verify(b"policy", signature.as_bytes(), hash));
            assert!(!key.public_key().verify(b"Policy", signature.as_bytes(), hash));
        }
    }
    assert_eq!(load(RSA).unwrap().warning(), None);
    assert_eq!(load(ECDSA).unwrap().warning(), None);
}

#[test]
fn debug_shows_nothing_but_the_kind_and_keys_cross_threads() {
    fn shared<T: Send + Sync + 'static>(key: T) -> std::sync::Arc<T> {
        std::sync::Arc::new(key)
    }
    assert_eq!(format!("{:?}", load(RSA).unwrap()), "PrivateKey(RSA 2048)");
    assert_eq!(format!("{:?}", load(ECDSA).unwrap()), "PrivateKey(ECDSA P-256)");
    let key = shared(load(RSA).unwrap());
    let expected = key.sign(b"policy", HashAlgorithm::Sha1).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (key, expected) = (key.clone(), expected.clone());
            std::thread::spawn(move || {
                for _ in 0..20 {
                    assert_eq!(key.sign(b"policy", HashAlgorithm::Sha1).unwrap(), expected);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn a_generated_pair_signs_and_verifies() {
    for kind in [NewKey::Rsa2048, NewKey::EcdsaP256] {
        let (key, pem) = PrivateKey::generate(kind).unwrap();
        let again = PrivateKey::from_pem(pem.as_bytes(), NonceMode::Deterministic).unwrap();
        let public = PublicKey::from_pem(key.public_key().to_pem().as_bytes()).unwrap();
        let signature = again.sign(b"policy", again.default_hash()).unwrap();
        assert!(public.verify(b"policy", signature.as_bytes(), key.default_hash()));
        assert_eq!(key.warning(), None);
    }
}

#[test]
fn deterministic_nonces_follow_rfc_6979() {
    // RFC 6979, A.2.5: P-256, SHA-256, message "sample".
    let scalar = "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721";
    let scalar: Vec<u8> =
        (0..32).map(|i| u8::from_str_radix(&scalar[2 * i..2 * i + 2], 16).unwrap()).collect();
    let mut der = vec![0x30, 0x31, 2, 1, 1, 4, 32];
    der.extend(scalar);
    der.extend([0xa0, 0x0a, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]);
    let pem = pem::write("EC PRIVATE KEY", &der);
    let key = PrivateKey::from_pem(pem.as_bytes(), NonceMode::Deterministic).unwrap();
    let signature = key.sign(b"sample", HashAlgorithm::Sha256).unwrap();
    let hex: String = signature.as_bytes().iter().map(|byte| format!("{byte:02X}")).collect();
    assert_eq!(
        hex,
        "3046022100EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716\
         022100F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
    );
}
