//! Why a document is refused, and where.

/// Why a document is refused. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// The bytes are not one JSON text (RFC 8259) in UTF-8.
    #[error("invalid JSON at line {line}, column {column} (byte {offset}): expected {expected}")]
    Syntax {
        /// Byte offset of what was not expected; the length of the input at its end.
        offset: usize,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What would have been right there.
        expected: &'static str,
    },
    /// Arrays and objects are nested too deeply.
    #[error("nested deeper than {limit} at line {line}, column {column} (byte {offset})")]
    TooDeep {
        /// The greatest depth allowed.
        limit: usize,
        /// Byte offset of the first bracket too many.
        offset: usize,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
    },
    /// The document wants too many links, or names media hosts too often; both count together.
    #[error("more than {limit} links in one document")]
    TooManyLinks {
        /// The greatest number allowed.
        limit: usize,
    },
    /// The document has 4 GiB or more.
    #[error("4 GiB or more in one document")]
    TooLarge,
    /// The scan was given up, as nothing waits for it any more.
    #[error("the scan was cancelled")]
    Cancelled,
}

/// An error before its line is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    pub offset: usize,
    pub what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Expected(&'static str),
    Depth(usize),
    Cancelled,
}

impl Fault {
    #[cold]
    pub(super) fn expected(offset: usize, expected: &'static str) -> Self {
        Self { offset, what: What::Expected(expected) }
    }

    /// Adds line and column.
    pub(super) fn located(self, input: &[u8]) -> ScanError {
        let before = input.get(..self.offset).unwrap_or(input);
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        // A character begins at every byte that does not go on with one.
        let column = before[line_start..].iter().filter(|byte| **byte & 0xC0 != 0x80).count() + 1;
        match self.what {
            What::Expected(expected) => ScanError::Syntax { offset: self.offset, line, column, expected },
            What::Depth(limit) => ScanError::TooDeep { limit, offset: self.offset, line, column },
            What::Cancelled => ScanError::Cancelled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_and_columns_are_characters() {
        let at = |input: &str, offset| match Fault::expected(offset, "x").located(input.as_bytes()) {
            ScanError::Syntax { line, column, .. } => (line, column),
            _ => (0, 0),
        };
        assert_eq!(at("x", 0), (1, 1));
        assert_eq!(at("{\n \"größe\" x", 13), (2, 10));
        assert_eq!(at("[1,\r\n]", 5), (2, 1));
        assert_eq!(at("[", 1), (1, 2));
    }
}
