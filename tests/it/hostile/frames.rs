//! HTTP/2 as no client speaks it: floods of frames, heads without an end, tables that unfold.

use std::io::Write as _;
use std::net::{Shutdown, TcpStream};
use std::thread::JoinHandle;

use super::Stage;
use crate::support::http2::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, Frame, GET, GO_AWAY,
    HEADERS, PING, PREFACE, PROTOCOL_ERROR, REFUSED_STREAM, RESET, SETTINGS, WINDOW, frame, read_frame,
};

/// Connections that do each.
const AT_ONCE: usize = 10;

/// A client whose frames are made by hand; what comes back is read all the while.
struct Client {
    stream: TcpStream,
    read: JoinHandle<Vec<Frame>>,
}

impl Client {
    fn new(stage: &Stage) -> Self {
        let mut stream = stage.connect();
        stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, b"")].concat()).unwrap();
        let mut reader = stream.try_clone().unwrap();
        let read = std::thread::spawn(move || std::iter::from_fn(|| read_frame(&mut reader)).collect());
        Self { stream, read }
    }

    /// Sends the same until the other side has closed; at most so often. It says that it ends before it stops to read.
    fn flood(&mut self, times: usize, bytes: impl Fn(usize) -> Vec<u8>) -> usize {
        let has_ended = |n: &usize| self.read.is_finished() || self.stream.write_all(&bytes(*n)).is_err();
        (0..times).find(has_ended).unwrap_or(times)
    }

    /// What has come back until the end.
    fn frames(self) -> Vec<Frame> {
        let _ = self.stream.shutdown(Shutdown::Write);
        self.read.join().unwrap()
    }
}

/// More than a connection that has ended reads and throws away.
const MOST_FRAMES: usize = 1_000_000;

/// The code of the GOAWAY; none where the connection ended without one, or by the client's own end.
fn ended_by(frames: &[Frame]) -> Option<u32> {
    frames.iter().filter(|frame| frame.kind == GO_AWAY).map(Frame::code).find(|&code| code != 0)
}

