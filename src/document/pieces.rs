//! A signed document as pieces: parts of the input, of links, and of what was written beside them.
//!
//! A link is kilobytes long where a site is a few bytes, so the answer is many times as long as the
//! document: it is put together only while it is sent, and never stands in memory whole.

use super::answer::Links;
use super::found::Span;

/// What a signed document consists of. The input isn't held: whoever has it gives it anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pieces {
    list: Vec<Piece>,
    /// What was written, in one piece; the names of the output come first.
    written: Vec<u8>,
    links: Vec<Links>,
    /// Bytes of all pieces.
    length: usize,
    changed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// Of the input.
    Input(Span),
    /// Of what was written.
    Written { start: usize, length: u32 },
    /// The link of one of the links,
    Link(u32),
    /// and its srcset.
    Srcset(u32),
}

impl Pieces {
    /// An input of so many bytes as it is.
    #[must_use]
    pub fn unchanged(length: usize) -> Self {
        let list = vec![Piece::Input(Span::new(0, length))];
        Self { list, written: Vec::new(), links: Vec::new(), length, changed: false }
    }

    /// Nothing yet; `fixed` can be [pushed](Self::fixed) as often as needed. Room for so many links.
    pub(super) fn new(fixed: &[u8], links: usize) -> Self {
        let mut written = Vec::with_capacity(fixed.len() + 256);
        written.extend_from_slice(fixed);
        let list = Vec::with_capacity(8 * links + 1);
        Self { list, written, links: Vec::with_capacity(links), length: 0, changed: true }
    }

    /// How many bytes the document has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there is nothing. No document is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Whether it differs from the input.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    /// How many pieces there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.list.len()
    }

    /// The bytes of a piece. `input` must be the one that was scanned.
    #[must_use]
    pub fn piece<'p>(&'p self, index: usize, input: &'p [u8]) -> &'p [u8] {
        let links = |index: u32| self.links.get(index as usize);
        match self.list.get(index) {
            Some(Piece::Input(span)) => span.of(input),
            Some(Piece::Written { start, length }) => {
                self.written.get(*start..start + *length as usize).unwrap_or_default()
            }
            Some(Piece::Link(index)) => links(*index).map_or(b"", |links| links.link().as_bytes()),
            Some(Piece::Srcset(index)) => links(*index).map_or(b"", |links| links.srcset().as_bytes()),
            None => b"",
        }
    }

    /// All pieces in one. `input` must be the one that was scanned.
    #[must_use]
    pub fn to_vec(&self, input: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.length);
        (0..self.list.len()).for_each(|index| bytes.extend_from_slice(self.piece(index, input)));
        bytes
    }

    /// Appends a part of the input.
    pub(super) fn input(&mut self, span: Span) {
        if span.start < span.end {
            self.length += (span.end - span.start) as usize;
            self.list.push(Piece::Input(span));
        }
    }

    /// Appends a part of the fixed bytes.
    pub(super) fn fixed(&mut self, (start, length): (usize, u32)) {
        self.length += length as usize;
        self.list.push(Piece::Written { start, length });
    }

    /// Appends what a closure writes.
    pub(super) fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.written.len();
        write(&mut self.written);
        let length = self.written.len() - start;
        self.length += length;
        // More than 4 GiB of one link aren't written.
        self.list.push(Piece::Written { start, length: length as u32 });
    }

    /// Makes links ready to be appended.
    pub(super) fn share(&mut self, links: &Links) -> u32 {
        self.links.push(links.clone());
        self.links.len() as u32 - 1
    }

    /// Appends a shared link.
    pub(super) fn link(&mut self, index: u32) {
        self.length += self.links.get(index as usize).map_or(0, |links| links.link().len());
        self.list.push(Piece::Link(index));
    }

    /// Appends a shared srcset.
    pub(super) fn srcset(&mut self, index: u32) {
        self.length += self.links.get(index as usize).map_or(0, |links| links.srcset().len());
        self.list.push(Piece::Srcset(index));
    }
}
