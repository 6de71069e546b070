//! SIGHUP: the configuration is read again while the daemon runs.

use std::path::PathBuf;

use sd_notify::NotifyState;

use super::logging::{Level, LevelError};
use super::serve::tell_systemd;
use crate::config::{Changes, Config, ConfigError, Document, Overrides};
use crate::daemon::{Daemon, StartError};
use crate::transport::certificates::Files;

/// Why a configuration that was read again is not used.
#[derive(Debug, thiserror::Error)]
enum ReloadError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Part(#[from] StartError),
    #[error(transparent)]
    Level(#[from] LevelError),
}

/// The configuration in force, and how it is read again.
pub struct Reload {
    pub file: Option<PathBuf>,
    pub overrides: Overrides,
    pub document: Document,
    pub config: Config,
    pub level: Level,
}

impl Reload {
    /// Takes over what can be, names what cannot, and keeps the configuration from before if the new one is bad.
    pub async fn run(&mut self, daemon: &Daemon) {
        // Newer service managers ask for the time beside the word.
        let begun: Vec<_> =
            [Ok(NotifyState::Reloading), NotifyState::monotonic_usec_now()].into_iter().flatten().collect();
        tell_systemd(&begun);
        let file = self.file.as_ref().map_or_else(|| "none".to_owned(), |file| file.display().to_string());
        let status = match self.follow(daemon).await {
            Ok(changes) => {
                match changes.taken.join(", ") {
                    none if none.is_empty() => {
                        tracing::info!(file, "the configuration was read again; the daemon takes over no change")
                    }
                    changed => tracing::info!(file, changed, "the configuration was read again"),
                }
                if !changes.waiting.is_empty() {
                    let keys = changes.waiting.join(", ");
                    tracing::warn!(keys, "these settings take effect when the daemon is started again");
                    warn_of_certificates(&changes);
                }
                format!("Listening on {}", daemon.address())
            }
            Err(error) => {
                let error = in_one_line(&error.to_string());
                tracing::error!(file, error, "the new configuration is not used; the one from before stays in force");
                format!("Listening on {}; the configuration that was read last is bad, see the log", daemon.address())
            }
        };
        tell_systemd(&[NotifyState::Ready, NotifyState::Status(&status)]);
    }

    async fn follow(&mut self, daemon: &Daemon) -> Result<Changes, ReloadError> {
        let changes = Changes::read(&self.config, &self.document, self.file.as_deref(), &self.overrides)?;
        daemon.follow(&changes.config).await?;
        self.level.follow(&changes.config.log.level)?;
        self.config = changes.config.clone();
        self.document = changes.document.clone();
        Ok(changes)
    }
}

/// A headline and what it lists.
fn in_one_line(error: &str) -> String {
    let mut lines = error.lines().map(str::trim);
    let headline = lines.next().unwrap_or_default();
    match lines.collect::<Vec<_>>().join("; ") {
        none if none.is_empty() => headline.to_owned(),
        listed => format!("{headline} {listed}"),
    }
}

/// Certificates that wait for the next start are not looked at before: it would fail by them.
fn warn_of_certificates(changes: &Changes) {
    if !changes.waiting.iter().any(|key| key.starts_with("server.tls_")) {
        return;
    }
    if let Some(Err(error)) = Files::of(&changes.wanted.server).map(|files| files.load()) {
        tracing::error!(%error, "the daemon will not start with this certificate");
    }
}
