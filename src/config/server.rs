//! Listeners and logs.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};

/// `[server]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSettings {
    /// Where the API listens. Default `127.0.0.1:8080`.
    pub listen: String,
    /// Where metrics and health are served; never to be reached from outside. Default
    /// `127.0.0.1:9090`.
    pub admin_listen: String,
    /// Origins whose pages may call the API from a browser, such as `https://www.example.com`; `["*"]` for
    /// all. Default none.
    #[serde(deserialize_with = "texts")]
    pub cors_origins: Vec<String>,
    /// Where `/openapi.json` and the page to try the API, `/docs/`, are served. Default `api`.
    pub docs: DocsSetting,
    /// How many proxies of one's own each request comes through, 0 to 8: each appends to `X-Forwarded-For`, and the
    /// client's address is the entry so far from its end. Default 0: clients connect by themselves, and the header
    /// is a stranger's word.
    pub trusted_hops: usize,
    /// Most connections at a time, of each listener. For one more, that which has been idle longest is closed; where
    /// all are at work, it waits. Default 10,000.
    pub max_connections: usize,
    /// Most connections at a time of one address (a /64 of IPv6 is one); 0 for any number. For one more, that of the
    /// address which has been idle longest is closed; where all are at work, the new one. Doesn't apply where
    /// `trusted_hops` is more than 0, as all clients then come by the addresses of proxies. Default 256.
    pub max_connections_per_client: usize,
    /// Requests at the same time on one HTTP/2 connection: 1 to 1,000. Default 128.
    pub max_streams: u32,
    /// How long a client may take over its TLS handshake and the head of its first request, and over the head of
    /// each later one, in seconds: 1 to 60. Default 10.
    pub head_seconds: u64,
    /// How long a connection may be silent, and a client may leave a piece of an answer where it is, in seconds: 10
    /// to 4,000. More than the load balancer's own limit, so that it isn't this side that closes first. Default 75.
    pub idle_seconds: u64,
    /// How long a client may send nothing of a body that it has begun, in seconds: at least 1, and 5 less than
    /// `idle_seconds` at most. Default 30.
    pub body_idle_seconds: u64,
    /// How long a call may take once its body is here, in seconds: at least 1, and 5 less than `idle_seconds` at
    /// most. Default 60.
    pub answer_seconds: u64,
    /// How long connections are still accepted after a signal to end has come and `/readyz` says 503, in seconds, 0 to
    /// 300: as long as a load balancer takes to see it. Default 3; 0 in `signet dev`.
    pub lame_duck_seconds: u64,
    /// How long requests under way may take to end at a shutdown, after `lame_duck_seconds`, in seconds. Default 25.
    pub drain_seconds: u64,
    /// TLS of the API.
    pub tls: TlsSettings,
}

/// Where the description of the API and the page that shows it are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DocsSetting {
    /// Where the API listens, to anybody.
    Api,
    /// On the admin listener alone. The page shows the API there and sends it nothing.
    Admin,
    /// Nowhere. `signet openapi` still prints the description.
    Off,
}

/// `[server.tls]`: HTTP/1.1 and HTTP/2 over TLS 1.2 and 1.3 where the API listens; without it plain HTTP. The
/// admin listener, which is never to be reached from outside, and the edge of `[edge]` stay plain.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSettings {
    /// The PEM file of the certificate, followed by those that lead to its root. Read again when it changes.
    /// Default none: plain HTTP.
    pub certificate_file: Option<PathBuf>,
    /// The PEM file of its private key: PKCS#8, PKCS#1 or SEC1, not encrypted. Read again when it changes.
    /// Needed where there is a certificate.
    pub private_key_file: Option<PathBuf>,
}

impl TlsSettings {
    /// The files of certificate and private key; `None` for plain HTTP.
    ///
    /// # Errors
    /// Where one is set without the other.
    pub fn files(&self) -> Result<Option<(&Path, &Path)>, &'static str> {
        match (&self.certificate_file, &self.private_key_file) {
            (None, None) => Ok(None),
            (Some(certificate), Some(private_key)) => Ok(Some((certificate, private_key))),
            _ => Err("certificate_file and private_key_file need each other"),
        }
    }
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".into(),
            admin_listen: "127.0.0.1:9090".into(),
            cors_origins: Vec::new(),
            docs: DocsSetting::Api,
            trusted_hops: 0,
            max_connections: 10_000,
            max_connections_per_client: 256,
            max_streams: 128,
            head_seconds: 10,
            idle_seconds: 75,
            body_idle_seconds: 30,
            answer_seconds: 60,
            lame_duck_seconds: 3,
            drain_seconds: 25,
            tls: TlsSettings::default(),
        }
    }
}

/// A list of texts; from the environment, one text in which commas part them.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Texts {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Texts::deserialize(deserializer)? {
        Texts::One(text) => {
            text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
        }
        Texts::Many(list) => list,
    })
}

/// `[edge]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EdgeSettings {
    /// Where a listener plays CloudFront in front of the object store. None by default: a real
    /// distribution does it.
    pub listen: Option<String>,
}

/// `[log]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// What is logged: `error`, `warn`, `info`, `debug`, `trace`, or directives such as
    /// `info,signet=debug`. Default `info`.
    pub level: String,
    /// How. Default `json`.
    pub format: LogFormat,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::Json }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A JSON object a line.
    Json,
    /// For people.
    Pretty,
}
