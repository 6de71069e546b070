//! `[retention]`: how long things are kept.

use serde::Deserialize;

use super::{
    read::{Check, Section},
    units::Period,
};

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Retention {
    pub logs: Period,
    pub instances: Period,
    pub outbox: Period,
}

impl Default for Retention {
    fn default() -> Self {
        Self { logs: Period::days(90), instances: Period::days(90), outbox: Period::days(30) }
    }
}

impl Section for Retention {
    const NAME: &'static str = "retention";

    fn check(&self, check: &mut Check) {
        check.range("logs", self.logs, Period::days(1), Period::MAX);
        check.range("instances", self.instances, Period::days(1), Period::MAX);
        check.range("outbox", self.outbox, Period::days(1), Period::MAX);
    }
}
