//! When a job fires.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::constants;
use super::schedule::Schedule;

constants! {
    /// JobTriggerStates constants.
    pub enum TriggerState("job trigger state") {
        /// Waits for its next fire time.
        Normal,
        /// Does not fire until it is resumed.
        Paused,
        /// Due, but held up: by its own last run, as clients are told of a schedule, or until its company is open again.
        Blocked,
        /// Has fired for the last time.
        Complete,
        /// Its fire times cannot be computed.
        Error,
        None,
    }
}

/// The three ways submitJob can say when.
#[allow(clippy::large_enum_variant, reason = "there is one a submission, and it moves once")]
#[derive(Debug, Clone, PartialEq)]
pub enum Trigger {
    AtOnce,
    ExecTime(DateTime<Utc>),
    ExecSchedule(Schedule),
}

/// What to do with the slots that fell due while the daemon was down. (Slots that pass while a trigger is paused are
/// always skipped: that is what a pause is for.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Misfire {
    /// One run for all of them, now.
    #[default]
    FireOnce,
    /// None of them runs; the next one does.
    Skip,
    /// Each runs, one after the other.
    FireAll,
}

/// What to do when a recurring job is due and its last run is still going.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// This slot does not run.
    #[default]
    Skip,
    /// It runs after the last one.
    Queue,
    /// They run side by side.
    Allow,
}
