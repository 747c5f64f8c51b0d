//! Requests whose end two servers could see in two places: refused, or read in the one way that leaves nothing over,
//! with the connection closed.

use std::io::{Read as _, Write as _};

use super::Stage;

/// What a second server could take for a request of its own.
const HIDDEN: &str = "GET /m/hidden HTTP/1.1\r\nhost: x\r\n\r\n";

/// Sends bytes and reads until the other side closes: the statuses of all answers.
fn statuses(stage: &Stage, bytes: &[u8]) -> Vec<String> {
    let mut stream = stage.connect();
    let _ = stream.write_all(bytes);
    let mut answers = Vec::new();
    let read = stream.read_to_end(&mut answers);
    let answers = String::from_utf8_lossy(&answers).into_owned();
    // A connection may end by a reset, as what came after the refusal wasn't read; but it has to end.
    let timed_out = read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
    assert!(!timed_out, "still open: {:?} {answers}", String::from_utf8_lossy(bytes));
    answers.match_indices("HTTP/1.1 ").map(|(at, _)| answers[at + 9..at + 12].to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_with_two_ends_gets_one_answer_and_the_connection_is_closed() {
    let stage = Stage::new(&[]).await;
    let post = "POST /media/v1/links HTTP/1.1\r\nhost: x\r\n";
    let length = HIDDEN.len();
    let chunks = format!("0\r\n\r\n{HIDDEN}");
    // Both lengths: chunks win, and nothing after them is read.
    for both in [
        format!("{post}content-length: {}\r\ntransfer-encoding: chunked\r\n\r\n{chunks}", chunks.len()),
        format!("{post}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n{chunks}"),
        format!(
            "{post}transfer-encoding: identity\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n{chunks}"
        ),
    ] {
        let answers = statuses(&stage, both.as_bytes());
        assert!(answers == ["401"] || answers == ["400"], "{answers:?} to {both:?}");
    }
    let refused = [
        format!("{post}content-length: 5\r\ncontent-length: {length}\r\n\r\n{HIDDEN}"),
        format!("{post}content-length: 5, {length}\r\n\r\n{HIDDEN}"),
        format!("{post}content-length: +5\r\n\r\n{HIDDEN}"),
        format!("{post}content-length: -1\r\n\r\n{HIDDEN}"),
        format!("{post}content-length: 0x5\r\n\r\n{HIDDEN}"),
        format!("{post}content-length: 5 5\r\n\r\n{HIDDEN}"),
        format!("{post}content-length:\r\n\r\n{HIDDEN}"),
        format!("{post}content-length: 18446744073709551616\r\n\r\n{HIDDEN}"),
        format!("{post}content-length : 5\r\n\r\n{HIDDEN}"),
        format!("{post} content-length: 5\r\n\r\n{HIDDEN}"),
        format!("{post}content-length\r\n : 5\r\n\r\n{HIDDEN}"),
        format!("{post}content\0-length: 5\r\n\r\n{HIDDEN}"),
        format!("{post}transfer-encoding: xchunked\r\n\r\n{chunks}"),
        format!("{post}transfer-encoding: identity\r\n\r\n{chunks}"),
        format!("{post}transfer-encoding: chunked, identity\r\n\r\n{chunks}"),
        format!("{post}transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n{chunks}"),
        format!("{post}transfer-encoding: \"chunked\"\r\n\r\n{chunks}"),
        format!("{post}transfer-encoding: \x0bchunked\r\n\r\n{chunks}"),
        format!("{post}transfer-encoding : chunked\r\n\r\n{chunks}"),
        format!("{post}transfer-encoding:\r\n chunked\r\n\r\n{chunks}"),
        format!("{post}x: y\r\n continued: z\r\n\r\n{HIDDEN}"),
        format!("{post}x: y\rtransfer-encoding: chunked\r\n\r\n{chunks}"),
        format!("{}transfer-encoding: chunked\r\n\r\n{chunks}", post.replace("HTTP/1.1", "HTTP/1.0")),
        format!("GET  /m/x  HTTP/1.1\r\nhost: x\r\n\r\n{HIDDEN}"),
        format!("GET /m/x\tHTTP/1.1\r\nhost: x\r\n\r\n{HIDDEN}"),
        format!("GET /m/x HTTP/1.1 \r\nhost: x\r\n\r\n{HIDDEN}"),
        format!("GET /m/x HTTP/1.2\r\nhost: x\r\n\r\n{HIDDEN}"),
        format!("GET /m/x HTTP/01.1\r\nhost: x\r\n\r\n{HIDDEN}"),
    ];
    for request in &refused {
        assert_eq!(statuses(&stage, request.as_bytes()), ["400"], "{request:?}");
    }
    // Chunks that can't be: the one request is answered, what follows is never read as another.
    let chunked = format!("{post}transfer-encoding: chunked\r\n\r\n");
    for chunks in [
        "5",
        "fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        "10000000000000000\r\nabc\r\n0\r\n\r\n",
        "-1\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        " 3\r\nabc\r\n0\r\n\r\n",
        "3\nabc\r\n0\r\n\r\n",
        "3\rXabc\r\n0\r\n\r\n",
        "3\r\nabcX\r\n0\r\n\r\n",
        "3\r\nabc0\r\n\r\n",
        "3;a=\nb\r\nabc\r\n0\r\n\r\n",
        "g\r\n\r\n0\r\n\r\n",
    ] {
        let request = format!("{chunked}{chunks}{HIDDEN}");
        let answers = statuses(&stage, request.as_bytes());
        assert!(answers.len() <= 1, "{answers:?} to {request:?}");
    }
    let did = format!("{} requests with two ends", refused.len() + 15);
    stage.end("request smuggling", &did, 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_that_proxies_take_are_no_way_around_anything() {
    let stage = Stage::new(&[]).await;
    let close = "host: x\r\nconnection: close\r\n\r\n";
    for (target, expected) in [
        // RFC 9112: a server takes the absolute form too; the host in it chooses nothing here.
        ("GET http://elsewhere.example/m/x", "404"),
        ("GET http://169.254.169.254/latest/meta-data", "404"),
        ("CONNECT 169.254.169.254:80", "4"),
        // What the server as a whole can: whatever pages of other origins may.
        ("OPTIONS *", "200"),
        ("GET *", "4"),
        ("GET m/x", "400"),
        ("GET //m/x", "404"),
        ("GET /m/../metrics", "404"),
        ("GET /m/%2e%2e/%2e%2e/metrics", "404"),
    ] {
        let answers = statuses(&stage, format!("{target} HTTP/1.1\r\n{close}").as_bytes());
        assert!(answers.len() == 1 && answers[0].starts_with(expected), "{answers:?} to {target}");
    }
    // What looks like another protocol.
    for bytes in [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"\0\0\0\0", b"EHLO x\r\n", b"GET / HTTP/1.1\n\r\n\0"]
    {
        let mut stream = stage.connect();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 4"), "{rest:?}");
    }
    stage.end("odd targets", "13 of them", 64);
}
