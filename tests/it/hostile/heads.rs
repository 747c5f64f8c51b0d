//! Heads that are too large or too many, and requests that don't wait for answers.

use std::io::{Read as _, Write as _};

use super::Stage;

/// How often each head is sent.
const TIMES: usize = 50;

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_are_too_large_are_refused() {
    let stage = Stage::new(&[]).await;
    let line = format!("x: {}\r\n", "y".repeat(4_000));
    for head in [
        format!("GET /m/x HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(1 << 20)),
        format!("GET /m/x HTTP/1.1\r\nhost: x\r\n{}\r\n", line.repeat(20)),
        format!("GET /m/x HTTP/1.1\r\nhost: x\r\n{}\r\n", "x: y\r\n".repeat(200)),
        format!("GET /m/x HTTP/1.1\r\nhost: x\r\n{}: y\r\n\r\n", "x".repeat(1 << 20)),
        format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "y".repeat(1 << 20)),
    ] {
        for _ in 0..TIMES {
            let mut stream = stage.connect();
            // It may be refused before all of it was sent.
            let _ = stream.write_all(head.as_bytes());
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            let answer = String::from_utf8_lossy(&answer);
            // A reset may overtake the answer where more was sent than is read.
            let refused =
                ["431", "414", "400"].iter().any(|status| answer.starts_with(&format!("HTTP/1.1 {status} ")));
            assert!(refused || answer.is_empty(), "{answer} to {}", &head[..60]);
        }
    }
    stage.end("huge heads", &format!("5 kinds, {TIMES} times each"), 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_requests_are_answered_in_order_and_those_who_never_read_hold_little() {
    let stage = Stage::new(&[]).await;
    let asked: String = (0..1_000).map(|n| format!("GET /m/none-{n} HTTP/1.1\r\nhost: x\r\n\r\n")).collect();
    let mut stream = stage.connect();
    let mut reader = stream.try_clone().unwrap();
    let read = std::thread::spawn(move || {
        let mut answers = String::new();
        reader.read_to_string(&mut answers).unwrap();
        answers
    });
    stream.write_all(asked.as_bytes()).unwrap();
    stream.write_all(b"GET /m/last HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let answers = read.join().unwrap();
    let instances: Vec<&str> =
        answers.split("\"instance\":\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let expected = (0..1_000).map(|n| format!("/m/none-{n}")).chain(["/m/last".to_owned()]);
    assert!(instances.iter().eq(expected.collect::<Vec<_>>().iter()), "{} answers", instances.len());

    // Who sends and sends and never reads is read no further once its answers can't be sent.
    let mut held = Vec::new();
    let mut sent = 0_u64;
    for _ in 0..TIMES {
        let mut stream = stage.connect();
        stream.set_nonblocking(true).unwrap();
        while let Ok(bytes @ 1..) = stream.write(asked.as_bytes()) {
            sent += bytes as u64;
        }
        held.push(stream);
    }
    std::thread::sleep(std::time::Duration::from_millis(500));
    let did = format!("1,000 answered in order; {} MiB of requests by {TIMES} who never read", sent >> 20);
    stage.end("pipelining", &did, 128);
    drop(held);
}
