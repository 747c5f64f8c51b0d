//! TLS before the first request.

use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_rustls::server::TlsStream;

use super::activity::Activity;
use super::{FIRST_QUIET, Phase};
use crate::http::Tls;
use crate::service::ports::Limit;

/// Shakes hands with a client. An error where that fails, isn't done `until` then, which is a limit, or where it is
/// asked to end. A handshake that has begun goes on while the server ends; one that hasn't has [`FIRST_QUIET`] for it.
pub(super) async fn handshake(
    stream: TcpStream,
    peer: SocketAddr,
    tls: &Tls,
    until: Instant,
    activity: &Activity,
    phases: &mut watch::Receiver<Phase>,
) -> Result<TlsStream<TcpStream>, Option<Limit>> {
    let too_slow = |_| {
        tracing::debug!(%peer, "connection closed: TLS handshake too slow");
        Some(Limit::HeadTime)
    };
    let quiet = async {
        // An error is that the server is gone.
        let _ = phases.wait_for(|phase| *phase >= Phase::Draining).await;
        sleep(FIRST_QUIET).await;
    };
    tokio::select! {
        biased;
        begun = timeout_at(until, stream.readable()) => drop(begun.map_err(too_slow)?),
        () = quiet => return Err(None),
        () = activity.asked_to_end() => return Err(None),
    }
    tokio::select! {
        biased;
        shaken = timeout_at(until, tls.accept(stream)) => shaken.map_err(too_slow)?.map_err(|error| {
            tracing::debug!(%peer, %error, "TLS handshake failed");
            None
        }),
        () = activity.asked_to_end() => Err(None),
    }
}
