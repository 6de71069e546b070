//! `[scheduler]`: recurring jobs that come late or meet themselves.

use serde::Deserialize;

use super::{
    read::{Check, Section},
    units::Period,
};
use crate::model::trigger::{Misfire, Overlap};

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Scheduler {
    pub misfire: Misfire,
    pub misfire_threshold: Period,
    pub max_catch_up: u32,
    pub overlap: Overlap,
}

impl Default for Scheduler {
    fn default() -> Self {
        Self {
            misfire: Misfire::default(),
            misfire_threshold: Period::minutes(1),
            max_catch_up: 100,
            overlap: Overlap::default(),
        }
    }
}

impl Section for Scheduler {
    const NAME: &'static str = "scheduler";

    fn check(&self, check: &mut Check) {
        check.range("misfire_threshold", self.misfire_threshold, Period::seconds(1), Period::days(1));
        check.range("max_catch_up", self.max_catch_up, 1, 10_000);
    }
}
