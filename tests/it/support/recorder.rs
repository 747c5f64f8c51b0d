//! A stand-in for anything that speaks HTTP: it answers alike, whatever it is asked, and remembers what that was.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::http::request::Parts;
use axum::http::{Request, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// A running one, for as long as the test's runtime lives.
#[derive(Clone)]
pub struct Recorder {
    pub url: String,
    status: Arc<Mutex<Option<u16>>>,
    body: Bytes,
    heard: Arc<Mutex<Vec<(Parts, Bytes)>>>,
}

impl Recorder {
    /// Answers with a status, or not at all.
    pub async fn start(status: Option<u16>, body: impl Into<Bytes>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let recorder =
            Self { url, status: Arc::new(Mutex::new(status)), body: body.into(), heard: Arc::default() };
        let state = recorder.clone();
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let state = state.clone();
                let service = service_fn(move |request| {
                    let state = state.clone();
                    async move { state.answer(request).await }
                });
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(socket), service));
            }
        });
        recorder
    }

    /// From now on it answers with this status.
    pub fn set(&self, status: u16) {
        *self.status.lock().unwrap() = Some(status);
    }

    /// What it was asked so far.
    pub fn heard(&self) -> Vec<(Parts, Bytes)> {
        self.heard.lock().unwrap().clone()
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        self.heard.lock().unwrap().push((head, body));
        let status = *self.status.lock().unwrap();
        let Some(status) = status else { return std::future::pending().await };
        Ok(Response::builder().status(status).body(Full::new(self.body.clone())).unwrap())
    }
}
