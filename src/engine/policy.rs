//! What the configuration says about running jobs.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::model::backoff::Backoff;
use crate::model::firing;
use crate::model::kind::JobKind;

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
    /// How long an upload by post waits for its client.
    pub client_timeout: TimeDelta,
    /// A message that could not be delivered for so long is given up.
    pub give_up_after: TimeDelta,
}
