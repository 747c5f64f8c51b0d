//! A stand-in for an issuer's JWKS endpoint, which counts what it is asked.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{Request, Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// How it answers.
#[derive(Debug, Clone)]
pub enum Way {
    /// 200 with this body.
    Keys(String),
    /// Another status.
    Status(u16),
    /// 302 to elsewhere.
    Redirect(String),
    /// A body without end.
    Endless,
    /// A byte now and then.
    Drips,
    /// Not at all.
    Hangs,
}

/// A running endpoint, for as long as the test's runtime lives.
#[derive(Clone)]
pub struct Endpoint {
    pub url: String,
    way: Arc<Mutex<Way>>,
    asked: Arc<AtomicUsize>,
}

impl Endpoint {
    pub async fn start(way: Way) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let endpoint = Self { url, way: Arc::new(Mutex::new(way)), asked: Arc::default() };
        let state = endpoint.clone();
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let state = state.clone();
                let service = service_fn(move |_: Request<Incoming>| {
                    let state = state.clone();
                    async move { state.answer().await }
                });
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(socket), service));
            }
        });
        endpoint
    }

    /// From now on it answers like this.
    pub fn set(&self, way: Way) {
        *self.way.lock().unwrap() = way;
    }

    /// How many requests there were.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn answer(&self) -> Result<Response<Body>, Infallible> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let way = self.way.lock().unwrap().clone();
        let builder = Response::builder();
        let answer = match way {
            Way::Keys(text) => {
                // So long that who comes meanwhile has to wait.
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                builder.body(Body::from(text))
            }
            Way::Status(status) => builder.status(status).body(Body::empty()),
            Way::Redirect(to) => builder.status(302).header("location", to).body(Body::empty()),
            Way::Endless => {
                let spaces = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from(vec![b' '; 4096])));
                builder.body(Body::from_stream(spaces))
            }
            Way::Drips => {
                let drops = stream::repeat(()).then(|()| async {
                    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                    Ok::<_, Infallible>(Bytes::from_static(b" "))
                });
                builder.body(Body::from_stream(drops))
            }
            Way::Hangs => std::future::pending().await,
        };
        Ok(answer.unwrap())
    }
}
