//! The one accept loop.
//!
//! 1. Wait for a connection. Where accepting fails for want of files or memory, pause and go on (`accept`).
//! 2. Where its network has as many connections as it may have, or the listener has (`registry`), the one that has been
//!    idle longest ends for it. Where none is idle, one beyond its network's bound is closed; one beyond the listener's
//!    waits for a place, and so do those behind it, in the listener's queue.
//! 3. In a task of its own, on one of the [`Workers`] where there are such, shake hands where the listener speaks TLS,
//!    then serve the connection (`connection`), within time limits that are read off its bytes (`watched`, `activity`)
//!    and its answers (`taken`), and within what HTTP/2 may send for nothing (`frames`).
//!    What limit has ended a connection is counted.
//! 4. After the shutdown, in [`Phase`]s: go on, and let answers be the last of their connections; take what the queue
//!    holds, and stop listening; let requests end that have begun, and after [`ServerLimits::drain_time`] end what is
//!    left.

mod accept;
mod activity;
mod bell;
mod connection;
mod frames;
mod handshake;
mod registry;
mod taken;
mod watched;
mod workers;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::{Front, NoRequestMeter, RequestMeter, ServerLimits, Tls};
use crate::service::ports::Limit;
use crate::service::rates::ClientNet;
use activity::Activity;
use connection::Served;
use registry::{Open, Registry, TooMany};
pub use workers::Workers;

/// The other end of a connection: in the extensions of each of its requests.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// What a server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// It serves.
    Serving,
    /// It is to end, and still accepts: clients may not know it yet. Answers are the last of their connections.
    LameDuck,
    /// It accepts nothing any more, and finishes what it has.
    Draining,
}

/// A listener and what it serves.
pub struct Server {
    listener: TcpListener,
    front: Front,
    tls: Option<Tls>,
    limits: ServerLimits,
    meter: Arc<dyn RequestMeter>,
    workers: Option<Arc<Workers>>,
}

impl Server {
    /// A server that hasn't begun yet.
    #[must_use]
    pub fn new(listener: TcpListener, front: Front, limits: ServerLimits) -> Self {
        Self { listener, front, tls: None, limits, meter: Arc::new(NoRequestMeter), workers: None }
    }

    /// The same, over TLS where there is a certificate to show.
    #[must_use]
    pub fn with_tls(self, tls: Option<Tls>) -> Self {
        Self { tls, ..self }
    }

    /// The same, which counts the limits that its clients meet.
    #[must_use]
    pub fn metered(self, meter: Arc<dyn RequestMeter>) -> Self {
        Self { meter, ..self }
    }

