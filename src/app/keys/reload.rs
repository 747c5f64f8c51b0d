//! Reading the keys again while Signet serves.
//!
//! | when | what is seen |
//! |---|---|
//! | SIGHUP | everything |
//! | the settings' file or a key's file has changed, and stays so from one look to the next | files |
//! | every `signing.secrets_refresh_seconds`, where a key lies there | secrets |
//!
//! Each time the same settings file is read, and all of its keys; where all are good, they replace the
//! ring as a whole. Otherwise the old ring stays, and a log line and a metric say so. Nothing but
//! `[[signing.keys]]` is taken from the file: other settings wait for a restart.

use std::iter::once;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};

use super::{KeyLoader, ring_error};
use crate::app::StartError;
use crate::app::watch::{Changes, LOOK_EVERY, Look};
use crate::config::{Environment, Settings, SigningSettings, load, time};
use crate::service::key_ring::{KeyRing, Replaced};
use crate::telemetry::keys::{KeyMetrics, Reload};

/// Reads keys again.
pub struct Reloader {
    file: PathBuf,
    environment: Environment,
    loader: KeyLoader,
    /// As at the start; only its keys change.
    signing: SigningSettings,
    /// How long any link may live, in seconds.
    life: u64,
    /// All settings but the keys, as last seen. Secrets don't show in it.
    others: String,
    changes: Changes,
    hangups: Signal,
}

impl Reloader {
    /// Takes over SIGHUP, and remembers what the files look like. To be made from settings that were
    /// just read, before their keys are: so a change in between isn't missed.
    ///
    /// # Errors
    /// Where the system gives no signals.
    pub fn new(file: &Path, environment: &Environment, settings: &Settings) -> Result<Self, StartError> {
        let hangups =
            signal(SignalKind::hangup()).map_err(|error| StartError::system("waiting for signals", error))?;
        Ok(Self {
            file: file.to_owned(),
            environment: environment.clone(),
            loader: KeyLoader::default(),
            signing: settings.signing.clone(),
            life: settings.longest_life(),
            others: others(settings),
            changes: Changes::since(Look::at(once(file).chain(key_files(&settings.signing)))),
            hangups,
        })
    }

    /// What reads the keys at the start.
    #[must_use]
    pub fn loader(&self) -> &KeyLoader {
        &self.loader
    }

    /// Keeps a ring up to date, for as long as it is polled.
    pub async fn run(mut self, ring: Arc<KeyRing>, metrics: KeyMetrics) {
        let mut looks = interval(LOOK_EVERY);
        let refresh = Duration::from_secs(self.signing.secrets_refresh_seconds);
        let mut refreshes = interval_at(Instant::now() + refresh, refresh);
        for timer in [&mut looks, &mut refreshes] {
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        loop {
            let secrets = self.signing.keys.iter().any(|key| key.private_key_secret.is_some());
            let cause = tokio::select! {
                Some(()) = self.hangups.recv() => "SIGHUP",
                _ = looks.tick() => {
                    if !self.changes.have_settled() {
                        continue;
                    }
                    "a file has changed"
                }
                _ = refreshes.tick(), if secrets => "secrets are read again",
            };
            let outcome = self.reload(&ring, cause).await.unwrap_or_else(|error| {
                tracing::error!(cause, %error, "new keys are refused, the old ones stay");
                Reload::Refused
            });
            metrics.reloaded(outcome);
        }
    }

    async fn reload(&mut self, ring: &KeyRing, cause: &str) -> Result<Reload, StartError> {
        // Looked at before they are read: what changes meanwhile is seen at the next look.
        self.changes.take_note();
        let file = Look::at(once(self.file.as_path()));
        let settings = load(&self.file, &self.environment)?;
        self.changes = Changes::since(file.and(Look::at(key_files(&settings.signing))));
        self.tell_of_others(&settings);
        self.signing.keys = settings.signing.keys;

        let keys = self.loader.read(&self.signing).await?;
        let warnings: Vec<_> =
            keys.iter().filter_map(|key| Some((key.id.clone(), key.private.warning()?))).collect();
        let (old, now) = (ring.keys(), time::now());
        if ring.replace(keys, now).map_err(ring_error)? == Replaced::Unchanged {
            tracing::debug!(cause, "keys were read again, and are the same");
            return Ok(Reload::Unchanged);
        }
        let new = ring.keys();
        let ids: Vec<&str> = new.iter().map(|key| key.id.as_str()).collect();
        let signs = ring.active(now).map(|key| key.id.to_string()).unwrap_or_default();
        tracing::info!(cause, keys = ids.join(" "), signs, "the key ring is replaced");
        for (id, warning) in warnings {
            tracing::warn!(key_pair_id = %id, "{warning}");
        }
        for key in old.iter().filter(|key| !ids.contains(&key.id.as_str())) {
            let seconds = self.life;
            tracing::info!(
                key_pair_id = %key.id,
                "a key pair has left the ring; keep it in CloudFront's key group for {seconds} s after its last link",
            );
        }
        if let Some(dark) = ring.dark_from(now) {
            tracing::warn!(
                from = time::format(dark),
                "no key pair will be active; add one, or move retire_at"
            );
        }
        Ok(Reload::Applied)
    }

    fn tell_of_others(&mut self, settings: &Settings) {
        let others = others(settings);
        if others != self.others {
            tracing::warn!("settings other than [[signing.keys]] have changed: they wait for a restart");
            self.others = others;
        }
    }
}

fn key_files(signing: &SigningSettings) -> impl Iterator<Item = &Path> {
    let files = signing.keys.iter().flat_map(|key| [&key.private_key_file, &key.public_key_file]);
    files.flatten().map(PathBuf::as_path)
}

fn others(settings: &Settings) -> String {
    let mut settings = settings.clone();
    settings.signing.keys.clear();
    format!("{settings:?}")
}
