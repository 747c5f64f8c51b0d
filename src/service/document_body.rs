//! A signed document on its way out: put together block by block, while it is sent.

use bytes::Bytes;

use crate::document::Pieces;

/// The bytes of a signed document: the document as it came in, and what is put into it.
#[derive(Debug, Clone)]
pub struct DocumentBody {
    input: Bytes,
    pieces: Pieces,
}

impl DocumentBody {
    /// Joins a document and its pieces.
    pub(super) fn new(input: Bytes, pieces: Pieces) -> Self {
        Self { input, pieces }
    }

    /// A document without anything to sign.
    #[must_use]
    pub fn unchanged(input: Bytes) -> Self {
        Self { pieces: Pieces::unchanged(input.len()), input }
    }

    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Whether there is nothing. No document is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// All of it in one piece; the input itself where nothing has changed.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        if self.pieces.is_changed() { self.pieces.to_vec(&self.input).into() } else { self.input.clone() }
    }

    /// Appends all of it.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        out.reserve(self.len());
        (0..self.pieces.count())
            .for_each(|index| out.extend_from_slice(self.pieces.piece(index, &self.input)));
    }

    /// It in blocks of at most [`Blocks::BYTES`], each made when it is asked for; the input itself
    /// where nothing has changed.
    #[must_use]
    pub fn into_blocks(self) -> Blocks {
        Blocks { rest: self.len(), body: self, piece: 0, offset: 0 }
    }
}

/// The blocks of a document.
#[derive(Debug)]
pub struct Blocks {
    body: DocumentBody,
    /// Bytes that are still to come.
    rest: usize,
    /// The piece that comes next, and how much of it has been taken.
    piece: usize,
    offset: usize,
}

impl Blocks {
    /// The longest block, in bytes: it fits into a core's cache.
    pub const BYTES: usize = 64 * 1024;
}

impl Iterator for Blocks {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.rest == 0 {
            return None;
        }
        if !self.body.pieces.is_changed() {
            self.rest = 0;
            return Some(self.body.input.clone());
        }
        let size = self.rest.min(Self::BYTES);
        let mut block = Vec::with_capacity(size);
        while block.len() < size && self.piece < self.body.pieces.count() {
            let piece = self.body.pieces.piece(self.piece, &self.body.input);
            let rest = piece.get(self.offset..).unwrap_or_default();
            let part = rest.get(..size - block.len()).unwrap_or(rest);
            block.extend_from_slice(part);
            if part.len() == rest.len() {
                (self.piece, self.offset) = (self.piece + 1, 0);
            } else {
                self.offset += part.len();
            }
        }
        self.rest -= size;
        Some(block.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Limits, Links, MediaHost, Profile, References, Rules, scan};

    fn body(files: usize) -> DocumentBody {
        let rules = Rules {
            profile: Profile::vivreal(),
            hosts: vec![MediaHost::host("m.example")],
            references: References::Leave,
            limits: Limits::default(),
        };
        let file = |index| format!(r#"{{"key":"a/{index}.png","name":"\u00e9"}}"#);
        // Prose that is longer than a few blocks.
        let prose = format!("\"{}\"", (0..40_000).map(|n| n.to_string()).collect::<Vec<_>>().join(" "));
        let parts: Vec<String> = (0..files).map(file).chain((files > 0).then_some(prose)).collect();
        let input = format!("[{}]", parts.join(","));
        let pieces = {
            let scan = scan(input.as_bytes(), &rules).unwrap();
            let link = |index: usize| Links::new(&format!("https://m.example/{}", "x".repeat(index * 7)), 1);
            scan.splice(&(0..files).map(|index| Ok(link(index))).collect::<Vec<_>>()).pieces
        };
        DocumentBody::new(input.into(), pieces)
    }

    #[test]
    fn blocks_are_the_document_and_no_longer_than_they_may_be() {
        for files in [1, 2, 150, 400] {
            let body = body(files);
            let whole = body.to_bytes();
            assert_eq!(whole.len(), body.len());
            let mut appended = b"before".to_vec();
            body.append_to(&mut appended);
            assert_eq!(appended[6..], whole);
            let blocks: Vec<Bytes> = body.into_blocks().collect();
            assert!(blocks.iter().all(|block| !block.is_empty() && block.len() <= Blocks::BYTES));
            assert_eq!(blocks.len(), whole.len().div_ceil(Blocks::BYTES));
            assert_eq!(blocks.concat(), whole);
        }
    }

    #[test]
    fn what_has_not_changed_is_not_copied() {
        let body = body(0);
        let input = body.input.clone();
        assert_eq!(body.to_bytes().as_ptr(), input.as_ptr());
        let blocks: Vec<Bytes> = body.into_blocks().collect();
        assert_eq!((blocks.len(), blocks[0].as_ptr()), (1, input.as_ptr()));
    }
}
