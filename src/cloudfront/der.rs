//! The few bytes of DER that tell what a key is: tags, lengths, object identifiers.
//!
//! Reading stops at the structure around a key; the numbers inside are left to the crypto libraries.

/// An object identifier by its encoded bytes, and what people call it.
pub(super) struct Oid(pub &'static [u8], pub &'static str);

/// rsaEncryption.
pub(super) const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// id-ecPublicKey.
pub(super) const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// prime256v1, which is P-256.
pub(super) const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

const OTHERS: &[Oid] = &[
    Oid(&[0x2b, 0x65, 0x70], "an Ed25519"),
    Oid(&[0x2b, 0x65, 0x71], "an Ed448"),
    Oid(&[0x2b, 0x65, 0x6e], "an X25519"),
    Oid(&[0x2b, 0x65, 0x6f], "an X448"),
    Oid(&[0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01], "a DSA"),
    Oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a], "an RSA-PSS"),
    Oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x03, 0x01], "a Diffie-Hellman"),
];

const CURVES: &[Oid] = &[
    Oid(&[0x2b, 0x81, 0x04, 0x00, 0x22], "P-384"),
    Oid(&[0x2b, 0x81, 0x04, 0x00, 0x23], "P-521"),
    Oid(&[0x2b, 0x81, 0x04, 0x00, 0x21], "P-224"),
    Oid(&[0x2b, 0x81, 0x04, 0x00, 0x0a], "secp256k1"),
    Oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x01], "P-192"),
    Oid(&[0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x07], "brainpoolP256r1"),
];

/// The name of an algorithm that CloudFront doesn't take, with its article.
pub(super) fn algorithm_name(oid: &[u8]) -> &'static str {
    OTHERS.iter().find(|known| known.0 == oid).map_or("an unknown kind of", |known| known.1)
}

/// The name of a curve that CloudFront doesn't take.
pub(super) fn curve_name(oid: &[u8]) -> &'static str {
    CURVES.iter().find(|known| known.0 == oid).map_or("an unknown curve", |known| known.1)
}

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_ID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
/// `[0]`, constructed: the curve of a SEC1 key.
pub(super) const CONTEXT_0: u8 = 0xa0;
/// `[1]`, constructed: the public half of a SEC1 key.
pub(super) const CONTEXT_1: u8 = 0xa1;

/// A position in DER bytes.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(der: &'a [u8]) -> Self {
        Self(der)
    }

    /// The content of the next element, where it has this tag.
    pub(super) fn element(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&found, rest) = self.0.split_first()?;
        if found != tag {
            return None;
        }
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x83 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (digits.iter().fold(0, |sum, &digit| sum << 8 | usize::from(digit)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(content)
    }

    pub(super) fn sequence(&mut self) -> Option<Reader<'a>> {
        self.element(SEQUENCE).map(Reader)
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }
}

/// An `AlgorithmIdentifier`: the algorithm, and the curve where one is named.
pub(super) struct Algorithm<'a> {
    pub oid: &'a [u8],
    pub curve: Option<&'a [u8]>,
}

impl<'a> Algorithm<'a> {
    pub(super) fn read(from: &mut Reader<'a>) -> Option<Self> {
        let mut fields = from.sequence()?;
        Some(Self { oid: fields.element(OBJECT_ID)?, curve: fields.element(OBJECT_ID) })
    }
}

/// A private key in PKCS#8: its algorithm, and the key itself in the format of that algorithm.
pub(super) struct Pkcs8<'a> {
    pub algorithm: Algorithm<'a>,
    pub key: &'a [u8],
}

impl<'a> Pkcs8<'a> {
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let mut outer = Reader::new(der);
        let mut fields = outer.sequence()?;
        fields.element(INTEGER)?;
        let algorithm = Algorithm::read(&mut fields)?;
        let key = fields.element(OCTET_STRING)?;
        outer.is_at_end().then_some(Self { algorithm, key })
    }
}

/// An elliptic curve private key in SEC1 (RFC 5915).
pub(super) struct Sec1<'a> {
    pub scalar: &'a [u8],
    pub curve: Option<&'a [u8]>,
    /// The public point, where the file states it.
    pub point: Option<&'a [u8]>,
}

impl<'a> Sec1<'a> {
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let mut outer = Reader::new(der);
        let mut fields = outer.sequence()?;
        fields.element(INTEGER)?;
        let scalar = fields.element(OCTET_STRING)?;
        let curve = fields.element(CONTEXT_0).and_then(|content| Reader::new(content).element(OBJECT_ID));
        let point = match fields.element(CONTEXT_1) {
            None => None,
            Some(content) => match Reader::new(content).element(BIT_STRING)?.split_first()? {
                (0, point) => Some(point),
                _ => return None,
            },
        };
        (outer.is_at_end() && fields.is_at_end()).then_some(Self { scalar, curve, point })
    }
}
