//! Heads and bodies that come a byte at a time, and answers that nobody takes.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::Stage;

/// Short limits, so that a test needn't wait.
const LIMITS: [(&str, &str); 5] = [
    // All clients of these tests have one address.
    ("SIGNET__SERVER__MAX_CONNECTIONS_PER_CLIENT", "0"),
    ("SIGNET__SERVER__HEAD_SECONDS", "2"),
    ("SIGNET__SERVER__BODY_IDLE_SECONDS", "1"),
    ("SIGNET__SERVER__ANSWER_SECONDS", "5"),
    ("SIGNET__SERVER__IDLE_SECONDS", "10"),
];
/// What a closing may come late on a machine under load.
const LATE: Duration = Duration::from_secs(6);

/// Sends a byte at a time until the other side has closed; gives what it said, and after what time.
async fn drip(address: String, begin: String, drop: &'static [u8], pause: Duration) -> (String, Duration) {
    let stream = TcpStream::connect(&address).await.unwrap();
    let began = Instant::now();
    let (mut reader, mut writer) = stream.into_split();
    let dripping = async {
        let mut open = writer.write_all(begin.as_bytes()).await.is_ok();
        while open {
            tokio::time::sleep(pause).await;
            open = writer.write_all(drop).await.is_ok();
        }
    };
    let mut said = Vec::new();
    let reading = async {
        let _ = reader.read_to_end(&mut said).await;
    };
    tokio::select! {
        () = reading => {}
        () = dripping => {}
    }
    (String::from_utf8_lossy(&said).into_owned(), began.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_heads_and_slow_bodies_are_given_up_in_time() {
    let stage = Stage::new(&LIMITS).await;
    let mut heads = JoinSet::new();
    for n in 0..300 {
        let begin = ["", "GET /m/x HTTP/1.1\r\nhost: x\r\nx: ", "PRI * HTTP/2.0\r\n\r\nSM"][n % 3].to_owned();
        // Not the rest of an HTTP/2 preface, but bytes.
        let drop = if n % 3 == 0 { &b"\r\n"[..] } else { b"y" };
        heads.spawn(drip(stage.address().to_owned(), begin, drop, Duration::from_millis(100)));
    }
    let mut bodies = JoinSet::new();
    let key = &stage.node.api_key;
    for n in 0..100 {
        let path = ["/media/v1/links", "/media/v1/documents"][n % 2];
        let begin = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: {key}\r\ncontent-type: application/json\r\n\
             content-length: 60000\r\n\r\n"
        );
        bodies.spawn(drip(stage.address().to_owned(), begin, b" ", Duration::from_millis(100)));
    }
    while let Some(head) = heads.join_next().await {
        let (said, took) = head.unwrap();
        assert!(took < Duration::from_secs(2) + LATE, "{took:?} {said}");
        assert!(!said.contains("HTTP/1.1 2"), "{said}");
    }
    while let Some(body) = bodies.join_next().await {
        let (said, took) = body.unwrap();
        // The answer, then up to 5 s in which what still comes is thrown away.
        assert!(took < Duration::from_secs(1 + 5 + 10) + LATE, "{took:?} {said}");
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 408 "), "{said}");
    }
    stage.end("slow heads, slow bodies", "300 heads, 100 bodies, a byte each 100 ms", 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_never_read_their_answer_are_let_go() {
    const MIB: usize = 1024 * 1024;
    const CLIENTS: usize = 12;
    let stage = Stage::new(&LIMITS).await;
    let body = format!("[\"{}\"]", "x".repeat(8 * MIB));
    let head = format!(
        "POST /media/v1/documents HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        stage.node.api_key,
        body.len()
    );
    let files = stage.files();
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        let mut stream = socket.connect(stage.address().parse().unwrap()).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        clients.push(stream);
    }
    let began = Instant::now();
    // The good client has one open at times.
    while stage.files() > files + 2 {
        assert!(began.elapsed() < Duration::from_secs(10) + LATE * 2, "{} are open", stage.files());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut most = 0;
    for mut stream in clients {
        let mut answer = Vec::new();
        // Ended by a reset, or cleanly after what the kernel had taken.
        let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", answer.len());
        most = most.max(answer.len());
    }
    assert!(most < body.len(), "somebody got {most} bytes, all of it");
    let did = format!("{CLIENTS} asked for 8 MiB each; cut off after at most {} KiB", most / 1024);
    stage.end("never reads", &did, 2 * (CLIENTS * 8 * 3) as u64);
}
