//! The listener's certificate, in words.

use super::super::StartError;
use super::super::tls::{read, unusable};
use crate::config::{TlsSettings, time};

/// A line of the report, with a warning where the end is near. `now` is in seconds since the Unix epoch.
///
/// # Errors
/// Where it can't be used, or clients would refuse it.
pub(super) async fn report(settings: &TlsSettings, now: u64) -> Result<String, StartError> {
    let Some(certificate) = read(settings).await? else {
        return Ok("tls         off  the API is plain HTTP: something before it must speak TLS".to_owned());
    };
    if let Some(why) = unusable(&certificate, now) {
        return Err(StartError::setting("server.tls.certificate_file", why));
    }
    let names = match certificate.names() {
        [] => "no DNS name".to_owned(),
        names => names.join(" "),
    };
    let end = certificate.not_after();
    let days = (end - now) / DAY;
    let hurry = if days < SOON_DAYS { format!("; renew it, {days} days are left") } else { String::new() };
    let until = time::format(end);
    Ok(format!("tls         ok  {names}, the private key matches, until {until}{hurry}"))
}

/// In seconds.
const DAY: u64 = 86_400;
/// When a certificate should long have been renewed: Let's Encrypt's are at 30 of 90.
const SOON_DAYS: u64 = 14;
