//! `[log]`: the daemon's own log.

use serde::Deserialize;
use tracing_subscriber::filter::{EnvFilter, LevelFilter};

use super::read::{Check, Section};

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Log {
    pub format: LogFormat,
    pub target: LogTarget,
    pub level: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogTarget {
    Stderr,
    Journald,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, target: LogTarget::Stderr, level: "info".to_owned() }
    }
}

impl Section for Log {
    const NAME: &'static str = "log";

    fn check(&self, check: &mut Check) {
        let rule = "must be a level (error, warn, info, debug, trace, off), or levels by module such as \
                    \"info,prepress::engine=debug\"";
        check.that(is_filter(&self.level), "level", format!("{:?}", self.level), rule);
    }
}

/// Whether a text says how much is logged. To the filter a bare word that is no level is a module, of which everything
/// is logged, and nothing of the others: a typo would silence the log.
fn is_filter(text: &str) -> bool {
    text.split(',').all(has_level) && EnvFilter::try_new(text).is_ok()
}

/// Whether a directive is a level, or a module or span with one.
fn has_level(directive: &str) -> bool {
    let behind_span = directive.rsplit(']').next().unwrap_or(directive);
    let level = behind_span.rsplit_once('=').map_or(directive, |(_, level)| level);
    !level.is_empty() && level.parse::<LevelFilter>().is_ok()
}
