//! From addresses to sockets, before anything else starts.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket, lookup_host};

use super::StartError;

/// A socket that listens.
pub struct Bound {
    /// The socket.
    pub listener: TcpListener,
    /// Its address, with the port that the system chose where none was named.
    pub address: SocketAddr,
}

impl Bound {
    /// The URL of its root, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Listens on an address such as `127.0.0.1:8080`; port 0 takes a free one.
///
/// # Errors
/// Where the address can't be read, or is in use.
pub async fn bind(address: &str, setting: &'static str) -> Result<Bound, StartError> {
    let failed = |source| StartError::Listen { address: address.to_owned(), setting, source };
    let listener = listen(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok(Bound { listener, address })
}

/// The first of the addresses of a name that can be listened on.
async fn listen(address: &str) -> io::Result<TcpListener> {
    let mut refused = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
    for address in lookup_host(address).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // Connections of the program before that still end are no reason to wait.
        socket.set_reuseaddr(true)?;
        match socket.bind(address).and_then(|()| socket.listen(BACKLOG)) {
            Ok(listener) => return Ok(listener),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// Connections that may wait to be accepted, as far as the system allows it (`net.core.somaxconn`): with fewer,
/// a burst of clients loses the first packets of some, and these try again after a second.
const BACKLOG: u32 = 4096;
