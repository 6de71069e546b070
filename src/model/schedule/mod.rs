//! The Quartz cron dialect of execSchedule.
use chrono::{DateTime, Utc};
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule(String);
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ScheduleError(String);
impl Schedule {
    pub fn parse(s: &str) -> Result<Self, ScheduleError> {
        Ok(Self(s.into()))
    }
    pub fn next_after(&self, _after: DateTime<Utc>, _zone: chrono_tz::Tz) -> Option<DateTime<Utc>> {
        None
    }
}
impl std::fmt::Display for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
