//! `signet health`, which an image without a shell asks by.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use crate::support::program::signet;
use crate::support::shared_dev;

/// The URL of a server that takes one connection and writes this; where it is nothing, it never answers.
fn server(answer: Option<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/readyz", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 1024];
        let _ = stream.read(&mut head);
        if let Some(answer) = answer {
            let _ = stream.write_all(answer.as_bytes());
        }
        // Until the program ends and closes.
        let _ = stream.read(&mut head);
    });
    url
}

#[test]
fn a_node_that_wants_requests_is_healthy() {
    let shared = shared_dev();
    let admin = shared.1.facts["admin"].as_str().unwrap();
    let address = admin.strip_prefix("http://").unwrap();
    let run = signet(&["health", "--admin-listen", address], b"");
    assert_eq!((run.code, run.answer.as_str(), run.diagnostics.as_str()), (0, "ready\n", ""));
    let run = signet(&["health", "--url", &format!("{admin}/healthz")], b"");
    assert_eq!((run.code, run.answer.as_str()), (0, "ok\n"));
    let run = signet(&["health", "--url", &format!("{admin}/elsewhere")], b"");
    assert_eq!((run.code, run.answer.as_str()), (1, ""));
    assert!(run.diagnostics.contains("404"), "{}", run.diagnostics);
}

#[test]
fn anything_else_is_not_and_the_reason_is_one_line() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let draining = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 10\r\n\r\nnot ready\n".to_owned();
    let endless = format!("HTTP/1.1 200 OK\r\ncontent-length: 9000000\r\n\r\n{}", "x".repeat(5_000));
    for (url, reason) in [
        (format!("http://{nobody}/readyz"), "refused"),
        (server(Some(draining)), "503 Service Unavailable: not ready"),
        (server(Some(endless)), "length limit"),
        (server(Some("no HTTP at all\r\n\r\n".to_owned())), "invalid HTTP"),
        (server(None), "no answer within 1 s"),
    ] {
        let run = signet(&["health", "--timeout", "1", "--url", &url], b"");
        assert_eq!((run.code, run.answer.as_str()), (1, ""), "{reason}: {}", run.diagnostics);
        assert_eq!(run.diagnostics.lines().count(), 1, "{}", run.diagnostics);
        assert!(run.diagnostics.contains(reason), "{reason}: {}", run.diagnostics);
        assert!(run.diagnostics.contains(&url), "{}", run.diagnostics);
    }
    for url in ["https://127.0.0.1/readyz", "/readyz", "not a url"] {
        assert_eq!(signet(&["health", "--url", url], b"").code, 2, "{url}");
    }
}
