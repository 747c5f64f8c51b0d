//! Connections out of the listener's queue, up to the last.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// The next connection. Errors of single connections are skipped; errors of the machine (no more
/// files, no more memory) are waited out, a little longer each time.
pub(super) async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    let mut pause = Duration::from_millis(5);
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_of_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "accepting connections fails; trying again");
                sleep(pause).await;
                pause = (pause * 2).min(MAX_PAUSE);
            }
        }
    }
}

/// Closes a listener, and gives the connections that the system has made for it and that were not taken yet: it resets
/// those that lie there when the socket closes.
pub(super) fn close(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
    let mut last = Vec::new();
    // By the socket itself: tokio's may not have heard yet that there is something.
    let Ok(listener) = listener.into_std() else { return last };
    // Each call empties the queue by one: more than it can hold have come since.
    for _ in 0..MOST_LAST {
        match listener.accept() {
            Ok((stream, peer)) => {
                let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
                last.extend(stream.ok().map(|stream| (stream, peer)));
            }
            Err(error) if is_of_connection(&error) => {}
            Err(_) => break,
        }
    }
    last
}

/// Lets no connection begin any more, while those that have begun are still completed and accepted. A client that
/// connects then sends its first packet again after a second, when the listener has closed, and is refused; without
/// this, it could be half-way through when the listener closes, and be reset after it believes to be connected.
///
/// By a filter of the socket, which drops packets with the flag SYN. Where the system has none, there is that instant.
#[cfg(target_os = "linux")]
pub(super) fn stop_syn(listener: &TcpListener) {
    use socket2::{SockFilter, SockRef};
    // Classic BPF, as in linux/filter.h; the packet begins with the header of TCP, whose byte 13 has the flags.
    let filter = [
        SockFilter::new(0x30, 0, 0, 13),       // ldb [13]
        SockFilter::new(0x45, 0, 1, 0x02),     // jset #SYN, next, one further
        SockFilter::new(0x06, 0, 0, 0),        // ret #0: drop
        SockFilter::new(0x06, 0, 0, u32::MAX), // ret #-1: keep
    ];
    if let Err(error) = SockRef::from(listener).attach_filter(&filter) {
        tracing::debug!(%error, "connections can't be kept from beginning");
    }
}

/// Lets no connection begin any more: not on this system.
#[cfg(not(target_os = "linux"))]
pub(super) fn stop_syn(_: &TcpListener) {}

fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

const MAX_PAUSE: Duration = Duration::from_secs(1);
/// More than a queue holds: `BACKLOG` of `app::listen`.
const MOST_LAST: usize = 8_192;