#[tokio::test(flavor = "multi_thread")]
async fn rapid_resets_end_the_connection() {
    const PAIRS: u32 = 500;
    const BATCHES: usize = 400;
    let stage = Stage::new(&[]).await;
    let mut most = 0;
    for _ in 0..AT_ONCE {
        let mut client = Client::new(&stage);
        let sent = client.flood(BATCHES, |batch| {
            let first = u32::try_from(batch).unwrap() * PAIRS;
            let pair = |n: u32| {
                let stream = 2 * (first + n) + 1;
                let ask = frame(HEADERS, END_STREAM | END_HEADERS, stream, GET);
                [ask, frame(RESET, 0, stream, &8_u32.to_be_bytes())].concat()
            };
            (0..PAIRS).flat_map(pair).collect()
        });
        most = most.max(sent);
        assert!(sent < BATCHES, "all were taken");
        let frames = client.frames();
        let ended = ended_by(&frames);
        assert!(ended.is_none_or(|code| code == ENHANCE_YOUR_CALM), "{ended:?}");
    }
    let did = format!("{AT_ONCE} connections, each ended after at most {} resets", (most + 1) as u32 * PAIRS);
    stage.end("HTTP/2 rapid reset", &did, 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_without_an_end_and_tables_that_unfold_are_refused() {
    let stage = Stage::new(&[]).await;
    for _ in 0..AT_ONCE {
        // CONTINUATION after CONTINUATION, small or empty or large.
        for size in [0, 16, 16_000] {
            let mut client = Client::new(&stage);
            client.stream.write_all(&frame(HEADERS, END_STREAM, 1, GET)).unwrap();
            // A field that is not indexed, of 16 bytes.
            let fields: Vec<u8> = b"\0\x02xy\x0bzzzzzzzzzzz".iter().copied().cycle().take(size).collect();
            let sent = client.flood(MOST_FRAMES, |_| frame(CONTINUATION, 0, 1, &fields));
            assert!(sent < MOST_FRAMES, "all of {size} bytes were taken");
            client.frames();
        }
        // 4,000 bytes in the table, then 12,000 references to them: 48 MB in one frame.
        let mut client = Client::new(&stage);
        let mut bomb = [GET, b"\x40\x01x\x7f\xa1\x1e"].concat();
        bomb.extend(vec![b'y'; 4_000]);
        bomb.extend(vec![0xbe; 12_000]);
        client.stream.write_all(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &bomb)).unwrap();
        client.stream.write_all(&frame(PING, 0, 0, b"pingping")).unwrap();
        let frames = client.frames();
        let refused = frames.iter().any(|frame| {
            frame.kind == RESET || frame.kind == GO_AWAY && frame.code() != 0
                // 431 isn't in HPACK's table: a literal.
                || frame.kind == HEADERS && frame.payload.windows(3).any(|three| three == b"431")
                || frame.kind == HEADERS && frame.payload.starts_with(b"\x48\x82\x68\x2f")
        });
        assert!(refused, "{:?}", frames.iter().map(|frame| (frame.kind, &frame.payload)).collect::<Vec<_>>());
    }
    stage.end("HTTP/2 endless heads", &format!("{AT_ONCE} times each of 4 kinds"), 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_other_frames_hold_no_memory() {
    let stage = Stage::new(&[]).await;
    let mut taken = 0_u64;
    for flood in [
        frame(SETTINGS, 0, 0, b"\0\x04\0\0\xff\xff"),
        frame(PING, 0, 0, b"pingping"),
        frame(WINDOW, 0, 0, &1_u32.to_be_bytes()),
        frame(2, 0, 1, b"\0\0\0\0\x10"),
        frame(0xbe, 0, 0, b"unknown"),
    ] {
        // Nobody reads the answers to these.
        let mut held = Vec::new();
        let flood = flood.repeat(1_000);
        for _ in 0..AT_ONCE {
            let mut stream = stage.connect();
            stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, b"")].concat()).unwrap();
            stream.set_write_timeout(Some(std::time::Duration::from_millis(300))).unwrap();
            for _ in 0..200 {
                match stream.write(&flood) {
                    Ok(sent) => taken += sent as u64,
                    Err(_) => break,
                }
            }
            held.push(stream);
        }
    }
    // More requests than may be at a time are refused one by one, the connection goes on.
    let mut client = Client::new(&stage);
    let post = b"\x83\x04\x0f/media/v1/links\x86\x41\x01x";
    let opened: Vec<u8> = (0..400).flat_map(|n| frame(HEADERS, END_HEADERS, 2 * n + 1, post)).collect();
    client.stream.write_all(&opened).unwrap();
    client.stream.write_all(&frame(HEADERS, END_STREAM | END_HEADERS, 801, GET)).unwrap();
    let frames = client.frames();
    let refused = frames.iter().filter(|frame| frame.kind == RESET && frame.code() == REFUSED_STREAM).count();
    let calm = ended_by(&frames) == Some(ENHANCE_YOUR_CALM);
    assert!(
        refused > 0 || calm,
        "{:?}",
        frames.iter().map(|frame| (frame.kind, frame.stream)).collect::<Vec<_>>()
    );

    // Frames that can't be.
    for (bytes, codes) in [
        (frame(WINDOW, 0, 0, &0x7fff_ffff_u32.to_be_bytes()), &[FLOW_CONTROL_ERROR][..]),
        (frame(DATA, 0, 0, b"x"), &[PROTOCOL_ERROR]),
        (frame(CONTINUATION, END_HEADERS, 1, GET), &[PROTOCOL_ERROR]),
        (frame(HEADERS, END_HEADERS, 2, GET), &[PROTOCOL_ERROR]),
        (frame(SETTINGS, 0, 0, b"\0\x05\0\0\0\0"), &[PROTOCOL_ERROR]),
    ] {
        let mut client = Client::new(&stage);
        let _ = client.stream.write_all(&bytes);
        let ended = ended_by(&client.frames());
        assert!(ended.is_some_and(|code| codes.contains(&code)), "{ended:?} to {bytes:?}");
    }
    stage.end("HTTP/2 floods", &format!("5 kinds by {AT_ONCE} connections, {} MiB taken", taken >> 20), 96);
}
