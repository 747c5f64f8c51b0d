//! Clients that mean ill, by real sockets. In each: a client that behaves well goes on beside them, in new
//! connections; how long it waits and what memory the process takes are bounded, and left in
//! `target/tmp/hostile.txt`.
//!
//! - `slow`: heads and bodies that don't end, answers that nobody takes.
//! - `heads`: too large, too many, one after the other without waiting.
//! - `smuggling`: requests whose end two servers could see in two places.
//! - `frames`: HTTP/2 as no client speaks it.
//! - `bombs`: bodies that grow.
//! - `idle`: ten thousand connections that say nothing.

mod bombs;
mod frames;
mod heads;
mod idle;
mod slow;
mod smuggling;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::support::Node;
use crate::support::upload::{picture, ready};

/// What is seen of the good client before anything happens.
const BEFORE: Duration = Duration::from_millis(500);
/// A machine that runs other tests too makes anybody wait.
const NOISE: Duration = Duration::from_millis(500);
/// What half of the good client's requests may take, as a multiple of what they took before.
const SLOWER: u32 = 20;
/// How long any of its requests may take.
const LONGEST: Duration = Duration::from_secs(5);

/// A node under attack, with a client that behaves well.
pub struct Stage {
    pub node: Node,
    good: Neighbour,
    rested: u64,
    _folder: TempDir,
}

impl Stage {
    /// `signet dev` with further environment variables.
    pub async fn new(environment: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        let node = tokio::task::block_in_place(|| Node::dev(&folder.path().join("data"), environment));
        let asset =
            ready(&node.api, &node.api_key, "a.jpg", &picture(500, 9), json!({"visibility": "PUBLIC"})).await;
        let good = Neighbour::start(&node.api, asset["assetId"].as_str().unwrap());
        tokio::time::sleep(BEFORE).await;
        good.mark();
        let rested = rss(node.id());
        Self { node, good, rested, _folder: folder }
    }

    /// Where the API listens.
    pub fn address(&self) -> &str {
        self.node.api.strip_prefix("http://").unwrap()
    }

    /// A connection to it, on which reading has an end.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    /// How many files it has open.
    pub fn files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.node.id())).unwrap().count()
    }

    /// The most memory that it has taken, in MiB more than at rest.
    pub fn peak(&self) -> u64 {
        status(self.node.id(), "VmHWM").saturating_sub(self.rested) / 1024
    }

    /// That the good client was served all along, and memory stayed within so many MiB beside what was taken at
    /// rest. Leaves a row in the table.
    pub fn end(self, attack: &'static str, did: &str, most_mib: u64) {
        let (peak, after) = (self.peak(), rss(self.node.id()).saturating_sub(self.rested) / 1024);
        let [before, during] = self.good.end();
        let (half, longest) = (median(&during), during.iter().max().copied().unwrap_or_default());
        let usual = median(&before);
        let row = format!(
            "{attack:<28} {:>8.2} {:>8.2} {:>9.2} {:>7} {peak:>7} {after:>7}  {did}",
            millis(usual),
            millis(half),
            millis(longest),
            during.len(),
        );
        leave(attack, row.clone());
        assert!(peak <= most_mib, "memory: {row}");
        assert!(!during.is_empty() && half <= usual * SLOWER + NOISE, "{row}");
        assert!(longest <= LONGEST, "{row}");
        assert_eq!(self.node.terminate(), Some(0), "{attack}");
    }
}

/// A client that asks for a permalink, again and again, each time by a new connection.
struct Neighbour {
    stop: Arc<AtomicBool>,
    marked: Arc<AtomicBool>,
    thread: JoinHandle<[Vec<Duration>; 2]>,
}

impl Neighbour {
    fn start(api: &str, asset: &str) -> Self {
        let (address, path) = (api.strip_prefix("http://").unwrap().to_owned(), format!("/m/{asset}"));
        let (stop, marked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (stopped, during) = (Arc::clone(&stop), Arc::clone(&marked));
        let thread = std::thread::spawn(move || {
            let mut times = [Vec::new(), Vec::new()];
            while !stopped.load(Ordering::Relaxed) {
                let (phase, began) = (usize::from(during.load(Ordering::Relaxed)), Instant::now());
                let mut stream = TcpStream::connect(&address).unwrap();
                stream.set_read_timeout(Some(LONGEST * 4)).unwrap();
                write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")
                    .unwrap();
                let mut answer = String::new();
                let read = stream.read_to_string(&mut answer);
                assert!(read.is_ok() && answer.starts_with("HTTP/1.1 302 "), "{read:?} {answer:?}");
                times[phase].push(began.elapsed());
                std::thread::sleep(Duration::from_millis(5));
            }
            times
        });
        Self { stop, marked, thread }
    }

    fn mark(&self) {
        self.marked.store(true, Ordering::Relaxed);
    }

    fn end(self) -> [Vec<Duration>; 2] {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Memory of a process, in KiB.
fn rss(process: u32) -> u64 {
    status(process, "VmRSS")
}

fn status(process: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// The table of this run so far, anew with each row.
fn leave(attack: &'static str, row: String) {
    static ROWS: Mutex<BTreeMap<&str, String>> = Mutex::new(BTreeMap::new());
    let mut rows = ROWS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    rows.insert(attack, row);
    let mut table = String::from(
        "what a good client waits, in ms: half of its requests before and during, the longest during, how many;\n\
         what memory the process takes beside its rest, in MiB: most, at the end\n\n",
    );
    let _ = writeln!(
        table,
        "{:<28} {:>8} {:>8} {:>9} {:>7} {:>7} {:>7}  what happened",
        "attack", "before", "during", "longest", "asked", "most", "end"
    );
    for row in rows.values() {
        let _ = writeln!(table, "{row}");
    }
    fs::write(format!("{}/hostile.txt", env!("CARGO_TARGET_TMPDIR")), table).unwrap();
}
