//! What the configuration says about running jobs.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::model::firing;
use crate::model::kind::JobKind;

/// Waits between attempts: doubled each time, up to a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    pub base: TimeDelta,
    pub max: TimeDelta,
}

impl Backoff {
    /// The wait after the `failures`-th failure (1 for the first).
    pub fn after(&self, failures: i64) -> TimeDelta {
        let doublings = u32::try_from(failures.saturating_sub(1).clamp(0, 30)).unwrap_or(30);
        self.base.checked_mul(1 << doublings).unwrap_or(self.max).min(self.max)
    }
}

/// How long things are kept after their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    pub logs: TimeDelta,
    pub instances: TimeDelta,
    pub outbox: TimeDelta,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnginePolicy {
    pub firing: firing::Policy,
    /// Most instants of one schedule decided about in one transaction.
    pub instants_at_once: usize,
    /// Runs at the same time.
    pub slots: usize,
    /// Runs of a kind at the same time, for kinds with a limit of their own.
    pub slots_by_kind: BTreeMap<JobKind, usize>,
    pub max_attempts: i64,
    pub retry: Backoff,
    /// A lease that is not extended for so long is lost.
    pub lease: TimeDelta,
    /// How often leases are extended.
    pub heartbeat: TimeDelta,
    /// How long an attempt that was told to leave off may take to its next checkpoint.
    pub stop_grace: TimeDelta,
    /// The same when the daemon shuts down.
    pub shutdown_grace: TimeDelta,
    /// How long an attempt may take in all.
    pub job_timeout: Option<TimeDelta>,
    /// How often progress is written at most.
    pub progress_every: TimeDelta,
    /// Waits between tries to deliver a message.
    pub delivery_retry: Backoff,
    pub retention: Retention,
    /// A message that could not be delivered for so long is given up.
    pub give_up_after: TimeDelta,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_limit() {
        let backoff = Backoff { base: TimeDelta::seconds(10), max: TimeDelta::minutes(5) };
        let waits: Vec<i64> = (0..8).map(|failures| backoff.after(failures).num_seconds()).collect();
        assert_eq!(waits, [10, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(backoff.after(i64::MAX), backoff.max);
    }
}
