//! Ten thousand connections that say nothing.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Stage;

const WANTED: u64 = 10_000;
/// What the other tests of this process may have open, and the node beside its connections.
const OTHERS: u64 = 1_000;
/// Seconds, longer than this test.
const LONG: [(&str, &str); 4] = [
    ("SIGNET__SERVER__MAX_CONNECTIONS", "12000"),
    ("SIGNET__SERVER__MAX_CONNECTIONS_PER_CLIENT", "0"),
    ("SIGNET__SERVER__HEAD_SECONDS", "60"),
    ("SIGNET__SERVER__IDLE_SECONDS", "300"),
];

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_idle_connections_cost_a_little_memory_and_nobody_time() {
    // As many as the machine gives: the node raises its own limit by itself.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    let wanted = limit.maximum.map_or(WANTED, |most| WANTED.min(most.saturating_sub(OTHERS)));
    let stage = Stage::new(&LONG).await;
    let began = Instant::now();
    let mut held = Vec::new();
    for n in 0..wanted {
        let mut stream = TcpStream::connect(stage.address()).unwrap();
        // Some have said nothing yet, some are in the middle of a head, some rest after an answer.
        match n % 4 {
            0 => {}
            1 => stream.write_all(b"GET /m/x HTTP/1.1\r\n").unwrap(),
            2 => {
                stream.write_all(b"GET /m/x HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
                let mut answer = [0; 4_096];
                let read = stream.read(&mut answer).unwrap();
                assert!(answer[..read].starts_with(b"HTTP/1.1 404 "));
            }
            _ => stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap(),
        }
        held.push(stream);
    }
    let took = began.elapsed();
    let open = stage.files() as u64;
    assert!(open >= wanted, "{open} of {wanted} are open");
    // One that has rested since its answer goes on.
    let rested = &mut held[2];
    rested.write_all(b"GET /m/x HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut answer = [0; 4_096];
    let read = rested.read(&mut answer).unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 404 "));
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let each = stage.peak() * 1024 / wanted;
    let did = format!("{wanted} opened in {} ms, {each} KiB each", took.as_millis());
    // All are closed at once while the node ends.
    drop(held);
    stage.end("idle connections", &did, wanted * 32 / 1024);
}
