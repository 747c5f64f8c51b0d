//! Requests over real sockets.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, Method, Request};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value; empty where it isn't there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// That it is a problem of a kind, by the end of its type.
    pub fn assert_problem(&self, status: u16, slug: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert!(problem["type"].as_str().unwrap().ends_with(&format!(":{slug}")), "{problem}");
        assert_eq!(problem["status"], status);
        for member in ["title", "detail", "instance", "requestId"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {problem}");
        }
        problem
    }
}

/// Sends a request, and reads the whole answer. No redirect is followed. Panics after a minute.
pub async fn send(method: &str, url: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
    let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body.into())).unwrap();
    // A client of its own each time: test functions have runtimes of their own.
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let answer = async {
        let (parts, body) = client.request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    };
    tokio::time::timeout(Duration::from_secs(60), answer).await.expect("an answer within a minute")
}

/// GET.
pub async fn get(url: &str, headers: &[(&str, &str)]) -> Answer {
    send("GET", url, headers, Bytes::new()).await
}

/// POST of JSON with credentials.
pub async fn post(url: &str, credentials: &str, body: impl ToString) -> Answer {
    let headers = [("authorization", credentials), ("content-type", "application/json")];
    send("POST", url, &headers, body.to_string()).await
}

/// The limit that `Cache-Control: private, max-age=…` sets; `None` where it is `no-store`.
pub fn max_age(answer: &Answer) -> Option<u64> {
    let value = answer.header("cache-control");
    if value == "no-store" {
        return None;
    }
    let seconds = value.strip_prefix("private, max-age=").unwrap_or_else(|| panic!("{value}"));
    Some(seconds.parse().unwrap())
}

/// PATCH of JSON with credentials.
pub async fn patch(url: &str, credentials: &str, body: impl ToString) -> Answer {
    let headers = [("authorization", credentials), ("content-type", "application/json")];
    send("PATCH", url, &headers, body.to_string()).await
}

/// GET with credentials.
pub async fn get_as(url: &str, credentials: &str) -> Answer {
    get(url, &[("authorization", credentials)]).await
}

/// The status of a GET, without a runtime; `None` where nobody listens.
pub fn status_blocking(url: &str) -> Option<u16> {
    let (host, path) = url.strip_prefix("http://")?.split_once('/')?;
    let mut socket = TcpStream::connect(host).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(socket, "GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}

/// Sends bytes as they are and reads until the other side closes, or for as long as `patience`.
pub fn raw(base: &str, bytes: &[u8], patience: Duration) -> Vec<u8> {
    let mut socket = TcpStream::connect(base.strip_prefix("http://").unwrap()).unwrap();
    socket.set_read_timeout(Some(patience)).unwrap();
    // The other side may have answered and closed before everything was sent.
    let _ = socket.write_all(bytes);
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    answer
}

/// Sends a request without a body whose target no client has touched.
pub fn raw_request(base: &str, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
    let host = base.strip_prefix("http://").unwrap();
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let request = format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{headers}\r\n");
    parse(&raw(base, request.as_bytes(), Duration::from_secs(60)))
}

/// An answer without chunks.
pub fn parse(bytes: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(bytes);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or_else(|| panic!("{text}"));
    let mut head = std::str::from_utf8(&bytes[..end]).unwrap().split("\r\n");
    let status = head.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let mut headers = HeaderMap::new();
    for line in head {
        let (name, value) = line.split_once(':').unwrap();
        headers.append(name.parse::<HeaderName>().unwrap(), value.trim().parse().unwrap());
    }
    Answer { status, headers, body: Bytes::copy_from_slice(&bytes[end + 4..]) }
}

/// A time of an answer.
pub fn moment(text: &Value) -> time::OffsetDateTime {
    let text = text.as_str().unwrap();
    time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).unwrap()
}
