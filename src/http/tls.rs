//! TLS of a listener.
//!
//! 1. [`Certificate`]: PEM → a chain and the private key that matches it, and what it says of itself.
//! 2. [`Tls`]: what new connections are shown; can be replaced while connections go on.

use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use x509_cert::Certificate as X509;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// A certificate with its chain and its private key.
#[derive(Debug)]
pub struct Certificate {
    config: Arc<ServerConfig>,
    chain: Vec<CertificateDer<'static>>,
    names: Vec<String>,
    not_before: u64,
    not_after: u64,
}

impl Certificate {
    /// Reads PEM: the certificate, then those that lead to its root; and its private key, in PKCS#8, PKCS#1 or
    /// SEC1.
    ///
    /// # Errors
    /// Where either can't be read, or they don't belong together.
    pub fn from_pem(chain: &[u8], private_key: &[u8]) -> Result<Self, TlsError> {
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(chain).collect::<Result<_, _>>().map_err(TlsError::Chain)?;
        let read: Vec<X509> = chain
            .iter()
            .map(|der| X509::from_der(der))
            .collect::<Result<_, _>>()
            .map_err(TlsError::Certificate)?;
        let leaf = read.first().ok_or(TlsError::NoCertificate)?;
        let key = PrivateKeyDer::from_pem_slice(private_key).map_err(|error| match error {
            pem::Error::NoItemsFound => TlsError::NoPrivateKey,
            other => TlsError::PrivateKey(other),
        })?;
        let spans = || read.iter().map(|certificate| certificate.tbs_certificate().validity());
        Ok(Self {
            names: names(leaf),
            not_before: spans().map(|span| span.not_before.to_unix_duration().as_secs()).max().unwrap_or(0),
            not_after: spans().map(|span| span.not_after.to_unix_duration().as_secs()).min().unwrap_or(0),
            config: Arc::new(config(chain.clone(), key)?),
            chain,
        })
    }

    /// The DNS names that it is for.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// From when it and its chain are good, in seconds since the Unix epoch.
    #[must_use]
    pub fn not_before(&self) -> u64 {
        self.not_before
    }

    /// Until when it and its chain are good, in seconds since the Unix epoch.
    #[must_use]
    pub fn not_after(&self) -> u64 {
        self.not_after
    }

    /// Whether clients would be shown the same.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.chain == other.chain
    }
}

/// What new connections of a listener are shown.
#[derive(Debug, Clone)]
pub struct Tls(Arc<ArcSwap<ServerConfig>>);

impl Tls {
    /// Shows a certificate.
    #[must_use]
    pub fn new(certificate: &Certificate) -> Self {
        Self(Arc::new(ArcSwap::new(Arc::clone(&certificate.config))))
    }

    /// Shows another one to connections that begin after this. The others go on.
    pub fn replace(&self, certificate: &Certificate) {
        self.0.store(Arc::clone(&certificate.config));
    }

    /// The handshake with a client.
    pub(super) async fn accept<I: AsyncRead + AsyncWrite + Unpin>(&self, io: I) -> io::Result<TlsStream<I>> {
        TlsAcceptor::from(self.0.load_full()).accept(io).await
    }
}

/// Why a certificate can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The chain's file isn't PEM.
    #[error("the certificate chain isn't PEM: {0}")]
    Chain(#[source] pem::Error),
    /// There is none in it.
    #[error("there is no certificate in the chain: it begins with -----BEGIN CERTIFICATE-----")]
    NoCertificate,
    /// What the chain holds isn't an X.509 certificate.
    #[error("a certificate of the chain can't be read: {0}")]
    Certificate(#[source] x509_cert::der::Error),
    /// There is no private key.
    #[error(
        "there is no private key that can be read: it is PEM, in PKCS#8, PKCS#1 or SEC1, and not encrypted"
    )]
    NoPrivateKey,
    /// The private key isn't PEM.
    #[error("the private key isn't PEM: {0}")]
    PrivateKey(#[source] pem::Error),
    /// The two don't belong together, or are of a kind that isn't known.
    #[error("the certificate and the private key can't be used together: {0}")]
    Pair(#[source] rustls::Error),
    /// TLS can't be set up.
    #[error("TLS can't be set up: {0}")]
    Setup(#[source] rustls::Error),
}

fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, TlsError> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setup)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(TlsError::Pair)?;
    config.alpn_protocols = PROTOCOLS.iter().map(|name| name.to_vec()).collect();
    // Sessions are kept by clients, under a key that ends with the certificate: nothing to hold here.
    config.ticketer = Ticketer::new().map_err(TlsError::Setup)?;
    Ok(config)
}

fn names(certificate: &X509) -> Vec<String> {
    let Ok(Some((_, names))) = certificate.tbs_certificate().get_extension::<SubjectAltName>() else {
        return Vec::new();
    };
    let dns = |name: &GeneralName| match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        _ => None,
    };
    names.0.iter().filter_map(dns).collect()
}

/// What is spoken over TLS, the best first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn pair() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["signet.example".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2055, 1, 1);
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    fn refused(chain: &str, key: &str) -> String {
        Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_certificate_says_whose_it_is_and_how_long() {
        let (chain, key) = pair();
        let certificate = Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
        assert_eq!(certificate.names(), ["signet.example"]);
        assert_eq!((certificate.not_before(), certificate.not_after()), (1_767_225_600, 2_682_374_400));
        let again = Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
        let (chain, key) = pair();
        let other = Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
        assert!(certificate.is_same(&again) && !certificate.is_same(&other));
    }

    #[test]
    fn what_can_not_be_used_is_refused_with_the_reason() {
        let ((chain, key), (_, other)) = (pair(), pair());
        assert!(refused(&chain, &other).contains("can't be used together"));
        assert!(refused("", &key).contains("no certificate in the chain"));
        assert!(refused(&key, &key).contains("no certificate in the chain"));
        assert!(refused(&chain, &chain).contains("no private key"));
        assert!(refused(&chain[..chain.len() / 2], &key).contains("isn't PEM"));
        let wrong = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(refused(wrong, &key).contains("can't be read"));
        assert!(refused(&format!("{chain}{wrong}"), &key).contains("can't be read"));
    }
}
