//! From addresses to sockets, before anything else starts.

use std::net::SocketAddr;

use tokio::net::TcpListener;

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
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok(Bound { listener, address })
}
