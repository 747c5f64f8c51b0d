//! A wire to a server, which can be cut, and which can go silent.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

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
    barrier: Arc<Barrier>,
}

/// Keeps back the next bytes of a client that contain a text.
#[derive(Default)]
struct Barrier {
    text: Mutex<Option<&'static str>>,
    reached: Notify,
    open: Notify,
}

impl Proxy {
    /// A whole wire to a host and port.
    pub async fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (wire, state) = watch::channel(Wire::Whole);
        let barrier = Arc::new(Barrier::default());
        let here = Arc::clone(&barrier);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(pass(client, target.clone(), state.clone(), Arc::clone(&here)));
            }
        });
        Self { address, wire, barrier }
    }

    /// Changes the wire, for all connections.
    pub fn set(&self, wire: Wire) {
        self.wire.send(wire).unwrap();
    }

    /// Keeps the next bytes back that contain a text, once. Everything else passes.
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

impl Barrier {
    fn keeps_back(&self, bytes: &[u8]) -> bool {
        let mut text = self.text.lock().unwrap();
        let found = text.is_some_and(|text| bytes.windows(text.len()).any(|part| part == text.as_bytes()));
        found && text.take().is_some()
    }

    async fn copy(
        &self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> std::io::Result<()> {
        let mut bytes = vec![0; 64 * 1024];
        loop {
            let count = from.read(&mut bytes).await?;
            if count == 0 {
                return to.shutdown().await;
            }
            if self.keeps_back(&bytes[..count]) {
                self.reached.notify_one();
                self.open.notified().await;
            }
            to.write_all(&bytes[..count]).await?;
        }
    }
}

async fn pass(
    mut client: TcpStream,
    target: String,
    mut state: watch::Receiver<Wire>,
    barrier: Arc<Barrier>,
) {
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
            let (mut asked, mut answers) = client.split();
            let (mut answering, mut asking) = server.split();
            let both = async {
                let there = barrier.copy(&mut asked, &mut asking);
                let back = async {
                    copy(&mut answering, &mut answers).await?;
                    answers.shutdown().await
                };
                tokio::try_join!(there, back)
            };
            let wire = tokio::select! {
                _ = both => return,
                wire = cut => wire,
            };
            if wire == Wire::Silent {
                let _ = state.changed().await;
            }
        }
    }
}
