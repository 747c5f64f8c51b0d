//! Lines of a stream, in constant memory.

use bytes::Bytes;

/// Cuts what comes in into lines.
#[derive(Debug)]
pub struct Lines {
    buffer: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// How far the next line has been searched for its end.
    searched: usize,
    limit: usize,
    /// Bytes thrown away of a line that is too long and hasn't ended.
    skipped: Option<usize>,
}

/// A line without its end.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// What it holds.
    pub content: Content,
    /// Whether `\n` follows: everything but the last line has it.
    pub ended: bool,
}

/// What a line holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Content {
    /// A document.
    Document(Bytes),
    /// Nothing but white space.
    Blank(Bytes),
    /// More bytes than the limit.
    TooLong,
}

impl Lines {
    /// Lines of at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, searched: 0, limit, skipped: None }
    }

    /// Takes more of the stream. To be called when [`Lines::batch`] has nothing left, so that no
    /// more than a line and a chunk are held.
    pub fn push(&mut self, chunk: &[u8]) {
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        if self.buffer.is_empty() && self.buffer.capacity() > KEPT_BYTES {
            self.buffer = Vec::new();
        }
        self.buffer.extend_from_slice(chunk);
    }

    /// The next line that is there whole.
    fn next(&mut self) -> Option<Line> {
        let rest = self.buffer.get(self.searched..).unwrap_or_default();
        match memchr::memchr(b'\n', rest) {
            Some(at) => {
                let end = self.searched + at;
                let line = self.cut(end, true);
                self.start = end + 1;
                self.searched = self.start;
                Some(line)
            }
            None => {
                self.searched = self.buffer.len();
                self.skip_too_long();
                None
            }
        }
    }

    /// Lines that are there whole, as many as are to be signed together: few bytes together, or a single
    /// long one. None where more of the stream is needed.
    pub fn batch(&mut self) -> Vec<Line> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < MOST_LINES && bytes < MOST_BYTES {
            let Some(line) = self.next() else { break };
            bytes += match &line.content {
                Content::Document(document) | Content::Blank(document) => document.len(),
                Content::TooLong => 0,
            };
            batch.push(line);
        }
        batch
    }

    /// The last line, where the stream ended without `\n`.
    pub fn last(&mut self) -> Option<Line> {
        let end = self.buffer.len();
        if self.start == end && self.skipped.is_none() {
            return None;
        }
        let line = self.cut(end, false);
        self.start = end;
        self.searched = end;
        Some(line)
    }

    /// Bytes thrown away so far of a line that is too long.
    #[must_use]
    pub fn skipped(&self) -> usize {
        self.skipped.unwrap_or(0)
    }

    /// Bytes that it holds.
    #[must_use]
    pub fn held(&self) -> usize {
        self.buffer.len()
    }

    fn cut(&mut self, end: usize, ended: bool) -> Line {
        let too_long = self.skipped.take().is_some();
        let bytes = self.buffer.get(self.start..end).unwrap_or_default();
        let content = if too_long || bytes.len() > self.limit {
            Content::TooLong
        } else if bytes.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r')) {
            Content::Blank(Bytes::copy_from_slice(bytes))
        } else {
            Content::Document(Bytes::copy_from_slice(bytes))
        };
        Line { content, ended }
    }

    fn skip_too_long(&mut self) {
        let held = self.buffer.len() - self.start;
        if held > self.limit || self.skipped.is_some() {
            self.skipped = Some(self.skipped.unwrap_or(0).saturating_add(held));
            self.buffer.clear();
            self.start = 0;
            self.searched = 0;
        }
    }
}

/// Lines that are signed together.
const MOST_LINES: usize = 64;
/// Bytes of lines that are signed together, the last one not counted.
const MOST_BYTES: usize = 256 * 1024;
/// Room that is kept for the next chunk once a long line is gone, in bytes.
const KEPT_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn all(chunks: &[&str], limit: usize) -> Vec<String> {
        let mut lines = Lines::new(limit);
        let mut shown = Vec::new();
        let mut show = |line: Line| {
            let end = if line.ended { "$" } else { "" };
            shown.push(match line.content {
                Content::Document(bytes) => format!("{}{end}", String::from_utf8_lossy(&bytes)),
                Content::Blank(bytes) => format!("blank{}{end}", bytes.len()),
                Content::TooLong => format!("long{end}"),
            });
        };
        for chunk in chunks {
            lines.push(chunk.as_bytes());
            while let Some(line) = lines.next() {
                show(line);
            }
            assert!(lines.buffer.len() - lines.start <= limit);
        }
        if let Some(line) = lines.last() {
            show(line);
        }
        shown
    }

    #[test]
    fn lines_are_the_same_however_the_stream_is_cut() {
        let text = "{\"a\":1}\r\n\n  \n[1,2]\n1234567890123\n{}\ntail";
        let expected = ["{\"a\":1}\r$", "blank0$", "blank2$", "[1,2]$", "long$", "{}$", "tail"];
        assert_eq!(all(&[text], 10), expected);
        let bytes: Vec<String> = text.chars().map(String::from).collect();
        assert_eq!(all(&bytes.iter().map(String::as_str).collect::<Vec<_>>(), 10), expected);
        for at in 0..text.len() {
            let (head, tail) = text.split_at(at);
            assert_eq!(all(&[head, tail], 10), expected, "{at}");
        }
    }

    #[test]
    fn the_end_of_a_stream_is_not_a_line() {
        assert!(all(&[], 10).is_empty());
        assert_eq!(all(&["a\n"], 10), ["a$"]);
        assert_eq!(all(&["a\n", "12345678901"], 10), ["a$", "long"]);
        assert_eq!(all(&["1234567890\n"], 10), ["1234567890$"]);
    }

    #[test]
    fn a_batch_has_few_lines_of_few_bytes_or_one_long_line() {
        let mut lines = Lines::new(MOST_BYTES * 2);
        lines.push("[]\n".repeat(MOST_LINES + 1).as_bytes());
        assert_eq!([lines.batch().len(), lines.batch().len(), lines.batch().len()], [MOST_LINES, 1, 0]);
        let long = "x".repeat(MOST_BYTES);
        lines.push(format!("{long}\n{long}\n1\n2").as_bytes());
        assert_eq!([lines.batch().len(), lines.batch().len(), lines.batch().len()], [1, 1, 1]);
    }
}
