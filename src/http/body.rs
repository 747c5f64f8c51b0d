//! Bodies of requests as streams: bounded in size and time, decompressed.
//!
//! 1. [`Pace`]: how slow a client may be.
//! 2. [`stream`]: the bytes as they come.
//! 3. [`Encoding`]: gzip, br, zstd → the bytes behind them.
//! 4. [`collect`]: all of them, up to a limit, and while there is room.

use std::io;
use std::time::Duration;

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use axum::body::{Body, Bytes};
use futures_util::{StreamExt, TryStreamExt, stream as streams};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderValue};
use tokio::io::AsyncRead;
use tokio::time::{Instant, timeout_at};
use tokio_util::io::{ReaderStream, StreamReader};

use super::admission::Room;
use super::limits::HttpLimits;
use super::problem::{Kind, Problem};
use crate::service::ports::ByteStream;

/// How slow a client may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    idle: Duration,
    /// Bytes per second; `None` where Signet itself may be what the client waits for.
    rate: Option<usize>,
}

impl Pace {
    /// For a body that is read at once.
    pub(super) fn at_once(limits: &HttpLimits) -> Self {
        Self { idle: limits.body_idle, rate: Some(limits.body_rate.max(1)) }
    }

    /// For a body that is worked on while it is read.
    pub(super) fn streaming(limits: &HttpLimits) -> Self {
        Self { idle: limits.body_idle, rate: None }
    }

    fn deadline(self, started: Instant, received: usize) -> Instant {
        let next = Instant::now() + self.idle;
        let Some(rate) = self.rate else { return next };
        let earned = u64::try_from(received / rate).unwrap_or(u64::MAX).min(YEAR);
        next.min(started + self.idle + Duration::from_secs(earned))
    }
}

/// The bytes of a body as they come; an error where they come too slowly, end early or are more
/// than `most`.
pub(super) fn stream(body: Body, pace: Pace, most: Option<usize>) -> ByteStream {
    let started = Instant::now();
    // What says that it is too large isn't read: a client that waits for leave to send it then
    // doesn't.
    let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let too_large = most.filter(|limit| declared > *limit);
    let begin = Some((body, 0_usize));
    Box::pin(streams::unfold(begin, move |state| async move {
        let (mut body, received) = state?;
        if let Some(limit) = too_large {
            return Some((Err(BodyError::TooLarge { limit }.into()), None));
        }
        loop {
            let frame = match timeout_at(pace.deadline(started, received), body.frame()).await {
                Err(_) => return Some((Err(BodyError::Slow.into()), None)),
                Ok(None) => return None,
                Ok(Some(Err(_))) => return Some((Err(BodyError::CutOff.into()), None)),
                Ok(Some(Ok(frame))) => frame,
            };
            let Ok(bytes) = frame.into_data() else { continue };
            let received = received.saturating_add(bytes.len());
            return match most {
                Some(limit) if received > limit => Some((Err(BodyError::TooLarge { limit }.into()), None)),
                _ => Some((Ok(bytes), Some((body, received)))),
            };
        }
    }))
}

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Brotli,
    Zstd,
}

impl Encoding {
    /// Reads `Content-Encoding`. One encoding at most: nobody needs two, and each multiplies what
    /// a small body can grow to.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut values = headers.get_all(CONTENT_ENCODING).iter();
        let encoding = match (values.next(), values.next()) {
            (None, _) => return Ok(Self::Identity),
            (Some(value), None) => value.to_str().unwrap_or_default().trim().to_ascii_lowercase(),
            _ => String::new(),
        };
        match encoding.as_str() {
            "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "br" => Ok(Self::Brotli),
            "zstd" => Ok(Self::Zstd),
            _ => {
                Err(Problem::new(Kind::UnsupportedEncoding, "a body may have one of the supported encodings")
                    .with("supported", vec!["gzip", "br", "zstd"])
                    .with_header(ACCEPT_ENCODING, HeaderValue::from_static("gzip, br, zstd")))
            }
        }
    }

    /// The bytes behind the encoding, a little at a time, however much they are.
    pub(super) fn decode(self, bytes: ByteStream) -> ByteStream {
        let reader = StreamReader::new(bytes);
        match self {
            Self::Identity => reader.into_inner(),
            Self::Gzip => {
                let mut decoder = GzipDecoder::new(reader);
                decoder.multiple_members(true);
                read(decoder)
            }
            Self::Brotli => read(BrotliDecoder::new(reader)),
            Self::Zstd => {
                let window = [DParameter::window_log_max(ZSTD_WINDOW_LOG)];
                let mut decoder = ZstdDecoder::with_params(reader, &window);
                decoder.multiple_members(true);
                read(decoder)
            }
        }
    }
}

