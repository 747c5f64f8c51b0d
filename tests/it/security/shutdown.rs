//! A shutdown loses no connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustls::version::TLS13;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpSocket;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::support::Node;
use crate::support::http::{parse, status_blocking};
use crate::support::settings::{ANNA, two_tenants};
use crate::support::tls::{self, HOST, Pair};
use crate::support::upload::{picture, ready};

/// How long anything may take, on a machine under load.
const PATIENCE: Duration = Duration::from_secs(60);
const LAME_DUCK: &str = "SIGNET__SERVER__LAME_DUCK_SECONDS";
const LAYOUT: &str = "path = \"{tenant}\"\nbucket = \"media\"";

fn serve(folder: &TempDir, environment: &[(&str, &str)]) -> Node {
    Node::serve(folder.path(), &two_tenants(folder.path(), LAYOUT, "vectors/ecdsa", false), environment)
}

fn connect(node: &Node) -> TcpStream {
    let stream = TcpStream::connect(node.api.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

const ASK: &[u8] = b"GET /m/x HTTP/1.1\r\nhost: x\r\n\r\n";

/// Reads an answer to [`ASK`], and whether it says that it is the connection's last.
fn answer(stream: &mut TcpStream) -> bool {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"}") {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece);
        assert!(matches!(read, Ok(1..)), "{read:?} after {:?}", String::from_utf8_lossy(&bytes));
        bytes.extend(&piece[..read.unwrap()]);
    }
    let answer = parse(&bytes);
    answer.assert_problem(404, "asset-not-found");
    answer.header("connection") == "close"
}

