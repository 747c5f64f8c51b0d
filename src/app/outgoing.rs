//! Connections that this node begins by itself: to the issuer of tokens, and to the collector of traces.

use std::io;
use std::sync::Arc;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, RootCertStore};

/// What connects to a URL: by TLS alone where it says `https`, with the machine's root certificates. For `http`, none
/// are needed.
///
/// # Errors
/// Where the machine has no root certificates, and TLS is needed.
pub fn connector(scheme: Option<&str>) -> io::Result<HttpsConnector<HttpConnector>> {
    let provider = Arc::new(default_provider());
    if scheme == Some("https") {
        let builder = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider)?;
        return Ok(builder.https_only().enable_http1().build());
    }
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    Ok(HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build())
}
