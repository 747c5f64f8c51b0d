//! What hyper itself costs.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::Failure;

/// Serves on a free port, which it prints. `head` is the status, then a header a line.
pub async fn serve(head: &str) -> Result<(), Failure> {
    let mut lines = head.lines();
    let status: StatusCode = lines.next().ok_or("an empty file")?.parse()?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").ok_or("no header")?;
        headers.append(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_str(value)?);
    }
    let headers = Arc::new(headers);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let headers = Arc::clone(&headers);
        tokio::spawn(async move {
            let service = service_fn(|_: Request<Incoming>| {
                let mut answer = Response::new(Empty::<Bytes>::new());
                *answer.status_mut() = status;
                *answer.headers_mut() = HeaderMap::clone(&headers);
                async move { Ok::<_, Infallible>(answer) }
            });
            // A connection that breaks off is its client's affair.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
