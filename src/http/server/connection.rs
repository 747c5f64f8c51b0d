//! One connection, from its first byte to its last.

use std::error::Error;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use axum::body::Body;
use axum::response::Response;
use futures_util::future::Either;
use futures_util::{FutureExt, TryFutureExt};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::{Request, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::activity::{Activity, InFlight};
use super::bell::Bell;
use super::taken::{self, Taken};
use super::watched::Watched;
use super::{FIRST_QUIET, Peer, Phase, QUIET};
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
///
/// While the server ends (`phases`):
/// 1. in [`Phase::LameDuck`] requests are taken, and answers say that they are the connection's last: `Connection:
///    close`, or GOAWAY. A connection that rests is left alone, as its next request may be on its way;
/// 2. in [`Phase::Draining`] it has [`QUIET`] in which a request may still come, or [`FIRST_QUIET`] for its first; then it
///    ends as soon as nothing is under way. A request whose head has begun is answered.
pub(super) async fn serve<I>(
    io: I,
    peer: SocketAddr,
    activity: Arc<Activity>,
    Served { front, protocol, limits, work }: Served,
    phases: watch::Receiver<Phase>,
) -> Option<Limit>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = hyper::service::service_fn(|request: Request<Incoming>| {
        let (guard, version) = (activity.request(), request.version());
        let answer = front.answer(peer, request, |request| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer));
            request
        });
        let answer = match answer {
            Either::Left(ready) => Either::Left(ready),
            Either::Right(answering) => Either::Right(apart(&work, answering)),
        };
        answer.map_ok(move |response| answered(response, version, guard))
    });
    let io = TokioIo::new(Watched::new(io, activity.clone()));
    let mut connection = pin!(protocol.serve_connection(io, service));
    let mut lame_duck = pin!(reached(phases.clone(), Phase::LameDuck).fuse());
    let mut draining = pin!(reached(phases, Phase::Draining).fuse());
    // Until when a request may still come to a connection that rests.
    let mut quiet: Option<Pin<Box<Sleep>>> = None;
    // Whether it ends as soon as nothing is under way; whether HTTP was told to end it.
    let (mut ends, mut told) = (false, false);
    // Looks at the deadline as often as it could come nearer: so it is seen in time, and a request moves no timer.
    let pause = limits.head_time.min(limits.idle_time);
    let mut look = pin!(sleep_until(activity.deadline(&limits, false).min(Instant::now() + pause)));
    // Most wake-ups are the client's: then neither the shutdown nor the time has anything to say.
    let mut bell = Bell::new();
    poll_fn(|context| {
        loop {
            if let Poll::Ready(outcome) = connection.as_mut().poll(context) {
                return Poll::Ready(if activity.floods() {
                    Some(Limit::Http2Flood)
                } else {
                    met(outcome, peer)
                });
            }
            // HTTP/1.1 ends by its answers. What has said nothing yet but HTTP/2's preface may still ask once.
            let goes_away = activity.retires() && activity.is_multiplexed() && activity.has_requested();
            if !told && (goes_away || ends && activity.is_between_heads()) {
                told = true;
                connection.as_mut().graceful_shutdown();
                continue;
            }
            let Some(mut context) = bell.rung(context) else { return Poll::Pending };
            if activity.poll_end(&context).is_ready() {
                tracing::debug!(%peer, "connection closed: idle, and others wait");
                // It says so, if it can do it at once.
                connection.as_mut().graceful_shutdown();
                let _ = connection.as_mut().poll(&mut context);
                return Poll::Ready(None);
            }
            let mut again = false;
            if lame_duck.as_mut().poll(&mut context).is_ready() {
                activity.retire();
                again = true;
            }
            if draining.as_mut().poll(&mut context).is_ready() {
                let time = if activity.has_requested() { QUIET } else { FIRST_QUIET };
                quiet = Some(Box::pin(sleep(time)));
            }
            if quiet.as_mut().is_some_and(|quiet| quiet.as_mut().poll(&mut context).is_ready()) {
                (quiet, ends, again) = (None, true, true);
                if !activity.has_received() {
                    return Poll::Ready(None);
                }
            }
            while look.as_mut().poll(&mut context).is_ready() {
                let (deadline, now) = (activity.deadline(&limits, ends), Instant::now());
                if deadline <= now {
                    tracing::debug!(%peer, "connection closed: too slow or idle");
                    return Poll::Ready((!activity.rests()).then_some(Limit::HeadTime));
                }
                look.as_mut().reset(deadline.min(now + pause));
            }
            if !again {
                return Poll::Pending;
            }
        }
    })
    .await
}

/// Ends once the server is in a phase, or in a later one.
async fn reached(mut phases: watch::Receiver<Phase>, phase: Phase) {
    // An error is that the server is gone, and its connections with it.
    let _ = phases.wait_for(|now| *now >= phase).await;
}

/// An answer as it goes out, by a connection that may end with it: admission asks for that by the header of HTTP/1.1,
/// which HTTP/2 says by GOAWAY.
fn answered(mut response: Response, version: Version, guard: InFlight) -> Response<Taken> {
    let activity = guard.activity();
    if response.status() == StatusCode::TOO_MANY_REQUESTS && response.headers().contains_key(CONNECTION) {
        activity.retire();
        if version >= Version::HTTP_2 {
            response.headers_mut().remove(CONNECTION);
        }
    }
    if activity.retires() && version < Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response.map(|body| taken::noted(body, guard))
}

/// The limit by which a connection has ended, if by one.
fn met(outcome: Result<(), Box<dyn Error + Send + Sync>>, peer: SocketAddr) -> Option<Limit> {
    let error = outcome.err()?;
    tracing::debug!(%peer, error, "connection ended");
    limit_of(error.downcast_ref::<hyper::Error>()?)
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
