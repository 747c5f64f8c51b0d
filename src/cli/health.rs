//! `signet health`: does a node on this machine want requests? For images without a shell, such as that of
//! `deploy/Dockerfile`.
//!
//! One GET of its admin listener, within some seconds: 200 is exit 0, all else is exit 1 with the reason.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::output::visible;
use super::{CliError, Output, runtime};
use crate::app::health::{HealthError, ask};

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
    let word =
        runtime()?.block_on(ask(&url, Duration::from_secs(args.timeout))).map_err(|error| match error {
            HealthError::Url(_) => CliError::Usage(format!("{}: {error}", visible(&url))),
            HealthError::Failed(_) | HealthError::Answer { .. } => {
                CliError::about(visible(&url), visible(&error.to_string()))
            }
        })?;
    out.line(&visible(&word))
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
