//! What a scan wants resolved, and what it gets for it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

/// Something to resolve, as the document says it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Want<'a> {
    /// A file by its object key, which is decoded but not yet checked.
    File {
        /// The object key.
        key: Cow<'a, str>,
        /// The derivatives to link as well.
        derivatives: Option<Derivatives>,
    },
    /// An asset by its id, whose syntax is checked.
    Asset {
        /// `med_` and a ULID.
        id: Cow<'a, str>,
    },
    /// A URL on a media host, decoded, with its old signature; not yet checked.
    Url {
        /// The URL.
        url: Cow<'a, str>,
    },
    /// Media that no link may stand for: whatever its answer is, it stays as it is, for this reason.
    Refused {
        /// Why.
        reason: Reason,
    },
}

impl Want<'_> {
    /// How many links it takes.
    pub fn links(&self) -> usize {
        match self {
            Self::File { derivatives: Some(derivatives), .. } => 1 + derivatives.widths().len(),
            _ => 1,
        }
    }
}

/// Smaller versions of a file: 1 to 16 widths, and their format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Derivatives {
    widths: [u16; 16],
    count: u8,
    format: [u8; 5],
    length: u8,
}

impl Derivatives {
    /// None yet, of this format: 2 to 5 of `a-z0-9`.
    pub(super) fn new(format: &[u8]) -> Option<Self> {
        let valid = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if !(2..=5).contains(&format.len()) || !format.iter().all(valid) {
            return None;
        }
        let mut derivatives = Self { widths: [0; 16], count: 0, format: [0; 5], length: format.len() as u8 };
        derivatives.format[..format.len()].copy_from_slice(format);
        Some(derivatives)
    }

    /// Adds a width, and says whether it may be there.
    pub(super) fn add(&mut self, width: u32) -> bool {
        let count = usize::from(self.count);
        let Some(width) = u16::try_from(width).ok().filter(|width| (1..=16_384).contains(width)) else {
            return false;
        };
        // They mostly come in order.
        let place = self.widths().iter().rposition(|other| *other <= width).map_or(0, |at| at + 1);
        if count == self.widths.len() || place > 0 && self.widths[place - 1] == width {
            return false;
        }
        if place < count {
            self.widths.copy_within(place..count, place + 1);
        }
        self.widths[place] = width;
        self.count += 1;
        true
    }

    /// Widths in pixels, ascending and distinct, 1 to 16,384 each.
    pub fn widths(&self) -> &[u16] {
        &self.widths[..usize::from(self.count)]
    }

    /// The format, such as `jpg`.
    pub fn format(&self) -> &str {
        std::str::from_utf8(&self.format[..usize::from(self.length)]).unwrap_or_default()
    }

    /// The object key of the derivative of a file: `{key}.{width}.{format}`.
    pub fn key_of(&self, key: &str, width: u16) -> String {
        format!("{key}.{width}.{}", self.format())
    }
}

/// What became of something wanted.
pub type Answer = Result<Links, Reason>;

/// The links of something wanted: one text, which copies share, so that cloning is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Links {
    /// The link, and after it the `srcset`.
    text: Arc<str>,
    /// The length of the link.
    link: usize,
    /// Whether nothing in the text needs an escape in JSON. Signed links never do.
    plain: bool,
    expires: Option<u64>,
}

impl Links {
    /// A link without derivatives. `expires` is in seconds since the Unix epoch; `None` where it never does.
    pub fn new(link: &str, expires: impl Into<Option<u64>>) -> Self {
        Self::of(link.into(), link.len(), expires.into())
    }

    /// A link, and the widths and links of the derivatives, ascending. `expires` is when the first of them
    /// expires, in seconds since the Unix epoch; `None` where none does.
    pub fn with_derivatives(
        link: &str,
        derivatives: &[(u32, String)],
        expires: impl Into<Option<u64>>,
    ) -> Self {
        let mut text = link.to_owned();
        for (index, (width, smaller)) in derivatives.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            // Writing to a String can't fail.
            let _ = write!(text, "{comma}{smaller} {width}w");
        }
        Self::of(text.into(), link.len(), expires.into())
    }

    fn of(text: Arc<str>, link: usize, expires: Option<u64>) -> Self {
        let plain = !text.bytes().any(|byte| matches!(byte, b'"' | b'\\' | 0..=31));
        Self { text, link, plain, expires }
    }

    /// The link, ready for use.
    pub fn link(&self) -> &str {
        self.text.get(..self.link).unwrap_or_default()
    }

    /// The derivatives as a `srcset`; empty where there are none.
    pub fn srcset(&self) -> &str {
        self.text.get(self.link..).unwrap_or_default()
    }

    /// When the first of them expires, in seconds since the Unix epoch. `None` where none does.
    pub fn expires(&self) -> Option<u64> {
        self.expires
    }

    /// How many bytes they take.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Whether nothing in them needs an escape in JSON.
    pub(super) fn is_plain(&self) -> bool {
        self.plain
    }
}

/// Why something stays unsigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// There is no such asset.
    Unknown,
    /// It is another tenant's.
    Foreign,
    /// The upload is not finished.
    NotReady,
    /// The asset was deleted.
    Deleted,
    /// It is PRIVATE, and the caller asked for PUBLIC media alone.
    Private,
    /// The object key breaks the key rules.
    InvalidKey,
    /// The URL can't be signed as it is.
    InvalidUrl,
    /// The derivatives can't be read; the file itself is signed.
    InvalidDerivatives,
    /// Media in a place that Signet doesn't change.
    Unsupported,
}

impl Reason {
    /// Every reason, in the order of the documentation.
    pub const ALL: [Self; 9] = [
        Self::Unknown,
        Self::Foreign,
        Self::NotReady,
        Self::Deleted,
        Self::Private,
        Self::InvalidKey,
        Self::InvalidUrl,
        Self::InvalidDerivatives,
        Self::Unsupported,
    ];

    /// Its name in reports and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Foreign => "foreign",
            Self::NotReady => "not_ready",
            Self::Deleted => "deleted",
            Self::Private => "private",
            Self::InvalidKey => "invalid_key",
            Self::InvalidUrl => "invalid_url",
            Self::InvalidDerivatives => "invalid_derivatives",
            Self::Unsupported => "unsupported",
        }
    }
}
