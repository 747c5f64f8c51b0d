//! TLS before the first request.

use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::server::TlsStream;

use crate::http::Tls;

/// Shakes hands with a client; `None` where that fails, isn't done `until` then, or the shutdown begins: nothing
/// was asked yet.
pub(super) async fn handshake(
    stream: TcpStream,
    peer: SocketAddr,
    tls: &Tls,
    until: Instant,
    shutdown: &mut watch::Receiver<bool>,
) -> Option<TlsStream<TcpStream>> {
    tokio::select! {
        shaken = timeout_at(until, tls.accept(stream)) => match shaken {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                tracing::debug!(%peer, %error, "TLS handshake failed");
                None
            }
            Err(_) => {
                tracing::debug!(%peer, "connection closed: TLS handshake too slow");
                None
            }
        },
        _ = shutdown.wait_for(|&begun| begun) => None,
    }
}
