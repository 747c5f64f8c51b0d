//! Documents a line each, streamed: as many lines as are there at once are signed together, and
//! the next ones are read when the client has taken these.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::future::join_all;
use futures_util::{Stream, StreamExt, stream};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use tokio::runtime::Handle;

use super::documents::wrapping;
use crate::http::Api;
use crate::http::admission::Room;
use crate::http::answer::Caching;
use crate::http::apart::apart;
use crate::http::body;
use crate::http::observe::RequestContext;
use crate::http::problem::Problem;
use crate::service::lines::{Content, Line, Lines};
use crate::service::ports::ByteStream;
use crate::service::{Blocks, Caller, DocumentOptions};

/// Signs each line.
#[derive(Clone)]
pub(super) struct LineSigner {
    pub(super) api: Api,
    pub(super) caller: Caller,
    pub(super) options: DocumentOptions,
    pub(super) context: RequestContext,
    /// Memory for what is read of the stream.
    pub(super) room: Room,
}

impl LineSigner {
    /// The answer, whose body is made while the request's is read.
    pub(super) fn answer(self, input: ByteStream) -> Response {
        let lines = Lines::new(self.api.limits.document_bytes);
        let signer = Arc::new(self);
        let state = Some((input, lines));
        // The body is taken on the connection's thread, which others share: the work is done where the request's is.
        let work = Handle::current();
        let batches = stream::unfold(state, move |state| {
            let signer = Arc::clone(&signer);
            let signing = async move {
                let (mut input, mut lines) = state?;
                let batch = Batch::read(&mut input, &mut lines, &signer.room).await;
                let signing = batch.lines.into_iter().map(|line| signer.line(line));
                let mut parts: Vec<Part> = join_all(signing).await.into_iter().flatten().collect();
                if let Some(problem) = batch.end.as_ref().and_then(|end| end.as_ref().err()) {
                    parts.push(signer.problem(problem));
                }
                Some((parts, batch.end.is_none().then_some((input, lines))))
            };
            apart(&work, signing)
        });
        let mut response = Response::new(Body::from_stream(chunks(batches)));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        Caching::No.apply(response.headers_mut());
        response
    }

    async fn line(&self, line: Line) -> Vec<Part> {
        let mut parts = match line.content {
            Content::Blank(bytes) => vec![Part::Bytes(bytes)],
            Content::TooLong => vec![self.problem(&body::too_large(self.api.limits.document_bytes))],
            Content::Document(bytes) => self.document(bytes).await,
        };
        if line.ended {
            parts.push(Part::Bytes(Bytes::from_static(b"\n")));
        }
        parts
    }

    async fn document(&self, bytes: Bytes) -> Vec<Part> {
        let signing = self.api.services.documents.sign(&self.caller, bytes, self.options);
        match self.api.in_time(signing).await {
            Ok(signed) if self.options.report => match wrapping(&signed) {
                Ok((head, tail)) => vec![
                    Part::Bytes(Bytes::from_static(head)),
                    Part::Document(signed.body.into_blocks()),
                    Part::Bytes(tail.into()),
                ],
                Err(problem) => vec![self.problem(&problem)],
            },
            Ok(signed) => vec![Part::Document(signed.body.into_blocks())],
            Err(problem) => vec![self.problem(&problem)],
        }
    }

    fn problem(&self, problem: &Problem) -> Part {
        problem.log();
        Part::Bytes(problem.to_json(&self.context).into())
    }
}

/// A part of the answer.
enum Part {
    Bytes(Bytes),
    /// Put together while it is sent.
    Document(Blocks),
}

impl Iterator for Part {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        match self {
            Self::Bytes(bytes) => Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty()),
            Self::Document(blocks) => blocks.next(),
        }
    }
}

/// Lines that are signed together: few bytes together, or a single one.
struct Batch {
    lines: Vec<Line>,
    /// There is nothing after them; or what went wrong there.
    end: Option<Result<(), Problem>>,
}

impl Batch {
    /// Waits for a line, then takes what has come with it.
    async fn read(input: &mut ByteStream, lines: &mut Lines, room: &Room) -> Self {
        loop {
            let batch = lines.batch();
            if !batch.is_empty() {
                return Self { lines: batch, end: None };
            }
            match input.next().await {
                Some(Ok(chunk)) => {
                    lines.push(&chunk);
                    if let Err(problem) = room.hold(lines.held()) {
                        return Self { lines: batch, end: Some(Err(problem)) };
                    }
                }
                Some(Err(error)) => return Self { lines: batch, end: Some(Err(body::problem(error))) },
                None => return Self { lines: lines.last().into_iter().collect(), end: Some(Ok(())) },
            }
            if lines.skipped() > MOST_SKIPPED {
                let problem = body::too_large(MOST_SKIPPED);
                return Self { lines: batch, end: Some(Err(problem)) };
            }
        }
    }
}

