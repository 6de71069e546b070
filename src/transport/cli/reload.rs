//! SIGHUP: the configuration is read again while the daemon runs.

use std::path::PathBuf;

use sd_notify::NotifyState;

use super::logging::{Level, LevelError};
use super::serve::tell_systemd;
use crate::config::{Changes, Config, ConfigError, Document, Overrides};
use crate::daemon::{Daemon, StartError};

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
                tracing::info!(file, changed = changes.taken.join(", "), "the configuration was read again");
                if !changes.waiting.is_empty() {
                    let keys = changes.waiting.join(", ");
                    tracing::warn!(keys, "these settings take effect when the daemon is started again");
                }
                format!("Listening on {}", daemon.address())
            }
            Err(error) => {
                // In one line, whatever it lists.
                let error = error.to_string().split('\n').map(str::trim).collect::<Vec<_>>().join(" ");
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
