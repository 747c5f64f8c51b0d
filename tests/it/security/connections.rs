//! Connections: how many one address may have, what gives way where there are too many, and what HTTP/2 may send for
//! nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tokio::net::TcpSocket;

use crate::fairness::House;
use crate::support::http::parse;
use crate::support::http2::{
    DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, Frame, GET, GO_AWAY, HEADERS, PING, PREFACE, PRIORITY,
    RESET, SETTINGS, WINDOW, frame, read_frame,
};
use crate::support::settings::ANNA;

const PATIENCE: Duration = Duration::from_secs(60);
const ASK: &[u8] = b"GET /m/x HTTP/1.1\r\nhost: x\r\n\r\n";
const PER_CLIENT: &str = "SIGNET__SERVER__MAX_CONNECTIONS_PER_CLIENT";
const CONNECTIONS: &str = "SIGNET__SERVER__MAX_CONNECTIONS";

fn connect(house: &House) -> TcpStream {
    let stream = TcpStream::connect(house.node.api.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A connection from another address of the loopback.
async fn connect_from(house: &House, from: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(from.parse().unwrap()).unwrap();
    let stream = socket.connect(house.node.api.strip_prefix("http://").unwrap().parse().unwrap()).await;
    let stream = stream.unwrap().into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The status of an answer whose body is a JSON object; `None` where the connection ends instead.
fn ask(stream: &mut TcpStream) -> Option<u16> {
    stream.write_all(ASK).ok()?;
    read_answer(stream).map(|answer| answer.status)
}

fn read_answer(stream: &mut TcpStream) -> Option<crate::support::http::Answer> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"}") {
        let mut piece = [0; 4096];
        match stream.read(&mut piece) {
            Ok(read @ 1..) => bytes.extend(&piece[..read]),
            Ok(_) => return None,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("no answer comes"),
            Err(_) => return None,
        }
    }
    Some(parse(&bytes))
}

/// Whether the other side has ended a connection, within a time.
fn is_ended(stream: &mut TcpStream, within: Duration) -> bool {
    stream.set_read_timeout(Some(within)).unwrap();
    let read = stream.read(&mut [0; 4096]);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    match read {
        Ok(read) => read == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_has_so_many_connections() {
    let house = House::with(&[], &[(PER_CLIENT, "20")]);
    // Each new one is served, in the place of the one that has rested longest.
    let mut resting: Vec<TcpStream> = (0..60)
        .map(|_| {
            let mut stream = connect(&house);
            assert_eq!(ask(&mut stream), Some(404));
            stream
        })
        .collect();
    assert!(house.met("client_connections").await >= 40);
    let (old, new) = resting.split_at_mut(40);
    assert!(old.iter_mut().all(|stream| is_ended(stream, PATIENCE)));
    assert!(new.iter_mut().all(|stream| ask(stream) == Some(404)), "those that are left go on");
    // Where all are at work, the new one is closed; those at work aren't.
    let at_work: Vec<TcpStream> = (0..20).map(|_| house.unfinished(ANNA.2)).collect();
    for _ in 0..10 {
        assert!(is_ended(&mut connect(&house), PATIENCE));
    }
    let mut elsewhere = connect_from(&house, "127.0.0.77:0").await;
    assert_eq!(ask(&mut elsewhere), Some(404), "another address has its own");
    for mut stream in at_work {
        stream.write_all(b"{\"a\": [ 1]").unwrap();
        assert!(read_answer(&mut stream).is_some(), "it is answered");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_say_nothing_count_for_their_address() {
    let house = House::with(&[], &[(PER_CLIENT, "20"), ("SIGNET__SERVER__HEAD_SECONDS", "60")]);
    let silent: Vec<TcpStream> = (0..20).map(|_| connect(&house)).collect();
    // They have only begun: for a second none of them gives way. Then those that are late may be served.
    let mut late: Vec<TcpStream> = (0..40).map(|_| connect(&house)).collect();
    let open = late
        .iter_mut()
        .map(|stream| !is_ended(stream, Duration::from_millis(20)))
        .filter(|open| *open)
        .count();
    assert!(open <= 20, "{open} more than 20");
    let began = Instant::now();
    while ask(&mut connect(&house)) != Some(404) {
        assert!(began.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(silent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_proxies_all_clients_have_their_addresses() {
    let house = House::with(&[], &[(PER_CLIENT, "5"), ("SIGNET__SERVER__TRUSTED_HOPS", "1")]);
    let mut resting: Vec<TcpStream> = (0..30).map(|_| connect(&house)).collect();
    for _ in 0..2 {
        assert!(resting.iter_mut().all(|stream| ask(stream) == Some(404)));
    }
    assert_eq!(house.met("client_connections").await, 0);
}

/// The audit's: 200 connections of one address that rest after an answer or a refusal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_listener_ends_what_has_been_idle_longest() {
    const MOST: usize = 200;
    let house = House::with(&[], &[(PER_CLIENT, "0"), (CONNECTIONS, "200")]);
    let at_work: Vec<TcpStream> = (0..3).map(|_| house.unfinished(ANNA.2)).collect();
    let mut resting: Vec<TcpStream> = (0..MOST - at_work.len())
        .map(|_| {
            let mut stream = connect(&house);
            assert_eq!(ask(&mut stream), Some(404));
            stream
        })
        .collect();
    // HTTP/2 rests as well, and some have said nothing.
    let newcomers: Vec<TcpStream> = (0..50)
        .map(|_| {
            let mut stream = connect(&house);
            assert_eq!(ask(&mut stream), Some(404));
            stream
        })
        .collect();
    assert!(house.met("connections").await >= 50);
    let ended =
        resting.iter_mut().take(45).map(|stream| is_ended(stream, PATIENCE)).filter(|ended| *ended).count();
    assert_eq!(ended, 45, "the longest first");
    for mut stream in at_work {
        stream.write_all(b"{\"a\": [ 1]").unwrap();
        assert!(read_answer(&mut stream).is_some(), "what is under way goes on");
    }
    drop(newcomers);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_silence_has_filled_serves_newcomers() {
    let long = ("SIGNET__SERVER__HEAD_SECONDS", "60");
    let house = House::with(&[], &[(PER_CLIENT, "0"), (CONNECTIONS, "60"), long]);
    let mut held = Vec::new();
    for n in 0..60 {
        let mut stream = connect(&house);
        // Nothing, a part of a head, HTTP/2 without a request.
        match n % 3 {
            0 => {}
            1 => stream.write_all(b"GET / HT").unwrap(),
            _ => stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, b"")].concat()).unwrap(),
        }
        held.push(stream);
    }
    let began = Instant::now();
    for _ in 0..20 {
        assert_eq!(ask(&mut connect(&house)), Some(404));
    }
    assert!(began.elapsed() < Duration::from_secs(40), "it waits for the time of heads");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_address_loses_its_connection_and_a_refused_tenant_keeps_it() {
    let limits =
        [("client_per_second", 1), ("client_burst", 3), ("tenant_per_second", 1), ("tenant_burst", 3)];
    let house = House::new(&limits);
    let mut stream = connect(&house);
    let (mut answers, mut refused) = (0, None);
    while refused.is_none() {
        stream.write_all(ASK).unwrap();
        let answer = read_answer(&mut stream).unwrap();
        refused = (answer.status == 429).then_some(answer);
        answers += 1;
        assert!(answers < 100);
    }
    assert_eq!(refused.unwrap().header("connection"), "close");
    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "it is closed");

    // HTTP/2: each of these is answered, then the connection ends by GOAWAY without an error.
    let mut two = connect(&house);
    let asked: Vec<u8> =
        (0..10_u32).flat_map(|n| frame(HEADERS, END_STREAM | END_HEADERS, 2 * n + 1, GET)).collect();
    two.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, b""), &asked].concat()).unwrap();
    let mut answered = std::collections::BTreeSet::new();
    let (mut reader, mut last) = (two.try_clone().unwrap(), None);
    while let Some(Frame { kind, flags, stream, payload }) = read_frame(&mut reader) {
        match kind {
            HEADERS => drop(answered.insert(stream)),
            PING if flags == 0 => two.write_all(&frame(PING, 1, 0, &payload)).unwrap(),
            GO_AWAY => last = Some((payload[..4].to_vec(), payload[4..8].to_vec())),
            _ => {}
        }
    }
    assert_eq!(answered.len(), 10, "streams under way are answered");
    assert_eq!(last, Some((19_u32.to_be_bytes().to_vec(), vec![0; 4])));

    let mut tenants = connect(&house);
    let request = format!("GET /media/v1/usage HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\n\r\n", ANNA.2);
    let mut seen = Vec::new();
    for _ in 0..8 {
        tenants.write_all(request.as_bytes()).unwrap();
        seen.push(read_answer(&mut tenants).unwrap().status);
    }
    assert!(seen.contains(&429) && seen.contains(&200), "{seen:?}");
}

/// Sends a frame so often, or until the connection ends; gives how many went out, and the code of the GOAWAY.
fn flood(house: &House, begin: &[u8], flood: &[u8], times: usize) -> (usize, Option<u32>) {
    let mut stream = connect(house);
    let mut reader = stream.try_clone().unwrap();
    let reader = std::thread::spawn(move || {
        let mut code = None;
        while let Some(frame) = read_frame(&mut reader) {
            if frame.kind == GO_AWAY {
                code = Some(frame.code());
            }
        }
        code
    });
    stream.write_all(begin).unwrap();
    let sent = (0..times).find(|_| stream.write_all(flood).is_err()).unwrap_or(times);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    (sent, reader.join().unwrap())
}

/// Waits until a limit was met so often: it is counted when the connection has ended.
async fn until_met(house: &House, limit: &str, least: u64, after: &str) {
    let began = Instant::now();
    while house.met(limit).await < least {
        assert!(began.elapsed() < PATIENCE, "not met {least} times after {after}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_control_frames_end_their_connection() {
    let house = House::new(&[]);
    let begin = [PREFACE, &frame(SETTINGS, 0, 0, b"")].concat();
    let post = b"\x83\x04\x0f/media/v1/links\x86\x41\x01x";
    let posting = [&begin[..], &frame(HEADERS, END_HEADERS, 1, post)].concat();
    let floods = [
        (&begin, frame(SETTINGS, 0, 0, b"\0\x04\0\0\xff\xff")),
        (&begin, frame(PING, 0, 0, b"pingping")),
        (&begin, frame(PING, 1, 0, b"pingping")),
        (&begin, frame(PRIORITY, 0, 1, b"\0\0\0\0\x10")),
        (&begin, frame(WINDOW, 0, 0, &1_u32.to_be_bytes())),
        (&begin, frame(0xbe, 0, 0, b"unknown")),
        (&begin, frame(0x10, 0, 0, b"\0\0\0\x01u=1")),
        (&posting, frame(DATA, 0, 1, b"")),
        (&posting, frame(WINDOW, 0, 1, &1_u32.to_be_bytes())),
        (&posting, frame(RESET, 0, 1, &8_u32.to_be_bytes())),
    ];
    for (met, (begin, bytes)) in (1..).zip(&floods) {
        // The audit sent so many, and was taken for a client.
        let (sent, code) = flood(&house, begin, bytes, 40_200);
        until_met(&house, "http2_flood", met, &format!("{sent} of {bytes:?}")).await;
        assert!(code.is_none_or(|code| code == ENHANCE_YOUR_CALM), "{code:?} after {bytes:?}");
    }
    // Those whose client reads are told why; pieces make no difference.
    let mut pieces = connect(&house);
    pieces.set_nodelay(true).unwrap();
    for byte in begin {
        pieces.write_all(&[byte]).unwrap();
    }
    pieces.write_all(&frame(PING, 0, 0, b"pingping").repeat(1_200)).unwrap();
    let mut code = None;
    while let Some(frame) = read_frame(&mut pieces) {
        if frame.kind == GO_AWAY {
            code = Some(frame.code());
        }
    }
    assert_eq!(code, Some(ENHANCE_YOUR_CALM));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_honest_client_may_ping_and_open_windows_for_as_long_as_it_asks() {
    let house = House::new(&[]);
    let mut stream = connect(&house);
    stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, b"")].concat()).unwrap();
    for n in 0..1_500_u32 {
        let id = 2 * n + 1;
        let more = [
            frame(HEADERS, END_STREAM | END_HEADERS, id, GET),
            frame(PRIORITY, 0, id, b"\0\0\0\0\x10"),
            frame(WINDOW, 0, 0, &1_000_u32.to_be_bytes()),
            frame(PING, 0, 0, b"pingping"),
        ];
        stream.write_all(&more.concat()).unwrap();
        // Until its answer has come whole.
        loop {
            let Frame { kind, flags, stream, payload } = read_frame(&mut stream).expect("it goes on");
            assert!(kind != GO_AWAY, "{payload:?}");
            if kind == DATA && stream == id && flags & END_STREAM != 0 {
                break;
            }
        }
    }
    assert_eq!(house.met("http2_flood").await, 0);
}
