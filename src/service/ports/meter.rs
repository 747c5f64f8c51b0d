//! What the services count. `telemetry` turns it into metrics.

/// Counts what happens.
pub trait Meter: Send + Sync + 'static {
    /// So many grants were used for links.
    fn links(&self, source: LinkSource, count: usize);
    /// A signature was made.
    fn signature(&self);
    /// A signature couldn't be made.
    fn signing_failed(&self);
    /// A document was signed: its length in bytes, and its sites.
    fn document(&self, bytes: usize, found: usize, signed: usize);
    /// A site of a document stayed unsigned, for one of the reasons of `document::Reason`.
    fn unsigned(&self, reason: &'static str);
    /// The keys of the tokens' issuer were fetched, or couldn't be. Counts for nothing where no tokens are
    /// checked.
    fn token_keys(&self, _fetched: bool) {}
    /// So many assets were looked up for links.
    fn assets(&self, _source: AssetSource, _count: usize) {}
}

/// Where what is known of an asset came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssetSource {
    /// The cache had it.
    Cache,
    /// The store was asked.
    Store,
    /// The cache had it, and the store couldn't be asked.
    Stale,
}

/// Where a link's signature came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkSource {
    /// The link cache had it.
    Cache,
    /// It was made, or waited for while another request made it.
    Signed,
}

/// Counts nothing: for commands that end.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMeter;

impl Meter for NoMeter {
    fn links(&self, _: LinkSource, _: usize) {}
    fn signature(&self) {}
    fn signing_failed(&self) {}
    fn document(&self, _: usize, _: usize, _: usize) {}
    fn unsigned(&self, _: &'static str) {}
}