/// Waits until nothing listens any more.
fn until_closed(node: &Node) {
    let began = Instant::now();
    while TcpStream::connect(node.api.strip_prefix("http://").unwrap()).is_ok() {
        assert!(began.elapsed() < PATIENCE, "it goes on listening");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn connections_that_the_system_has_accepted_are_served() {
    let folder = TempDir::new().unwrap();
    let mut node = serve(&folder, &[("SIGNET__SERVER__MAX_CONNECTIONS_PER_CLIENT", "1000")]);
    // While it stands still, the system goes on accepting for it: more than the node takes at one go.
    node.signal("STOP");
    let mut waiting: Vec<TcpStream> = (0..600)
        .map(|_| {
            let mut stream = connect(&node);
            stream.write_all(ASK).unwrap();
            stream
        })
        .collect();
    node.signal("TERM");
    node.signal("CONT");
    for stream in &mut waiting {
        // Those that were read before the signal was heard don't know yet that it is the last.
        answer(stream);
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "it is closed, not reset");
    }
    assert_eq!(node.exit_code(), Some(0));
}

#[test]
fn what_comes_by_connections_that_were_accepted_is_answered() {
    let folder = TempDir::new().unwrap();
    let mut node = serve(&folder, &[]);
    let [mut silent, mut resting, mut begun, mut begun_again] = [(); 4].map(|()| connect(&node));
    for used in [&mut resting, &mut begun_again] {
        used.write_all(ASK).unwrap();
        assert!(!answer(used));
    }
    let (first, rest) = ASK.split_at(10);
    for slow in [&mut begun, &mut begun_again] {
        slow.write_all(first).unwrap();
    }
    // By a later one's answer, all of these were read.
    let mut later = connect(&node);
    later.write_all(ASK).unwrap();
    answer(&mut later);
    drop(later);
    node.signal("TERM");
    until_closed(&node);
    // Within the second in which it listens to those that rest.
    for quick in [&mut silent, &mut resting] {
        quick.write_all(ASK).unwrap();
        assert!(answer(quick));
        assert_eq!(quick.read(&mut [0]).unwrap(), 0);
    }
    // Later than that, within the time of a head.
    std::thread::sleep(Duration::from_millis(1_500));
    for slow in [&mut begun, &mut begun_again] {
        slow.write_all(rest).unwrap();
        assert!(answer(slow));
    }
    assert_eq!(node.exit_code(), Some(0));
}

#[test]
fn a_node_that_ends_accepts_until_clients_know_of_it() {
    let folder = TempDir::new().unwrap();
    let mut node = serve(&folder, &[(LAME_DUCK, "3")]);
    let mut resting = connect(&node);
    resting.write_all(ASK).unwrap();
    assert!(!answer(&mut resting));
    node.signal("TERM");
    let (ready, began) = (format!("{}/readyz", node.admin), Instant::now());
    while status_blocking(&ready) != Some(503) {
        assert!(began.elapsed() < PATIENCE, "it stays ready");
    }
    let mut late = connect(&node);
    for stream in [&mut resting, &mut late] {
        stream.write_all(ASK).unwrap();
        assert!(answer(stream), "clients are told to go elsewhere");
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    }
    until_closed(&node);
    assert_eq!(node.exit_code(), Some(0));
}

#[test]
fn a_second_signal_ends_what_is_left() {
    let folder = TempDir::new().unwrap();
    let drain = ("SIGNET__SERVER__DRAIN_SECONDS", "600");
    let mut node = serve(&folder, &[drain, ("SIGNET__SERVER__HEAD_SECONDS", "60")]);
    let mut begun = connect(&node);
    begun.write_all(&ASK[..10]).unwrap();
    node.signal("TERM");
    until_closed(&node);
    std::thread::sleep(Duration::from_secs(2));
    node.signal("INT");
    let began = Instant::now();
    assert_eq!(node.exit_code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(30), "it waits for a head that doesn't come");
}

/// How many nodes are stopped at the same time.
const AT_ONCE: usize = 8;
/// Printed, so that a failure can be had again.
const SEED: u64 = 0x5197_e7d0;

/// What clients of a node speak.
#[derive(Clone, Copy, PartialEq)]
enum Speaks {
    One,
    Two,
    /// Either of them, over TLS.
    Tls,
}

// 200 rounds in all.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_at_a_random_moment_under_load_by_http_1() {
    stop_often(Speaks::One, 120).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_at_a_random_moment_under_load_by_http_2() {
    stop_often(Speaks::Two, 40).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_at_a_random_moment_under_load_over_tls() {
    stop_often(Speaks::Tls, 40).await;
}

/// Stops so many nodes under load. No client loses anything: not those that heed `/readyz`, as a load balancer does for
/// them; and those that don't are refused once the node has closed its listener, and lose nothing before.
async fn stop_often(speaks: Speaks, rounds: u64) {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let pair = (speaks == Speaks::Tls).then(|| Arc::new(Pair::until(2055)));
    let mut running = JoinSet::new();
    for round in 0..rounds {
        let (turns, pair) = (Arc::clone(&turns), pair.clone());
        running.spawn(async move {
            let _turn = turns.acquire_owned().await.unwrap();
            stop_under_load(SEED + round, speaks, pair).await
        });
    }
    let (mut lost, mut heeding, mut heedless) = (Vec::new(), 0, 0);
    while let Some(told) = running.join_next().await {
        for told in told.unwrap() {
            *if told.heeds { &mut heeding } else { &mut heedless } += told.answered;
            lost.extend(told.lost);
        }
    }
    assert!(lost.is_empty(), "seed {SEED:#x}: {} of {heeding} + {heedless} lost: {lost:#?}", lost.len());
    assert!(heeding > rounds && heedless > rounds, "{heeding}, {heedless}");
}

/// Starts a node, and clients; ends it; gives what each client has seen.
async fn stop_under_load(seed: u64, speaks: Speaks, pair: Option<Arc<Pair>>) -> Vec<Told> {
    let mut random = StdRng::seed_from_u64(seed);
    let folder = TempDir::new().unwrap();
    // Nobody else gets this port when the node has closed it.
    let port = TcpSocket::new_v4().unwrap();
    port.set_reuseaddr(true).unwrap();
    port.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = port.local_addr().unwrap();
    let listen = address.to_string();
    let environment = [("SIGNET_LISTEN", listen.as_str()), (LAME_DUCK, "3")];
    let mut node = match &pair {
        Some(pair) => tls::serve(folder.path(), pair, &environment),
        None => tokio::task::block_in_place(|| serve(&folder, &environment)),
    };
    node.api = format!("http://{address}");
    let asset = match &pair {
        Some(_) => None,
        None => {
            let public = json!({"visibility": "PUBLIC"});
            Some(ready(&node.api, ANNA.2, "a.jpg", &picture(500, 9), public).await)
        }
    };
    let path = asset.as_ref().map(|asset| format!("/m/{}", asset["assetId"].as_str().unwrap()));
    let (wanted, signalled) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
    let mut clients = JoinSet::new();
    for number in 0..8_u64 {
        let client = Client {
            address,
            pair: pair.clone(),
            two: speaks == Speaks::Two || speaks == Speaks::Tls && number >= 4,
            keeps: number % 4 >= 2,
            wanted: number.is_multiple_of(2).then(|| Arc::clone(&wanted)),
            signalled: Arc::clone(&signalled),
            permalink: path.clone(),
            random: StdRng::seed_from_u64(seed ^ ((number + 1) << 32)),
        };
        clients.spawn(client.run());
    }
    let (admin, pause) = (node.admin.clone(), Duration::from_millis(random.random_range(20..50)));
    let balancer = tokio::task::spawn_blocking(move || ask_readiness(&admin, &wanted, pause));
    sleep(Duration::from_millis(random.random_range(20..400))).await;
    signalled.store(true, Ordering::SeqCst);
    tokio::task::block_in_place(|| node.signal("TERM"));
    let told = timeout(PATIENCE * 2, clients.join_all()).await.expect("clients end");
    balancer.await.unwrap();
    assert_eq!(tokio::task::block_in_place(|| node.exit_code()), Some(0));
    told
}

/// What a load balancer does for its clients: one that doesn't answer isn't ready either.
fn ask_readiness(admin: &str, wanted: &AtomicBool, pause: Duration) {
    while status_blocking(&format!("{admin}/readyz")) == Some(200) {
        std::thread::sleep(pause);
    }
    wanted.store(false, Ordering::SeqCst);
}

/// Asks again and again.
struct Client {
    address: SocketAddr,
    pair: Option<Arc<Pair>>,
    /// Whether it speaks HTTP/2.
    two: bool,
    /// Whether it keeps its connections.
    keeps: bool,
    /// Whether the node wants requests, for one that heeds it. Others go on until they are refused.
    wanted: Option<Arc<AtomicBool>>,
    signalled: Arc<AtomicBool>,
    permalink: Option<String>,
    random: StdRng,
}

/// What a client has seen.
struct Told {
    heeds: bool,
    answered: u64,
    lost: Vec<String>,
}

/// Why there is no answer.
enum Unanswered {
    /// The request wasn't sent, as the connection has ended before.
    Unsent,
    Lost(String),
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

enum Sender {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

impl Client {
    async fn run(mut self) -> Told {
        let mut told = Told { heeds: self.wanted.is_some(), answered: 0, lost: Vec::new() };
        let mut kept = None;
        while self.wanted.as_ref().is_none_or(|wanted| wanted.load(Ordering::SeqCst)) {
            let mut sender = match kept.take() {
                Some(sender) => sender,
                None => match timeout(PATIENCE, self.connect()).await.expect("a connection") {
                    Ok(sender) => sender,
                    Err(error) => {
                        let refused = error.kind() == std::io::ErrorKind::ConnectionRefused;
                        let known = self.signalled.load(Ordering::SeqCst);
                        if told.heeds || !refused || !known {
                            told.lost.push(format!("{} can't connect: {error:?}", self.name()));
                        }
                        return told;
                    }
                },
            };
            let (request, status) = self.request();
            match timeout(PATIENCE, sender.ask(request)).await.expect("an answer") {
                Ok(answer) if answer == status => told.answered += 1,
                Ok(answer) => told.lost.push(format!("{} got {answer} for {status}", self.name())),
                Err(Unanswered::Unsent) => continue,
                Err(Unanswered::Lost(why)) => told.lost.push(format!("{}: {why}", self.name())),
            }
            if self.keeps {
                kept = Some(sender);
            }
            // Less than the seconds of the lame duck.
            let rests = if self.keeps && self.random.random_ratio(1, 12) { 1_200 } else { 100 };
            sleep(Duration::from_millis(self.random.random_range(0..rests))).await;
        }
        told
    }

    fn name(&self) -> String {
        format!(
            "{} {} {} {}",
            if self.pair.is_some() { "tls" } else { "plain" },
            if self.two { "h2" } else { "h1" },
            if self.keeps { "keeps" } else { "closes" },
            if self.wanted.is_some() { "heeds" } else { "heedless" },
        )
    }

    async fn connect(&self) -> std::io::Result<Sender> {
        let stream: Box<dyn Stream> = match &self.pair {
            None => Box::new(tokio::net::TcpStream::connect(self.address).await?),
            Some(pair) => {
                let protocol = if self.two { "h2" } else { "http/1.1" };
                let api = format!("http://{}", self.address);
                Box::new(tls::connect(&api, &[pair], &[&TLS13], &[protocol]).await?)
            }
        };
        let io = TokioIo::new(stream);
        if self.two {
            let (sender, connection) =
                http2::handshake(TokioExecutor::new(), io).await.map_err(std::io::Error::other)?;
            tokio::spawn(connection);
            return Ok(Sender::Two(sender));
        }
        let (sender, connection) = http1::handshake(io).await.map_err(std::io::Error::other)?;
        tokio::spawn(connection);
        Ok(Sender::One(sender))
    }

    /// A request, and the status of its answer.
    fn request(&mut self) -> (Request<Full<Bytes>>, u16) {
        let (method, path, body, status) = match (self.random.random_range(0..16), &self.permalink) {
            (0, _) => ("POST", "/media/v1/documents", document(200), 200),
            (1..4, _) => ("POST", "/media/v1/documents", document(3), 200),
            (4..7, _) => ("GET", "/media/v1/usage", String::new(), 200),
            (7..10, Some(permalink)) => ("GET", permalink.as_str(), String::new(), 302),
            _ => ("GET", "/m/x", String::new(), 404),
        };
        let target = if self.two { format!("https://{HOST}{path}") } else { path.to_owned() };
        let mut request = Request::builder().method(method).uri(target).header("authorization", ANNA.2);
        if !self.two {
            request = request.header("host", HOST);
        }
        if method == "POST" {
            request = request.header("content-type", "application/json");
        }
        if !self.keeps && !self.two {
            request = request.header("connection", "close");
        }
        (request.body(Full::from(body)).unwrap(), status)
    }
}

/// A document of so many files, each with links to three derivatives in the answer.
fn document(files: usize) -> String {
    let file = |n: usize| json!({"key": format!("a/{n}.jpg"), "type": "image", "about": "x".repeat(100)});
    Value::from((0..files).map(file).collect::<Vec<_>>()).to_string()
}

impl Sender {
    async fn ask(&mut self, request: Request<Full<Bytes>>) -> Result<u16, Unanswered> {
        let ready = match self {
            Self::One(sender) => sender.ready().await,
            Self::Two(sender) => sender.ready().await,
        };
        if ready.is_err() {
            return Err(Unanswered::Unsent);
        }
        let answer = match self {
            Self::One(sender) => sender.send_request(request).await,
            Self::Two(sender) => sender.send_request(request).await,
        };
        let answer = answer.map_err(|error| {
            if is_unsent(&error) { Unanswered::Unsent } else { Unanswered::Lost(format!("{error:?}")) }
        })?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await;
        body.map(|_| status).map_err(|error| Unanswered::Lost(format!("a cut answer: {error:?}")))
    }
}

/// Whether a request never went out: the connection has ended, or the server has said by GOAWAY that it takes no
/// more. HTTP/2 says so of requests that it hasn't looked at, which may be sent elsewhere.
fn is_unsent(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<h2::Error>());
    let goes_away = source.is_some_and(|h2| h2.is_go_away() && h2.reason() == Some(h2::Reason::NO_ERROR));
    error.is_canceled() || goes_away
}