fn read(decoder: impl AsyncRead + Send + 'static) -> ByteStream {
    Box::pin(ReaderStream::with_capacity(decoder, CHUNK_BYTES).map_err(|error| {
        let is_ours = error.get_ref().is_some_and(|inner| inner.is::<BodyError>());
        if is_ours { error } else { BodyError::Corrupt(error.to_string()).into() }
    }))
}

/// All bytes of a stream, or a problem where they are more than `limit`.
pub(super) async fn collect(mut bytes: ByteStream, limit: usize, room: &Room) -> Result<Bytes, Problem> {
    // What comes at once is never copied.
    let (mut first, mut whole) = (Bytes::new(), Vec::new());
    let mut len = 0;
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk.map_err(problem)?;
        len += chunk.len();
        if len > limit {
            return Err(too_large(limit));
        }
        room.hold(len)?;
        if len == chunk.len() {
            first = chunk;
            continue;
        }
        if whole.is_empty() {
            whole.extend_from_slice(&first);
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(if whole.is_empty() { first } else { whole.into() })
}

/// The problem behind an error of [`stream`] or [`Encoding::decode`].
pub(super) fn problem(error: io::Error) -> Problem {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<BodyError>()) {
        Some(BodyError::Slow) => Problem::new(Kind::SlowBody, "send the body faster"),
        Some(BodyError::TooLarge { limit }) => too_large(*limit),
        Some(BodyError::Corrupt(reason)) => {
            Problem::new(Kind::CorruptBody, format!("the body isn't what Content-Encoding says: {reason}"))
        }
        Some(BodyError::CutOff) | None => {
            Problem::new(Kind::CutOffBody, "the body ended early").caused_by(&error)
        }
    }
}

/// A body with more bytes than the limit.
pub(super) fn too_large(limit: usize) -> Problem {
    let detail = format!("the body has more than {limit} bytes, compressed or decompressed");
    Problem::new(Kind::BodyTooLarge, detail).with("limit", limit)
}

/// Why a body can't be read.
#[derive(Debug, thiserror::Error)]
enum BodyError {
    #[error("the body came too slowly")]
    Slow,
    #[error("the body ended early")]
    CutOff,
    #[error("the body has more than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("{0}")]
    Corrupt(String),
}