fn chunks(batches: impl Stream<Item = Vec<Part>>) -> impl Stream<Item = Result<Bytes, Infallible>> {
    batches.flat_map(|parts| stream::iter(Joined::new(parts.into_iter().flatten()).map(Ok)))
}

/// The same bytes in as few pieces as can be had without copying large ones: each piece is a
/// write of its own.
struct Joined<I> {
    pieces: I,
    small: Vec<u8>,
    large: Option<Bytes>,
}

impl<I: Iterator<Item = Bytes>> Joined<I> {
    fn new(pieces: I) -> Self {
        Self { pieces, small: Vec::new(), large: None }
    }
}

impl<I: Iterator<Item = Bytes>> Iterator for Joined<I> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        while self.large.is_none() && self.small.len() < SMALL_BYTES {
            match self.pieces.next() {
                Some(piece) if piece.len() >= SMALL_BYTES => self.large = Some(piece),
                Some(piece) => self.small.extend_from_slice(&piece),
                None => break,
            }
        }
        if self.small.is_empty() { self.large.take() } else { Some(std::mem::take(&mut self.small).into()) }
    }
}

/// Pieces below this length, in bytes, are copied together.
const SMALL_BYTES: usize = 64 * 1024;
/// Bytes of a line without an end that are thrown away before the rest is given up.
const MOST_SKIPPED: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::http::problem::Kind;

    fn input(chunks: Vec<io::Result<&'static str>>) -> ByteStream {
        Box::pin(stream::iter(chunks.into_iter().map(|chunk| chunk.map(Bytes::from_static_str))))
    }

    trait FromStaticStr {
        fn from_static_str(text: &'static str) -> Self;
    }

    impl FromStaticStr for Bytes {
        fn from_static_str(text: &'static str) -> Self {
            Self::from_static(text.as_bytes())
        }
    }

    #[tokio::test]
    async fn lines_that_came_together_are_signed_together() {
        let mut input = input(vec![Ok("1\n2\n3"), Ok("4\n5")]);
        let mut lines = Lines::new(100);
        let first = Batch::read(&mut input, &mut lines, &Room::default()).await;
        assert_eq!((first.lines.len(), first.end.is_none()), (2, true));
        let second = Batch::read(&mut input, &mut lines, &Room::default()).await;
        assert_eq!((second.lines.len(), second.end.is_none()), (1, true));
        let last = Batch::read(&mut input, &mut lines, &Room::default()).await;
        assert_eq!((last.lines.len(), last.lines[0].ended), (1, false));
        assert!(matches!(last.end, Some(Ok(()))));
    }

    #[test]
    fn small_pieces_are_joined_and_large_ones_kept() {
        let large = Bytes::from(vec![b'x'; SMALL_BYTES]);
        let tiny = Bytes::from_static(b"y");
        let joined = |pieces: &[&Bytes]| Joined::new(pieces.iter().copied().cloned()).collect::<Vec<Bytes>>();
        let pieces = joined(&[&tiny, &tiny, &large, &large, &Bytes::new(), &tiny]);
        assert_eq!(pieces, [&Bytes::from_static(b"yy"), &large, &large, &tiny]);
        assert!(joined(&[&Bytes::new()]).is_empty());
    }

    #[tokio::test]
    async fn a_broken_stream_ends_with_a_problem() {
        let mut input = input(vec![Ok("1\n2"), Err(io::ErrorKind::ConnectionReset.into())]);
        let mut lines = Lines::new(100);
        assert_eq!(Batch::read(&mut input, &mut lines, &Room::default()).await.lines.len(), 1);
        let last = Batch::read(&mut input, &mut lines, &Room::default()).await;
        assert_eq!(last.end.unwrap().unwrap_err().kind(), Kind::CutOffBody);
    }

    #[tokio::test]
    async fn a_line_that_never_ends_is_given_up() {
        let endless = stream::repeat_with(|| Ok(Bytes::from(vec![b'x'; 1 << 20])));
        let mut input: ByteStream = Box::pin(endless);
        let mut lines = Lines::new(100);
        let batch = Batch::read(&mut input, &mut lines, &Room::default()).await;
        assert_eq!(batch.end.unwrap().unwrap_err().kind(), Kind::BodyTooLarge);
    }
}
