//! The bytes of a connection on their way: noted in its `Activity`, counted where they are frames of HTTP/2
//! (`frames`), and read to their end when it closes.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::activity::Activity;
use super::frames::{Flood, Protocol, go_away};

/// A stream of bytes that reports what it moves.
pub(super) struct Watched<I> {
    inner: I,
    activity: Arc<Activity>,
    protocol: Protocol,
    /// Whether the other side has said that nothing more comes.
    has_ended: bool,
    closing: Option<Closing>,
}

/// A connection that this side has ended, and what still comes by it.
///
/// A socket that is closed while it has unread bytes, or before the last bytes arrive, is reset, and the reset takes
/// with it what the other side hasn't read yet: the end of an answer, or why it was closed. So the other side is told
/// first that nothing more comes, and what it sends is thrown away until it ends too, within [`LINGER`].
struct Closing {
    told: bool,
    until: Pin<Box<Sleep>>,
    /// Bytes that are still thrown away.
    left: usize,
}

impl<I> Watched<I> {
    pub(super) fn new(inner: I, activity: Arc<Activity>) -> Self {
        Self { inner, activity, protocol: Protocol::new(), has_ended: false, closing: None }
    }

    fn wrote<'b>(
        &mut self,
        pieces: impl IntoIterator<Item = &'b [u8]>,
        outcome: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(length @ 1..)) = outcome {
            self.activity.touch();
            self.protocol.wrote(pieces, length);
        }
        outcome
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> Watched<I> {
    /// Ends this side, and waits for the end of the other.
    fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let left = if self.activity.floods() { FLOOD_BYTES } else { LINGER_BYTES };
        let closing =
            self.closing.get_or_insert_with(|| Closing { told: false, until: Box::pin(sleep(LINGER)), left });
        if !closing.told {
            ready!(Pin::new(&mut self.inner).poll_shutdown(context))?;
            closing.told = true;
        }
        while !self.has_ended && closing.left > 0 {
            let mut bytes = [MaybeUninit::uninit(); 4 * 1024];
            let mut buffer = ReadBuf::uninit(&mut bytes);
            match Pin::new(&mut self.inner).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    closing.left = closing.left.saturating_sub(buffer.filled().len());
                }
                Poll::Ready(_) => self.has_ended = true,
                Poll::Pending => return closing.until.as_mut().poll(context).map(Ok),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Ends a connection whose client floods: HTTP reads and writes nothing more.
    fn poll_cut<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        ready!(self.poll_close(context))?;
        Poll::Ready(Err(io::Error::other("too many control frames")))
    }

    /// Says why the connection ends, where what has gone out allows it.
    fn refuse(&mut self, flood: &Flood, context: &mut Context<'_>) {
        self.activity.flood();
        if self.protocol.is_between_frames() {
            // It is a few bytes: where the system has no room for them, the client reads nothing.
            let _ = Pin::new(&mut self.inner).poll_write(context, &go_away(flood.last_stream));
            let _ = Pin::new(&mut self.inner).poll_flush(context);
        }
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncRead for Watched<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.activity.floods() {
            return self.poll_cut(context);
        }
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.inner).poll_read(context, buffer);
        if !matches!(outcome, Poll::Ready(Ok(()))) {
            return outcome;
        }
        let Some(fresh) = buffer.filled().get(before..).filter(|fresh| !fresh.is_empty()) else {
            self.has_ended |= buffer.remaining() > 0;
            return outcome;
        };
        let now = self.activity.touch();
        let counted = self.protocol.read(fresh, now);
        self.activity.read(now, self.protocol.is_two());
        if let Err(flood) = counted {
            buffer.set_filled(before);
            self.refuse(&flood, context);
            return self.poll_read(context, buffer);
        }
        outcome
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.activity.floods() {
            return self.poll_cut(context);
        }
        let outcome = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.wrote([bytes], outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.activity.floods() {
            return self.poll_cut(context);
        }
        let outcome = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.wrote(slices.iter().map(|slice| &**slice), outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.activity.floods() {
            return self.poll_cut(context);
        }
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_close(context)
    }
}

/// How long a connection that this side has ended waits for the end of the other, and how many bytes it takes.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 1024 * 1024;
/// The same of a client that floods: it may read why, and isn't listened to for long.
const FLOOD_BYTES: usize = 64 * 1024;
