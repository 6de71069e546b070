//! Where the daemon's own log goes.

use std::io;

use tracing_subscriber::filter::{EnvFilter, LevelFilter, ParseError};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, reload};

use super::failure::Failure;
use super::screen::Style;
use crate::config::{Log, LogFormat, LogTarget};

/// How much is logged, which can be changed while the process runs.
pub struct Level(reload::Handle<EnvFilter, Registry>);

/// Why the level cannot be what it is to be.
#[derive(Debug, thiserror::Error)]
pub enum LevelError {
    #[error("log.level {level:?} cannot be read: {source}")]
    Unreadable { level: String, source: ParseError },
    #[error("cannot change the level of the log: {0}")]
    Unchanged(#[from] reload::Error),
}

impl Level {
    pub fn follow(&self, level: &str) -> Result<(), LevelError> {
        Ok(self.0.reload(filter(level)?)?)
    }
}

/// Libraries that warn of whatever strangers do badly on the wire, or of each that had to wait: the metrics count it, and the log
/// would be theirs to fill. Of these only errors are logged, unless the level names them or asks for details of everything.
const OF_THE_WIRE: [(&str, &str); 3] = [("h2", "h2=error"), ("hyper", "hyper=error"), ("sqlx", "sqlx::pool=error")];

fn filter(level: &str) -> Result<EnvFilter, LevelError> {
    let unreadable = |source| LevelError::Unreadable { level: level.to_owned(), source };
    let mut filter = EnvFilter::try_new(level).map_err(unreadable)?;
    if matches!(filter.max_level_hint(), Some(LevelFilter::INFO | LevelFilter::WARN)) {
        for (_, directive) in OF_THE_WIRE.iter().filter(|(name, _)| !level.contains(name)) {
            filter = filter.add_directive(directive.parse().map_err(unreadable)?);
        }
    }
    Ok(filter)
}

/// Sets up the log of this process, once.
pub fn start(log: &Log) -> Result<Level, Failure> {
    let (filter, handle) = reload::Layer::new(filter(&log.level).map_err(|error| Failure::new(error.to_string()))?);
    let registry = tracing_subscriber::registry().with(filter);
    let colour = Style::of(&io::stderr()).colour;
    let stderr = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let started = match (log.target, log.format) {
        (LogTarget::Stderr, LogFormat::Text) => registry.with(stderr.with_ansi(colour).with_target(false)).try_init(),
        (LogTarget::Stderr, LogFormat::Json) => registry.with(stderr.json().flatten_event(true)).try_init(),
        (LogTarget::Journald, _) => {
            let journal = tracing_journald::layer().map_err(|error| {
                Failure::new(format!("cannot write to the journal: {error}"))
                    .hint("set log.target = \"stderr\" where there is no systemd-journald")
            })?;
            registry.with(journal).try_init()
        }
    };
    started.map_err(|error| Failure::new(format!("cannot set up the log: {error}")))?;
    Ok(Level(handle))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_do_not_fill_the_log_unless_it_is_asked_for() {
        for (level, expected) in [
            ("info", ["h2=error", "hyper=error", "sqlx::pool=error"].as_slice()),
            ("warn,prepress=info", &["h2=error", "hyper=error", "sqlx::pool=error"]),
            ("info,h2=warn", &["h2=warn", "hyper=error", "sqlx::pool=error"]),
            ("debug", &[]),
            ("error", &[]),
            ("off", &[]),
        ] {
            let filter = filter(level).unwrap().to_string();
            let of_wire: Vec<_> = filter.split(',').filter(|part| part.starts_with(['h', 's'])).collect();
            assert!(expected.iter().all(|part| of_wire.contains(part)) && of_wire.len() == expected.len(), "{filter}");
        }
    }
}
