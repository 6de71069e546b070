//! `[retention]`: how long things are kept.

use serde::Deserialize;

use super::{
    read::{Check, Section},
    units::{Period, Size},
};
use crate::model::schedule::Schedule;

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Retention {
    pub logs: Period,
    pub instances: Period,
    pub outbox: Period,
    pub trash: Period,
    pub cleanup_schedule: String,
    /// In percent of the stored files.
    pub max_orphans: u32,
    /// Bytes a night; 0: none.
    pub scrub: Size,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            logs: Period::days(90),
            instances: Period::days(90),
            outbox: Period::days(30),
            trash: Period::days(30),
            cleanup_schedule: "0 30 3 * * ?".to_owned(),
            max_orphans: 25,
            scrub: Size::gib(20),
        }
    }
}

impl Section for Retention {
    const NAME: &'static str = "retention";

    fn check(&self, check: &mut Check) {
        check.range("logs", self.logs, Period::days(1), Period::MAX);
        check.range("instances", self.instances, Period::days(1), Period::MAX);
        check.range("outbox", self.outbox, Period::days(1), Period::MAX);
        check.range("trash", self.trash, Period::hours(1), Period::MAX);
        check.range("max_orphans", self.max_orphans, 1, 100);
        check.range("scrub", self.scrub, Size::bytes(0), Size::gib(1024 * 1024));
        let problem = Schedule::parse(&self.cleanup_schedule).err().map(|error| error.to_string());
        let rule = format!("must be a schedule: {}", problem.as_deref().unwrap_or_default());
        check.that(problem.is_none(), "cleanup_schedule", format!("{:?}", self.cleanup_schedule), rule);
    }
}
