//! Where the daemon's own log goes.

use std::io;

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::failure::Failure;
use super::screen::Style;
use crate::config::{Log, LogFormat, LogTarget};

/// Sets up the log of this process, once.
pub fn start(log: &Log) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&log.level)
        .map_err(|error| Failure::new(format!("log.level {:?} cannot be read: {error}", log.level)))?;
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
    started.map_err(|error| Failure::new(format!("cannot set up the log: {error}")))
}
