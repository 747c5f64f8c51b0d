//! A wire to a server, which can be cut, and which can go silent.

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How the wire is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Everything passes.
    Whole,
    /// Connections break, those that are there and those that come.
    Cut,
    /// Connections are taken, and nothing passes.
    Silent,
}

/// A wire on a port of its own, for as long as the test's runtime lives.
pub struct Proxy {
    /// Where it is reached: host and port.
    pub address: String,
    wire: watch::Sender<Wire>,
}

impl Proxy {
    /// A whole wire to a host and port.
    pub async fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (wire, state) = watch::channel(Wire::Whole);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(pass(client, target.clone(), state.clone()));
            }
        });
        Self { address, wire }
    }

    /// Changes the wire, for all connections.
    pub fn set(&self, wire: Wire) {
        self.wire.send(wire).unwrap();
    }
}

async fn pass(mut client: TcpStream, target: String, mut state: watch::Receiver<Wire>) {
    let wire = *state.borrow_and_update();
    match wire {
        Wire::Cut => {}
        Wire::Silent => {
            // Whoever waits for an answer waits until the wire changes.
            let _ = state.changed().await;
        }
        Wire::Whole => {
            let Ok(mut server) = TcpStream::connect(target).await else { return };
            let cut = async {
                while state.changed().await.is_ok() && *state.borrow() == Wire::Whole {}
                *state.borrow()
            };
            let wire = tokio::select! {
                _ = copy_bidirectional(&mut client, &mut server) => return,
                wire = cut => wire,
            };
            if wire == Wire::Silent {
                let _ = state.changed().await;
            }
        }
    }
}
