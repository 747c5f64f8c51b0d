//! Requests on connections that are kept: each sends the next one when it has its answer, or when it is due.
//!
//! With a rate, the time of a request begins when it was due, not when its connection was free: a server that
//! stands still can't hide how long others would have waited. Each connection sends one request at least.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::Failure;

/// `paths` are one or more, separated by commas; each connection asks for all in turn, beginning at one of its own.
/// Prints `{"requests","bad","seconds","p50","p99","p999"}`: times in seconds; `bad` weren't a 302 without a body.
pub async fn load(
    address: &str,
    paths: &str,
    connections: u32,
    seconds: f64,
    rate: Option<f64>,
) -> Result<(), Failure> {
    let request = |path| {
        format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nuser-agent: load\r\naccept: */*\r\n\r\n").into_bytes()
    };
    let requests: Arc<[Vec<u8>]> = paths.split(',').map(request).collect();
    let streams = open(address, connections).await?;
    let begin = Instant::now() + Duration::from_millis(50);
    let end = begin + Duration::from_secs_f64(seconds);
    let mut clients = JoinSet::new();
    for (index, stream) in (0..connections).zip(streams) {
        let every = rate.map(|rate| Duration::from_secs_f64(f64::from(connections) / rate));
        // Spread over the time between two requests of a connection.
        let first = begin + every.map_or(Duration::ZERO, |every| every * index / connections);
        let next = index as usize * requests.len() / connections as usize;
        let client = Client { stream, requests: Arc::clone(&requests), next, bad: 0, times: Vec::new() };
        clients.spawn(client.run(first, end, every));
    }
    let (mut bad, mut times) = (0, Vec::new());
    while let Some(client) = clients.join_next().await {
        let client = client??;
        bad += client.bad;
        times.extend(client.times);
    }
    let took = begin.elapsed().as_secs_f64();
    times.sort_unstable();
    let quantile = |share: f64| {
        let index = (times.len() as f64 * share) as usize;
        times.get(index.min(times.len().saturating_sub(1))).copied().unwrap_or_default().as_secs_f64()
    };
    println!(
        "{{\"requests\":{},\"bad\":{bad},\"seconds\":{took},\"p50\":{},\"p99\":{},\"p999\":{}}}",
        times.len(),
        quantile(0.5),
        quantile(0.99),
        quantile(0.999)
    );
    Ok(())
}

/// Opens connections, some at a time: a server gives the first of them only so long to say something.
async fn open(address: &str, connections: u32) -> Result<Vec<TcpStream>, Failure> {
    let mut openers = JoinSet::new();
    for opener in 0..AT_ONCE {
        let share = (opener..connections).step_by(AT_ONCE as usize).count();
        let address = address.to_owned();
        openers.spawn(async move {
            let mut streams = Vec::new();
            for _ in 0..share {
                let stream = TcpStream::connect(&address).await?;
                stream.set_nodelay(true)?;
                streams.push(stream);
            }
            Ok::<_, Failure>(streams)
        });
    }
    let mut streams = Vec::new();
    while let Some(opened) = openers.join_next().await {
        streams.extend(opened??);
    }
    Ok(streams)
}

/// Connections that are being opened at the same time.
const AT_ONCE: u32 = 32;

struct Client {
    stream: TcpStream,
    requests: Arc<[Vec<u8>]>,
    /// The one to be sent next.
    next: usize,
    bad: u64,
    times: Vec<Duration>,
}

impl Client {
    async fn run(mut self, first: Instant, end: Instant, every: Option<Duration>) -> Result<Self, Failure> {
        let (mut due, mut buffer) = (first, [0; 16 * 1024]);
        sleep_until(due).await;
        loop {
            self.stream.write_all(&self.requests[self.next]).await?;
            self.next = (self.next + 1) % self.requests.len();
            let mut filled = 0;
            while !buffer[..filled].ends_with(b"\r\n\r\n") {
                let size = self.stream.read(&mut buffer[filled..]).await?;
                if size == 0 {
                    return Err("the server hung up, or its answer has a body".into());
                }
                filled += size;
            }
            self.times.push(due.elapsed());
            self.bad += u64::from(!buffer.starts_with(b"HTTP/1.1 302 "));
            due = match every {
                Some(every) => due + every,
                None => Instant::now(),
            };
            if due >= end {
                return Ok(self);
            }
            sleep_until(due).await;
        }
    }
}
