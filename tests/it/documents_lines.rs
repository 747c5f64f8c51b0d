//! NDJSON: a document a line, streamed in order, whatever is in between.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::http::{Answer, send};
use crate::support::splices::{changes, unsigned};
use crate::support::{Node, fresh_dev};

const SITE: &str = r#"{"logo": {"key": "a/logo.png", "name": "Logo"}}"#;

async fn lines(node: &Node, query: &str, body: String) -> Answer {
    let headers = [("authorization", node.api_key.as_str()), ("content-type", "application/x-ndjson")];
    let answer = send("POST", &format!("{}/media/v1/documents{query}", node.api), &headers, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/x-ndjson");
    assert!(answer.headers.get("signet-media").is_none());
    assert_eq!(answer.header("cache-control"), "no-store");
    answer
}

fn problem(line: &str, status: u16, slug: &str) -> Value {
    let problem: Value = serde_json::from_str(line).unwrap();
    assert_eq!(
        (&problem["type"], &problem["status"]),
        (&json!(format!("urn:signet:problem:{slug}")), &json!(status))
    );
    problem
}

#[tokio::test(flavor = "multi_thread")]
async fn each_line_is_answered_in_its_place() {
    let (_folder, node) = fresh_dev();
    let deep = "[".repeat(129) + &"]".repeat(129);
    let input = [SITE, "", "{\"a\":}", " \t ", "[1.0, 1e400]\r", &deep, "[1,", SITE, "\"last\""];
    let answer = lines(&node, "", input.join("\n")).await.text();
    let answers: Vec<&str> = answer.split('\n').collect();
    assert_eq!(answers.len(), input.len(), "a line each, and no newline after the last: {answer}");
    for (index, (line, answer)) in input.iter().zip(&answers).enumerate() {
        match index {
            0 | 7 => assert_eq!(changes(line.as_bytes(), answer.as_bytes()).len(), 1),
            2 => {
                let problem = problem(answer, 400, "malformed-json");
                assert_eq!((&problem["line"], &problem["column"]), (&json!(1), &json!(6)));
            }
            5 => drop(problem(answer, 422, "too-deep")),
            6 => drop(problem(answer, 400, "malformed-json")),
            _ => assert_eq!(line, answer),
        }
    }
    let whole = lines(&node, "", format!("{SITE}\n")).await.text();
    assert!(whole.ends_with("}\n") && whole.matches('\n').count() == 1);
    assert_eq!(lines(&node, "", String::new()).await.text(), "");
    assert_eq!(lines(&node, "", "\n\n".into()).await.text(), "\n\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_wraps_each_line_and_strict_refuses_each_for_itself() {
    let (_folder, node) = fresh_dev();
    let foreign = "[\"https://media.vivreal.io/vivreal-other/a.jpg\"]";
    let input = [SITE, "[", foreign, "[]"].join("\n");
    let report = lines(&node, "?report=true", input.clone()).await.text();
    let answers: Vec<&str> = report.split('\n').collect();
    let signed: Value = serde_json::from_str(answers[0]).unwrap();
    let link = signed["media"][0]["link"].as_str().unwrap();
    assert_eq!(signed["document"]["logo"]["currentFile"]["source"], link);
    assert_eq!(unsigned(link), format!("{}/vivreal-demo/a/logo.png", node.edge));
    problem(answers[1], 400, "malformed-json");
    let rows: Value = serde_json::from_str(answers[2]).unwrap();
    assert_eq!(rows["media"][0]["reason"], "foreign");
    assert_eq!(answers[3], "{\"document\":[],\"media\":[]}");

    let strict = lines(&node, "?strict=true", input).await.text();
    let answers: Vec<&str> = strict.split('\n').collect();
    assert_eq!(changes(SITE.as_bytes(), answers[0].as_bytes()).len(), 1);
    assert_eq!(problem(answers[2], 422, "unsigned-media")["unsigned"], rows["media"]);
    assert_eq!(answers[3], "[]");
}

/// A request whose body is sent bit by bit.
struct Stream {
    socket: TcpStream,
    received: Vec<u8>,
}

impl Stream {
    fn open(node: &Node) -> Self {
        let host = node.api.strip_prefix("http://").unwrap();
        let mut socket = TcpStream::connect(host).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        write!(
            socket,
            "POST /media/v1/documents HTTP/1.1\r\nhost: {host}\r\nauthorization: {}\r\nconnection: close\r\n\
             content-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n",
            node.api_key
        )
        .unwrap();
        Self { socket, received: Vec::new() }
    }

    fn chunk(text: &str) -> Vec<u8> {
        format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
    }

    /// Reads until a text has come.
    fn wait_for(&mut self, text: &str) {
        let mut buffer = [0; 65_536];
        while !String::from_utf8_lossy(&self.received).contains(text) {
            let count = self.socket.read(&mut buffer).unwrap();
            assert!(count > 0, "{text} never came: {}", String::from_utf8_lossy(&self.received));
            self.received.extend_from_slice(&buffer[..count]);
        }
    }

    /// Reads to the end, and gives the body out of its chunks.
    fn body(mut self) -> String {
        self.socket.read_to_end(&mut self.received).unwrap();
        let end = self.received.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let (mut rest, mut body) = (&self.received[end + 4..], Vec::new());
        loop {
            let line = rest.windows(2).position(|two| two == b"\r\n").unwrap();
            let length = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
            body.extend_from_slice(&rest[line + 2..line + 2 + length]);
            rest = &rest[line + length + 4..];
            if length == 0 {
                return String::from_utf8(body).unwrap();
            }
        }
    }
}

#[test]
fn five_thousand_lines_are_answered_while_they_are_sent() {
    let (_folder, node) = fresh_dev();
    let mut stream = Stream::open(&node);
    let line = |n: usize| match n % 100 {
        7 => format!("{{\"n\":{n},}}\n"),
        _ => format!("{{\"n\":{n},\"pictures\":[[[{{\"key\":\"a/{}.jpg\",\"name\":\"x\"}}]]]}}\n", n % 50),
    };
    stream.socket.write_all(&Stream::chunk(&line(0))).unwrap();
    stream.wait_for("{\"n\":0,\"pictures\"");
    stream.wait_for("/a/0.jpg?Expires=");
    // The answer to the first line is here; the request goes on for 4,999 more.
    let mut sender = stream.socket.try_clone().unwrap();
    let sending = std::thread::spawn(move || {
        for start in (1..5_000).step_by(97) {
            let text: String = (start..(start + 97).min(5_000)).map(line).collect();
            sender.write_all(&Stream::chunk(&text)).unwrap();
        }
        sender.write_all(b"0\r\n\r\n").unwrap();
    });
    let body = stream.body();
    sending.join().unwrap();
    assert!(body.ends_with('\n'));
    let answers: Vec<&str> = body.lines().collect();
    assert_eq!(answers.len(), 5_000);
    for (n, answer) in answers.into_iter().enumerate() {
        if n % 100 == 7 {
            problem(answer, 400, "malformed-json");
        } else {
            let changes = changes(line(n).trim_end().as_bytes(), answer.as_bytes());
            let expected = format!("{}/vivreal-demo/a/{}.jpg", node.edge, n % 50);
            assert_eq!((changes.len(), unsigned(&changes[0].links()[0])), (1, expected), "{answer}");
        }
    }
}

#[test]
fn who_does_not_read_is_not_read_from() {
    /// More than sockets and Signet hold together by far.
    const MOST: usize = 96 << 20;
    let (_folder, node) = fresh_dev();
    let mut stream = Stream::open(&node);
    stream.socket.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
    let document = format!("[\"{}\"]\n", "x".repeat(1 << 20));
    let chunk = Stream::chunk(&document);
    let (mut sent, mut at) = (0, 0);
    // Nothing is read: at some point the other side takes no more.
    while sent < MOST {
        match stream.socket.write(&chunk[at..]) {
            Ok(count) => (sent, at) = (sent + count, (at + count) % chunk.len()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(sent < MOST, "{sent} bytes were taken though no answer was read");
    // Once it reads, everything goes on, and nothing is lost.
    stream.socket.set_write_timeout(None).unwrap();
    let mut sender = stream.socket.try_clone().unwrap();
    let rest = if at == 0 { Vec::new() } else { chunk[at..].to_vec() };
    let sending = std::thread::spawn(move || {
        sender.write_all(&rest).unwrap();
        sender.write_all(b"0\r\n\r\n").unwrap();
    });
    let body = stream.body();
    sending.join().unwrap();
    assert_eq!(body.len() / document.len(), sent.div_ceil(chunk.len()));
    assert!(body == document.repeat(body.len() / document.len()));
}
