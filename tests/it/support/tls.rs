//! Certificates, and clients that speak TLS.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Node;
use super::http::Answer;
use super::settings::two_tenants;

/// What certificates are for.
pub const HOST: &str = "signet.example";

/// A certificate and its private key, as PEM.
pub struct Pair {
    pub certificate: String,
    pub private_key: String,
}

impl Pair {
    /// Good from 2026 until a year.
    pub fn until(year: i32) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([HOST.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        let certificate = params.self_signed(&key).unwrap().pem();
        Self { certificate, private_key: key.serialize_pem() }
    }

    /// Writes `tls.crt` and `tls.key`.
    pub fn write(&self, folder: &Path) {
        fs::write(folder.join("tls.crt"), &self.certificate).unwrap();
        fs::write(folder.join("tls.key"), &self.private_key).unwrap();
    }

    /// What it looks like on the wire.
    pub fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()
    }
}

/// `signet serve` with two tenants, which shows a certificate; with more in its environment.
pub fn serve(folder: &Path, shown: &Pair, environment: &[(&str, &str)]) -> Node {
    shown.write(folder);
    let settings = two_tenants(folder, "path = \"{tenant}\"\nbucket = \"media\"", "vectors/rsa", false);
    let settings = settings.replacen("[store]\n", "[store]\nupload_url = \"https://signet.example\"\n", 1);
    let at = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (certificate, private_key) = (at("tls.crt"), at("tls.key"));
    let tls = [
        ("SIGNET__SERVER__TLS__CERTIFICATE_FILE", certificate.as_str()),
        ("SIGNET__SERVER__TLS__PRIVATE_KEY_FILE", private_key.as_str()),
    ];
    let environment = [&tls, environment].concat();
    tokio::task::block_in_place(|| Node::serve(folder, &settings, &environment))
}

/// Connects, and trusts these alone; the error where the server shows another.
pub async fn connect(
    api: &str,
    trusted: &[&Pair],
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for pair in trusted {
        roots.add(pair.der()).unwrap();
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let address = api.strip_prefix("http://").unwrap();
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(HOST).unwrap(), stream).await
}

/// The version, and what ALPN has chosen.
pub fn agreed(connection: &ClientConnection) -> (ProtocolVersion, String) {
    let protocol = String::from_utf8(connection.alpn_protocol().unwrap_or_default().to_vec()).unwrap();
    (connection.protocol_version().unwrap(), protocol)
}

type Body = BoxBody<Bytes, std::convert::Infallible>;

/// A connection for requests.
pub struct Client {
    sender: Sender,
    /// Ends with the connection.
    pub connection: JoinHandle<hyper::Result<()>>,
}

enum Sender {
    One(http1::SendRequest<Body>),
    Two(http2::SendRequest<Body>),
}

impl Client {
    /// Speaks what was agreed.
    pub async fn new(stream: TlsStream<TcpStream>) -> Self {
        let two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let io = TokioIo::new(stream);
        if two {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
            return Self { sender: Sender::Two(sender), connection: tokio::spawn(connection) };
        }
        let (sender, connection) = http1::handshake(io).await.unwrap();
        Self { sender: Sender::One(sender), connection: tokio::spawn(connection) }
    }

    /// Sends a request; the answer is still to be read.
    pub fn send(
        &mut self,
        request: Request<Body>,
    ) -> impl Future<Output = hyper::Result<Response<hyper::body::Incoming>>> + use<> {
        let answer: std::pin::Pin<Box<dyn Future<Output = _> + Send>> = match &mut self.sender {
            Sender::One(sender) => Box::pin(sender.send_request(request)),
            Sender::Two(sender) => Box::pin(sender.send_request(request)),
        };
        answer
    }

    /// GET of a path.
    pub async fn get(&mut self, path: &str) -> hyper::Result<Answer> {
        self.ask("GET", path, &[], String::new()).await
    }

    /// Sends a request, and reads the answer.
    pub async fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> hyper::Result<Answer> {
        let target = match self.sender {
            Sender::One(_) => path.to_owned(),
            Sender::Two(_) => format!("https://{HOST}{path}"),
        };
        match &mut self.sender {
            Sender::One(sender) => sender.ready().await?,
            Sender::Two(sender) => sender.ready().await?,
        }
        let mut request = Request::builder().method(method).uri(target).header("host", HOST);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::from(body).boxed()).unwrap();
        read(self.send(request).await?).await
    }
}

/// Reads an answer to its end.
pub async fn read(answer: Response<hyper::body::Incoming>) -> hyper::Result<Answer> {
    let (parts, body) = answer.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
}
