//! A wire to a server, which can be cut, be slow, go silent, have room for few connections, and keep a request back.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

/// How the wire is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Everything passes.
    Whole,
    /// Everything passes; what the server answers takes so long.
    Slow(Duration),
    /// Connections break, those that are there and those that come.
    Cut,
    /// Connections are taken, and nothing passes.
    Silent,
}

impl Wire {
    fn passes(self) -> bool {
        matches!(self, Self::Whole | Self::Slow(_))
    }
}

/// A wire on a port of its own, for as long as the test's runtime lives. Clones are the same wire.
#[derive(Clone)]
pub struct Proxy {
    /// Where it is reached: host and port.
    pub address: String,
    wire: watch::Sender<Wire>,
    connections: Arc<Connections>,
    barrier: Arc<Barrier>,
}

/// Keeps back the next bytes of a client that contain a text.
#[derive(Default)]
struct Barrier {
    text: Mutex<Option<&'static str>>,
    reached: Notify,
    open: Notify,
}

impl Barrier {
    async fn pass(&self, bytes: &[u8]) {
        let keeps_back = {
            let mut text = self.text.lock().unwrap();
            let found =
                text.is_some_and(|text| bytes.windows(text.len()).any(|part| part == text.as_bytes()));
            found && text.take().is_some()
        };
        if keeps_back {
            self.reached.notify_one();
            self.open.notified().await;
        }
    }
}

/// The connections of a wire.
struct Connections {
    open: AtomicUsize,
    most: AtomicUsize,
}

/// A connection that is open.
struct Open(Arc<Connections>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Proxy {
    /// A whole wire to a host and port.
    pub async fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (wire, state) = watch::channel(Wire::Whole);
        let connections =
            Arc::new(Connections { open: AtomicUsize::new(0), most: AtomicUsize::new(usize::MAX) });
        let of = Arc::clone(&connections);
        let barrier = Arc::new(Barrier::default());
        let here = Arc::clone(&barrier);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let before = of.open.fetch_add(1, Ordering::SeqCst);
                let open = Open(Arc::clone(&of));
                // Without room it is taken and closed, as a server at its limit does.
                if before < of.most.load(Ordering::SeqCst) {
                    tokio::spawn(pass(client, target.clone(), state.clone(), open, Arc::clone(&here)));
                }
            }
        });
        Self { address, wire, connections, barrier }
    }

    /// Changes the wire, for all connections.
    pub fn set(&self, wire: Wire) {
        self.wire.send(wire).unwrap();
    }

    /// Sets how many connections there may be at the same time. Those that are there stay.
    pub fn limit(&self, most: usize) {
        self.connections.most.store(most, Ordering::SeqCst);
    }

    /// Keeps the next bytes of a client back that contain a text, once. Everything else passes.
    pub fn keep_back(&self, text: &'static str) {
        *self.barrier.text.lock().unwrap() = Some(text);
    }

    /// Waits until something is kept back.
    pub async fn kept_back(&self) {
        self.barrier.reached.notified().await;
    }

    /// Lets through what is kept back.
    pub fn let_through(&self) {
        self.barrier.open.notify_one();
    }
}

async fn pass(
    mut client: TcpStream,
    target: String,
    mut state: watch::Receiver<Wire>,
    _open: Open,
    barrier: Arc<Barrier>,
) {
    let wire = *state.borrow_and_update();
    match wire {
        Wire::Cut => {}
        Wire::Silent => {
            // Whoever waits for an answer waits until the wire changes.
            let _ = state.changed().await;
        }
        Wire::Whole | Wire::Slow(_) => {
            let Ok(mut server) = TcpStream::connect(target).await else { return };
            let wires = state.clone();
            let cut = async {
                while state.changed().await.is_ok() && state.borrow().passes() {}
                *state.borrow()
            };
            let wire = tokio::select! {
                () = both_ways(&mut client, &mut server, &wires, &barrier) => return,
                wire = cut => wire,
            };
            if wire == Wire::Silent {
                let _ = state.changed().await;
            }
        }
    }
}

/// Passes everything on until a side ends.
async fn both_ways(
    client: &mut TcpStream,
    server: &mut TcpStream,
    wire: &watch::Receiver<Wire>,
    barrier: &Barrier,
) {
    let (mut asks, mut hears) = client.split();
    let (mut answers, mut is_asked) = server.split();
    let there = async {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = asks.read(&mut bytes).await {
            barrier.pass(&bytes[..length]).await;
            if is_asked.write_all(&bytes[..length]).await.is_err() {
                break;
            }
        }
        let _ = is_asked.shutdown().await;
    };
    let back = async {
        let mut bytes = vec![0; 1 << 20];
        while let Ok(length @ 1..) = answers.read(&mut bytes).await {
            let state = *wire.borrow();
            if let Wire::Slow(time) = state {
                sleep(time).await;
            }
            if hears.write_all(&bytes[..length]).await.is_err() {
                break;
            }
        }
        let _ = hears.shutdown().await;
    };
    tokio::join!(there, back);
}
