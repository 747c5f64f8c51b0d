//! One connection, from its first byte to its last.

use std::error::Error;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use axum::body::Body;
use futures_util::future::Either;
use futures_util::{FutureExt, TryFutureExt};
use hyper::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::Peer;
use super::activity::{Activity, Watched};
use super::bell::Bell;
use super::taken::Taken;
use crate::http::apart::apart;
use crate::http::{Front, ServerLimits};
use crate::service::ports::Limit;

/// How connections speak HTTP/1.1, and HTTP/2 where the client begins with its preface. No pings are sent: a peer
/// that is gone moves no bytes, and pings would be bytes that keep a connection that rests.
pub(super) fn protocol(limits: &ServerLimits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        // hyper's timer would also end connections that rest between requests: `Activity` tells
        // the two apart.
        .header_read_timeout(None)
        .max_buf_size(limits.head_bytes.max(MIN_HEAD_BYTES))
        .timer(TokioTimer::new());
    builder
        .http2()
        .max_concurrent_streams(limits.streams)
        .max_pending_accept_reset_streams(RESET_STREAMS)
        .max_local_error_reset_streams(ERROR_STREAMS)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .timer(TokioTimer::new());
    builder
}

/// What all connections of a server have.
#[derive(Clone)]
pub(super) struct Served {
    pub(super) front: Front,
    pub(super) protocol: Builder<TokioExecutor>,
    pub(super) limits: ServerLimits,
    /// The runtime that works on what isn't answered at once.
    pub(super) work: Handle,
}

/// Serves a connection until its end, a time limit, or the end of its requests after the shutdown.
/// `io` is anything that moves bytes: plain TCP, or TLS on top of it. Work on a request ends with the connection. Gives
/// the limit that has ended it, if one has.
pub(super) async fn serve<I>(
    io: I,
    peer: SocketAddr,
    activity: Arc<Activity>,
    Served { front, protocol, limits, work }: Served,
    mut shutdown: watch::Receiver<bool>,
) -> Option<Limit>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = hyper::service::service_fn(|request: Request<Incoming>| {
        let guard = activity.request();
        let answer = front.answer(peer, request, |request| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer));
            request
        });
        let answer = match answer {
            Either::Left(ready) => Either::Left(ready),
            Either::Right(answering) => Either::Right(apart(&work, answering)),
        };
        answer.map_ok(|response| response.map(|body| Taken::new(body, guard)))
    });
    let io = TokioIo::new(Watched::new(io, activity.clone()));
    let mut connection = pin!(protocol.serve_connection(io, service));
    let mut shutdown = pin!(async move { shutdown.wait_for(|&begun| begun).await.is_ok() }.fuse());
    // Looks at the deadline as often as it could come nearer: so it is seen in time, and a request moves no timer.
    let pause = limits.head_time.min(limits.idle_time);
    let mut look = pin!(sleep_until(activity.deadline(&limits).min(Instant::now() + pause)));
    // Most wake-ups are the client's: then neither the shutdown nor the time has anything to say.
    let mut bell = Bell::new();
    poll_fn(|context| {
        loop {
            if let Poll::Ready(outcome) = connection.as_mut().poll(context) {
                return Poll::Ready(outcome.err().and_then(|error| {
                    tracing::debug!(%peer, error, "connection ended");
                    let error = error.downcast_ref::<hyper::Error>()?;
                    limit_of(error)
                }));
            }
            let Some(mut context) = bell.rung(context) else { return Poll::Pending };
            let begins = shutdown.as_mut().poll(&mut context).is_ready();
            if begins && !activity.has_received() {
                return Poll::Ready(None);
            }
            if begins {
                connection.as_mut().graceful_shutdown();
            }
            while look.as_mut().poll(&mut context).is_ready() {
                let (deadline, now) = (activity.deadline(&limits), Instant::now());
                if deadline <= now {
                    tracing::debug!(%peer, "connection closed: too slow or idle");
                    return Poll::Ready((!activity.rests()).then_some(Limit::HeadTime));
                }
                look.as_mut().reset(deadline.min(now + pause));
            }
            if !begins {
                return Poll::Pending;
            }
        }
    })
    .await
}

/// The limit for which a connection was ended by HTTP itself.
fn limit_of(error: &hyper::Error) -> Option<Limit> {
    if error.is_parse_too_large() {
        return Some(Limit::HeadBytes);
    }
    let ended = error.source()?.downcast_ref::<h2::Error>()?;
    let by_us = ended.is_go_away() && ended.is_library();
    (by_us && ended.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM)).then_some(Limit::Http2Flood)
}

/// Requests on a connection that their client has taken back before they were looked at; one more ends it.
const RESET_STREAMS: usize = 20;
/// Requests on a connection that were so wrong that Signet ended them; one more ends it.
const ERROR_STREAMS: usize = 64;
/// The least that hyper takes, in bytes.
const MIN_HEAD_BYTES: usize = 8 * 1024;
/// What a client may send ahead of Signet's reading, in bytes.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// What is held of an answer that its client doesn't read, per stream, in bytes.
const SEND_BUFFER: usize = 64 * 1024;
