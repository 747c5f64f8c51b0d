//! `signet health`: does a node on this machine want requests? For images without a shell, such as that of
//! `deploy/Dockerfile`.
//!
//! One GET of its admin listener, within some seconds: 200 is exit 0, all else is exit 1 with the reason.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::output::visible;
use super::{CliError, Output, runtime};

/// The most that is read of an answer, in bytes.
const MAX_BYTES: usize = 1024;

/// The options of `signet health`.
#[derive(clap::Args)]
pub struct Args {
    /// Where the node's admin listener is
    #[arg(long, value_name = "ADDR", env = "SIGNET_ADMIN_LISTEN", default_value = "127.0.0.1:9090")]
    admin_listen: String,
    /// What to ask instead of its /readyz, over http
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The most that it may take
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    timeout: u64,
}

/// Asks, and says the answer.
///
/// # Errors
/// [`CliError::Usage`] for a URL that can't be asked, [`CliError::Failed`] where the answer is another than 200, or
/// there is none in time.
pub fn run(args: &Args, out: &mut Output) -> Result<(), CliError> {
    let url = args.url.clone().unwrap_or_else(|| readiness(&args.admin_listen));
    let uri: Uri = url.parse().map_err(|error| CliError::Usage(format!("{}: {error}", visible(&url))))?;
    if uri.scheme_str() != Some("http") {
        return Err(CliError::Usage(format!("{}: must be an http:// URL", visible(&url))));
    }
    let asking = async {
        let answer = tokio::time::timeout(Duration::from_secs(args.timeout), ask(uri)).await;
        answer.unwrap_or_else(|_| Err(format!("no answer within {} s", args.timeout)))
    };
    let word = runtime()?.block_on(asking).map_err(|reason| CliError::about(visible(&url), reason))?;
    out.line(&word)
}

/// The URL of `/readyz`. A listener on all addresses is asked on the loopback.
fn readiness(listen: &str) -> String {
    let mut authority = listen.to_owned();
    if let Ok(mut address) = listen.parse::<SocketAddr>()
        && address.ip().is_unspecified()
    {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
        authority = address.to_string();
    }
    format!("http://{authority}/readyz")
}

/// The word of an answer of 200; else the reason.
async fn ask(uri: Uri) -> Result<String, String> {
    let client = Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(HttpConnector::new());
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = uri;
    let answer = client.request(request).await.map_err(|error| with_causes(&error))?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), MAX_BYTES).collect().await;
    let body = body.map_err(|error| with_causes(error.as_ref()))?.to_bytes();
    let word = visible(String::from_utf8_lossy(&body).trim());
    if status == StatusCode::OK { Ok(word) } else { Err(format!("{status}: {word}")) }
}

/// An error and what caused it: the client's own words alone say little.
fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_all_addresses_is_asked_on_the_loopback() {
        for (listen, url) in [
            ("127.0.0.1:9090", "http://127.0.0.1:9090/readyz"),
            ("0.0.0.0:9090", "http://127.0.0.1:9090/readyz"),
            ("[::]:9090", "http://[::1]:9090/readyz"),
            ("10.0.0.7:9090", "http://10.0.0.7:9090/readyz"),
            ("admin.internal:9090", "http://admin.internal:9090/readyz"),
        ] {
            assert_eq!(readiness(listen), url);
        }
    }
}
