//! The certificate of `[server.tls]`: at the start, and again while serving.
//!
//! 1. [`read`]: settings → a certificate and its private key, or plain HTTP.
//! 2. [`ServedTls`]: shows it to connections, and reads both files again at SIGHUP and when one has changed and
//!    stays so from one look to the next. What can't be used, or isn't good now, is refused: the old pair stays,
//!    and a log line and a metric say so.

use std::path::{Path, PathBuf};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};
use zeroize::Zeroizing;

use super::StartError;
use super::watch::{Changes, LOOK_EVERY, Look};
use crate::config::{TlsSettings, time};
use crate::http::{Certificate, Tls};
use crate::telemetry::keys::Reload;
use crate::telemetry::tls::TlsMetrics;

/// Reads the certificate of the settings; `None` for plain HTTP.
///
/// # Errors
/// Where it can't be used.
pub async fn read(settings: &TlsSettings) -> Result<Option<Certificate>, StartError> {
    match files(settings)? {
        Some((certificate, private_key)) => Ok(Some(pair(certificate, private_key).await?)),
        None => Ok(None),
    }
}

/// Why clients would refuse a certificate at a time, in seconds since the Unix epoch.
pub fn unusable(certificate: &Certificate, now: u64) -> Option<String> {
    if now >= certificate.not_after() {
        return Some(format!("the certificate ended at {}", time::format(certificate.not_after())));
    }
    (now < certificate.not_before())
        .then(|| format!("the certificate is good from {} on", time::format(certificate.not_before())))
}

/// A certificate that is shown to connections, and kept up to date.
pub struct ServedTls {
    certificate_file: PathBuf,
    private_key_file: PathBuf,
    changes: Changes,
    hangups: Signal,
    shown: Certificate,
    tls: Tls,
}

impl ServedTls {
    /// Reads the certificate of the settings; `None` for plain HTTP. One that isn't good now is shown
    /// nevertheless: not all clients look.
    ///
    /// # Errors
    /// Where it can't be used, or the system gives no signals.
    pub async fn open(settings: &TlsSettings) -> Result<Option<Self>, StartError> {
        let Some((certificate_file, private_key_file)) = files(settings)? else { return Ok(None) };
        let changes = Changes::since(Look::at([certificate_file, private_key_file]));
        let shown = pair(certificate_file, private_key_file).await?;
        if let Some(why) = unusable(&shown, time::now()) {
            tracing::error!("clients will refuse this server: {why}");
        }
        let hangups = signal(SignalKind::hangup());
        Ok(Some(Self {
            certificate_file: certificate_file.to_owned(),
            private_key_file: private_key_file.to_owned(),
            changes,
            hangups: hangups.map_err(|error| StartError::system("waiting for signals", error))?,
            tls: Tls::new(&shown),
            shown,
        }))
    }

    /// What a listener shows.
    #[must_use]
    pub fn tls(&self) -> Tls {
        self.tls.clone()
    }

    /// Keeps it up to date, for as long as it is polled.
    pub async fn run(mut self, metrics: TlsMetrics) {
        metrics.shows(self.shown.not_after());
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let cause = tokio::select! {
                Some(()) = self.hangups.recv() => "SIGHUP",
                _ = looks.tick() => {
                    if !self.changes.have_settled() {
                        continue;
                    }
                    "a file has changed"
                }
            };
            let outcome = self.reload(cause).await.unwrap_or_else(|error| {
                tracing::error!(cause, %error, "the new certificate is refused, the old one stays");
                Reload::Refused
            });
            metrics.reloaded(outcome);
            metrics.shows(self.shown.not_after());
        }
    }

    async fn reload(&mut self, cause: &str) -> Result<Reload, StartError> {
        self.changes.take_note();
        let new = pair(&self.certificate_file, &self.private_key_file).await?;
        if new.is_same(&self.shown) {
            return Ok(Reload::Unchanged);
        }
        if let Some(why) = unusable(&new, time::now()) {
            return Err(StartError::setting("server.tls.certificate_file", why));
        }
        self.tls.replace(&new);
        let (names, until) = (new.names().join(" "), time::format(new.not_after()));
        tracing::info!(cause, names, until, "new connections are shown another certificate");
        self.shown = new;
        Ok(Reload::Applied)
    }
}

fn files(settings: &TlsSettings) -> Result<Option<(&Path, &Path)>, StartError> {
    settings.files().map_err(|detail| StartError::setting("server.tls", detail))
}

async fn pair(certificate: &Path, private_key: &Path) -> Result<Certificate, StartError> {
    let chain = file(certificate, "server.tls.certificate_file").await?;
    let key = file(private_key, "server.tls.private_key_file").await?;
    Certificate::from_pem(&chain, &key).map_err(|error| {
        let (certificate, private_key) = (certificate.display(), private_key.display());
        StartError::setting("server.tls", format!("{error} ({certificate}, {private_key})"))
    })
}

async fn file(path: &Path, setting: &str) -> Result<Zeroizing<Vec<u8>>, StartError> {
    let read = tokio::fs::read(path).await;
    read.map(Zeroizing::new)
        .map_err(|error| StartError::setting(setting, format!("can't read {}: {error}", path.display())))
}