    /// The same, whose connections live on threads of their own. Without, they share the runtime of [`Server::run`].
    #[must_use]
    pub fn on(self, workers: Arc<Workers>) -> Self {
        Self { workers: Some(workers), ..self }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The operating system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown` is ready, and for [`ServerLimits::lame_duck`] more; then until the requests are answered
    /// that have begun, for at most [`ServerLimits::drain_time`].
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { listener, front, tls, limits, meter, workers } = self;
        let (protocol, work) = (connection::protocol(&limits), Handle::current());
        let (phase, phases) = watch::channel(Phase::Serving);
        let mut acceptor = Acceptor {
            places: Arc::new(Semaphore::new(limits.connections.clamp(1, Semaphore::MAX_PERMITS))),
            served: Served { front, protocol, limits: limits.clone(), work },
            tls,
            meter,
            workers,
            phases,
            registry: Arc::default(),
            connections: JoinSet::new(),
            next: None,
        };
        let stops = async {
            shutdown.await;
            phase.send_replace(Phase::LameDuck);
            let last = limits.lame_duck.min(LAST);
            sleep(limits.lame_duck.saturating_sub(last)).await;
            if !last.is_zero() {
                accept::stop_syn(&listener);
                sleep(last).await;
            }
        };
        tokio::select! {
            biased;
            () = stops => {}
            () = acceptor.accept(&listener) => {}
        }
        let mut connections = acceptor.close(listener);
        phase.send_replace(Phase::Draining);
        let ended = async { while connections.join_next().await.is_some() {} };
        if timeout(limits.drain_time, ended).await.is_err() {
            tracing::warn!(left = connections.len(), "connections ended before their requests were answered");
            connections.shutdown().await;
        }
    }
}

/// Takes connections, and begins to serve them.
struct Acceptor {
    served: Served,
    tls: Option<Tls>,
    meter: Arc<dyn RequestMeter>,
    workers: Option<Arc<Workers>>,
    phases: watch::Receiver<Phase>,
    places: Arc<Semaphore>,
    registry: Arc<Registry>,
    connections: JoinSet<()>,
    /// The one that waits for a place.
    next: Option<Entered>,
}

/// A connection that its network may have.
struct Entered {
    stream: TcpStream,
    peer: SocketAddr,
    activity: Arc<Activity>,
    open: Open,
}

impl Acceptor {
    /// Takes connections, for as long as it is polled. None is lost where that ends.
    async fn accept(&mut self, listener: &TcpListener) {
        loop {
            if self.next.is_none() {
                tokio::select! {
                    biased;
                    Some(_) = self.connections.join_next() => continue,
                    (stream, peer) = accept::accept(listener) => self.next = self.enter(stream, peer),
                }
            }
            if self.next.is_some() {
                let place = self.place().await;
                if let Some(next) = self.next.take() {
                    self.begin(next, place);
                }
            }
        }
    }

    /// Begins with all that waits for the listener, whether there is a place or not, and closes it.
    fn close(mut self, listener: TcpListener) -> JoinSet<()> {
        if let Some(next) = self.next.take() {
            self.begin(next, None);
        }
        for (stream, peer) in accept::close(listener) {
            if let Some(next) = self.enter(stream, peer) {
                self.begin(next, None);
            }
        }
        self.connections
    }

    /// Counts a connection for its network; `None` where that has too many.
    fn enter(&self, stream: TcpStream, peer: SocketAddr) -> Option<Entered> {
        let activity = Activity::since(Instant::now());
        let most = self.served.limits.client_connections;
        match self.registry.enter(ClientNet::of(peer.ip()), &activity, most) {
            Ok((open, full)) => {
                if full {
                    self.meter.limit(Limit::ClientConnections);
                }
                Some(Entered { stream, peer, activity, open })
            }
            Err(TooMany) => {
                tracing::debug!(%peer, "connection closed: its address has too many");
                self.meter.limit(Limit::ClientConnections);
                None
            }
        }
    }

    /// A place among all connections. Where none is free, the one that has been idle longest ends.
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Some(place);
        }
        self.meter.limit(Limit::Connections);
        loop {
            self.registry.end_longest_idle();
            // One that was asked may have got a request, and one that is at work may be idle later.
            if let Ok(place) = timeout(ASK_AGAIN, Arc::clone(&self.places).acquire_owned()).await {
                // The semaphore is never closed.
                return place.ok();
            }
        }
    }

    /// Serves a connection in a task of its own.
    fn begin(&mut self, next: Entered, place: Option<OwnedSemaphorePermit>) {
        let Entered { stream, peer, activity, open } = next;
        // Small answers shouldn't wait for more to send.
        let _ = stream.set_nodelay(true);
        let (until, served) = (Instant::now() + self.served.limits.head_time, self.served.clone());
        let (tls, meter, mut phases) = (self.tls.clone(), self.meter.clone(), self.phases.clone());
        let (home, placed) = match &self.workers {
            Some(workers) => workers.place(),
            None => (served.work.clone(), None),
        };
        // The runtime that waits for it is the one that it lives on.
        let Ok(stream) = stream.into_std() else { return };
        self.connections.spawn_on(
            async move {
                let Ok(stream) = TcpStream::from_std(stream) else { return };
                let met = if let Some(tls) = tls {
                    match handshake::handshake(stream, peer, &tls, until, &activity, &mut phases).await {
                        // Apart, so that plain connections don't take the room of a session.
                        Ok(stream) => {
                            Box::pin(connection::serve(stream, peer, activity, served, phases)).await
                        }
                        Err(met) => met,
                    }
                } else {
                    connection::serve(stream, peer, activity, served, phases).await
                };
                met.into_iter().for_each(|limit| meter.limit(limit));
                drop((place, placed, open));
            },
            &home,
        );
    }
}

/// How long a connection that rests is listened to once nothing more is accepted: what its client has sent, or sends at
/// once, is answered.
const QUIET: Duration = Duration::from_secs(1);
/// The same for one that has brought no request yet: its client may have just connected, and be slow.
const FIRST_QUIET: Duration = Duration::from_secs(3);
/// How long, at the end of the lame duck, no connection begins any more: those that have begun are completed.
const LAST: Duration = Duration::from_millis(250);
/// How long a connection that was asked to end may take for it before another one is asked.
const ASK_AGAIN: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::{Body, Bytes};
    use axum::routing::get;
    use futures_util::stream;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;

    use super::*;

    async fn start(limits: ServerLimits, router: Router) -> (SocketAddr, oneshot::Sender<()>, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let mut server = JoinSet::new();
        server.spawn(Server::new(listener, Front::new(router), limits).run(async { drop(stopped.await) }));
        (address, stop, server)
    }

    fn slow() -> Router {
        let handler = |axum::Extension(Peer(peer)): axum::Extension<Peer>| async move {
            sleep(Duration::from_millis(200)).await;
            peer.ip().to_string()
        };
        Router::new().route("/", get(handler))
    }

    async fn read_all(stream: &mut TcpStream) -> String {
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text).await;
        text
    }

    #[tokio::test]
    async fn a_request_in_flight_is_answered_after_the_shutdown() {
        let (address, stop, mut server) = start(ServerLimits::default(), slow()).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        sleep(Duration::from_millis(50)).await;
        let _silent = TcpStream::connect(address).await.unwrap();
        sleep(Duration::from_millis(20)).await;
        stop.send(()).unwrap();
        let answer = read_all(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("127.0.0.1"), "{answer}");
        timeout(Duration::from_secs(20), server.join_next()).await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn a_slow_head_is_given_up() {
        let limits = ServerLimits { head_time: Duration::from_millis(150), ..ServerLimits::default() };
        let (address, _stop, _server) = start(limits, slow()).await;
        for begin in ["", "GET / HT", "GET / HTTP/1.1\r\nhost: x\r\n\r\n"] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(begin.as_bytes()).await.unwrap();
            if begin.ends_with("\r\n\r\n") {
                let mut answer = [0; 1024];
                let read = stream.read(&mut answer).await.unwrap();
                assert!(answer[..read].starts_with(b"HTTP/1.1 200 "));
                stream.write_all(b"GET").await.unwrap();
            }
            let started = Instant::now();
            timeout(Duration::from_secs(3), read_all(&mut stream)).await.unwrap();
            assert!(started.elapsed() < Duration::from_secs(1), "{begin:?}");
        }
    }

    #[tokio::test]
    async fn a_client_that_never_reads_is_given_up() {
        let (alive, mut dropped) = oneshot::channel::<()>();
        let alive = Arc::new(std::sync::Mutex::new(Some(alive)));
        let endless = move || async move {
            let held = alive.lock().unwrap().take();
            Body::from_stream(stream::repeat_with(move || {
                let _ = &held;
                Ok::<_, std::convert::Infallible>(Bytes::from(vec![0; 64 * 1024]))
            }))
        };
        let limits = ServerLimits { idle_time: Duration::from_millis(200), ..ServerLimits::default() };
        let (address, _stop, _server) = start(limits, Router::new().route("/", get(endless))).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        assert!(timeout(Duration::from_secs(5), &mut dropped).await.unwrap().is_err());
    }

    /// What frames of HTTP/2 look like: length, type, flags, stream.
    fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0, 0, u8::try_from(payload.len()).unwrap(), kind, flags, 0, 0, 0, stream];
        frame.extend_from_slice(payload);
        frame
    }

    #[tokio::test]
    async fn pings_do_not_keep_an_answer_that_is_never_taken() {
        let (alive, mut dropped) = oneshot::channel::<()>();
        let alive = Arc::new(std::sync::Mutex::new(Some(alive)));
        let endless = move || async move {
            let held = alive.lock().unwrap().take();
            Body::from_stream(stream::repeat_with(move || {
                let _ = &held;
                Ok::<_, std::convert::Infallible>(Bytes::from(vec![0; 64 * 1024]))
            }))
        };
        let limits = ServerLimits {
            idle_time: Duration::from_millis(300),
            head_time: Duration::from_millis(100),
            ..ServerLimits::default()
        };
        let (address, _stop, _server) = start(limits, Router::new().route("/", get(endless))).await;
        let mut client = TcpStream::connect(address).await.unwrap();
        // GET / in HPACK's static table, and a window that is never opened further.
        let request = [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            &frame(4, 0, 0, b"")[..],
            &frame(1, 5, 1, b"\x82\x84\x86\x41\x01x"),
        ]
        .concat();
        client.write_all(&request).await.unwrap();
        let pings = async {
            while client.write_all(&frame(6, 0, 0, b"pingping")).await.is_ok() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        let ended = timeout(Duration::from_secs(5), async { tokio::join!(pings, &mut dropped).1 }).await;
        assert!(ended.unwrap().is_err(), "the answer is dropped");
    }

    #[tokio::test]
    async fn a_handshake_has_the_time_of_a_head_and_keeps_nobody_waiting() {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(["x".to_owned()]).unwrap().self_signed(&key).unwrap();
        let (chain, key) = (certificate.pem(), key.serialize_pem());
        let certificate = crate::http::Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
        let limits = ServerLimits { head_time: Duration::from_millis(300), ..ServerLimits::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::new(listener, Front::new(slow()), limits).with_tls(Some(Tls::new(&certificate)));
        let mut running = JoinSet::new();
        running.spawn(server.run(std::future::pending()));
        let mut silent = TcpStream::connect(address).await.unwrap();
        let mut halfway = TcpStream::connect(address).await.unwrap();
        halfway.write_all(&[22, 3, 1, 2, 0, 1]).await.unwrap();
        let mut plain = TcpStream::connect(address).await.unwrap();
        plain.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut rest = Vec::new();
        let _ = plain.read_to_end(&mut rest).await;
        assert!(!rest.starts_with(b"HTTP"), "plain HTTP is refused: {rest:?}");
        for client in [&mut silent, &mut halfway] {
            let mut rest = Vec::new();
            let ended = timeout(Duration::from_secs(3), client.read_to_end(&mut rest)).await;
            assert!(ended.is_ok() && rest.is_empty(), "{rest:?}");
        }
    }

    #[tokio::test]
    async fn http_2_is_spoken_with_those_who_begin_so() {
        let (address, _stop, _server) = start(ServerLimits::default(), slow()).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        let mut frame = [0; 9];
        stream.read_exact(&mut frame).await.unwrap();
        assert_eq!(frame[3], 4, "a SETTINGS frame");
    }

    #[tokio::test]
    async fn a_head_that_is_too_large_is_refused() {
        let (address, _stop, _server) = start(ServerLimits::default(), slow()).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}", "y".repeat(40_000));
        stream.write_all(head.as_bytes()).await.unwrap();
        assert!(read_all(&mut stream).await.starts_with("HTTP/1.1 431 "));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn work_that_holds_a_thread_up_holds_up_no_connection_on_workers() {
        let (release, released) = std::sync::mpsc::channel::<()>();
        let released = Arc::new(std::sync::Mutex::new(released));
        let busy = move || async move {
            // As work does that takes long and has nothing to wait for.
            let _ = released.lock().unwrap().recv();
            "late"
        };
        let router = Router::new().route("/", get(|| async { "early" })).route("/busy", get(busy));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let workers = Arc::new(Workers::start().unwrap());
        let server = Server::new(listener, Front::new(router), ServerLimits::default()).on(workers);
        let mut running = JoinSet::new();
        running.spawn(server.run(std::future::pending()));
        let ask = async |path: &str| {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            stream
        };
        let mut busy = ask("/busy").await;
        // Some of these live on the thread that the busy one lives on.
        for _ in 0..8 {
            let mut quick = ask("/").await;
            let answer = timeout(Duration::from_secs(20), read_all(&mut quick)).await.unwrap();
            assert!(answer.ends_with("early"), "{answer}");
        }
        release.send(()).unwrap();
        assert!(read_all(&mut busy).await.ends_with("late"));
    }

    #[tokio::test]
    async fn the_number_of_connections_is_bounded() {
        let limits = ServerLimits { connections: 1, ..ServerLimits::default() };
        let (address, _stop, _server) = start(limits, slow()).await;
        let first = TcpStream::connect(address).await.unwrap();
        sleep(Duration::from_millis(50)).await;
        let mut second = TcpStream::connect(address).await.unwrap();
        second.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        assert!(timeout(Duration::from_millis(400), second.readable()).await.is_err());
        drop(first);
        assert!(read_all(&mut second).await.starts_with("HTTP/1.1 200 "));
    }
}