impl From<BodyError> for io::Error {
    fn from(error: BodyError) -> Self {
        let kind = match error {
            BodyError::Slow => io::ErrorKind::TimedOut,
            BodyError::CutOff => io::ErrorKind::UnexpectedEof,
            BodyError::TooLarge { .. } | BodyError::Corrupt(_) => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

/// 8 MiB: what RFC 9659 lets senders of HTTP content use.
const ZSTD_WINDOW_LOG: u32 = 23;
const CHUNK_BYTES: usize = 64 * 1024;
/// In seconds; keeps the arithmetic of deadlines far from its end.
const YEAR: u64 = 31_536_000;

#[cfg(test)]
mod tests {
    use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder, ZstdEncoder};
    use tokio::io::AsyncReadExt;

    use super::*;

    async fn compress(encoding: Encoding, plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match encoding {
            Encoding::Identity => out.extend_from_slice(plain),
            Encoding::Gzip => drop(GzipEncoder::new(plain).read_to_end(&mut out).await.unwrap()),
            Encoding::Brotli => drop(BrotliEncoder::new(plain).read_to_end(&mut out).await.unwrap()),
            Encoding::Zstd => drop(ZstdEncoder::new(plain).read_to_end(&mut out).await.unwrap()),
        }
        out
    }

    async fn decode(encoding: Encoding, body: Vec<u8>, limit: usize) -> Result<Bytes, Problem> {
        let pace = Pace::at_once(&HttpLimits::default());
        collect(encoding.decode(stream(Body::from(body), pace, Some(limit))), limit, &Room::default()).await
    }

    const ALL: [Encoding; 4] = [Encoding::Identity, Encoding::Gzip, Encoding::Brotli, Encoding::Zstd];

    #[tokio::test]
    async fn every_encoding_gives_the_same_bytes() {
        let plain = b"{\"a\":1}".repeat(50_000);
        for encoding in ALL {
            let body = compress(encoding, &plain).await;
            assert_eq!(decode(encoding, body, plain.len()).await.unwrap(), plain, "{encoding:?}");
        }
    }

    #[tokio::test]
    async fn a_bomb_is_given_up_at_the_limit() {
        let plain = vec![b' '; 2 << 20];
        for encoding in ALL {
            let body = compress(encoding, &plain).await;
            let problem = decode(encoding, body, 1 << 18).await.unwrap_err();
            assert_eq!(problem.kind(), Kind::BodyTooLarge, "{encoding:?}");
        }
    }

    #[tokio::test]
    async fn the_limit_holds_before_decompression_too() {
        let mut state = 1_u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        })
        .take(100_000)
        .collect();
        for encoding in ALL {
            let bytes = Bytes::from(compress(encoding, &noise).await);
            let chunks: Vec<_> =
                bytes.chunks(500).map(|chunk| Ok::<_, io::Error>(bytes.slice_ref(chunk))).collect();
            for body in [Body::from_stream(streams::iter(chunks)), Body::from(bytes)] {
                let pace = Pace::at_once(&HttpLimits::default());
                let read =
                    collect(encoding.decode(stream(body, pace, Some(1_000))), 1 << 20, &Room::default())
                        .await;
                assert_eq!(read.unwrap_err().kind(), Kind::BodyTooLarge, "{encoding:?}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_cut_or_garbled_is_corrupt() {
        let plain = b"{\"a\":1}".repeat(1_000);
        for encoding in &ALL[1..] {
            let mut cut = compress(*encoding, &plain).await;
            cut.truncate(cut.len() / 2);
            for body in [cut, b"not compressed at all".to_vec()] {
                let problem = decode(*encoding, body, 1 << 20).await.unwrap_err();
                assert_eq!(problem.kind(), Kind::CorruptBody, "{encoding:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_silent_or_dripping_client_is_given_up() {
        let limits = HttpLimits { body_idle: Duration::from_millis(60), ..HttpLimits::default() };
        for pause in [5, 1_000] {
            let drip = streams::unfold((), move |()| async move {
                tokio::time::sleep(Duration::from_millis(pause)).await;
                Some((Ok::<_, io::Error>(Bytes::from_static(b"x")), ()))
            });
            let slow = stream(Body::from_stream(drip), Pace::at_once(&limits), None);
            assert_eq!(collect(slow, 1 << 20, &Room::default()).await.unwrap_err().kind(), Kind::SlowBody);
        }
    }

    #[test]
    fn only_known_encodings_are_taken() {
        let of = |values: &[&'static str]| {
            let headers: HeaderMap =
                values.iter().map(|value| (CONTENT_ENCODING, HeaderValue::from_static(value))).collect();
            Encoding::of(&headers).ok()
        };
        assert_eq!(of(&[]), Some(Encoding::Identity));
        assert_eq!(of(&["GZIP"]), Some(Encoding::Gzip));
        for values in [&["deflate"][..], &["gzip, gzip"], &["gzip", "br"], &[""]] {
            assert_eq!(of(values), None, "{values:?}");
        }
    }
}
