//! `[log]`: the daemon's own log.

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

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
        let known = !self.level.trim().is_empty() && EnvFilter::try_new(&self.level).is_ok();
        check.that(known, "level", format!("{:?}", self.level), rule);
    }
}
