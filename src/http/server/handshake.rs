//! TLS before the first request.

use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::server::TlsStream;

use crate::http::Tls;
use crate::service::ports::Limit;

/// Shakes hands with a client. An error where that fails, isn't done `until` then, which is a limit, or the shutdown
/// begins: nothing was asked yet.
pub(super) async fn handshake(
    stream: TcpStream,
    peer: SocketAddr,
    tls: &Tls,
    until: Instant,
    shutdown: &mut watch::Receiver<bool>,
) -> Result<TlsStream<TcpStream>, Option<Limit>> {
    tokio::select! {
        shaken = timeout_at(until, tls.accept(stream)) => match shaken {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => {
                tracing::debug!(%peer, %error, "TLS handshake failed");
                Err(None)
            }
            Err(_) => {
                tracing::debug!(%peer, "connection closed: TLS handshake too slow");
                Err(Some(Limit::HeadTime))
            }
        },
        _ = shutdown.wait_for(|&begun| begun) => Err(None),
    }
}
