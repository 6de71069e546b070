//! What the store has done since the process started, for whoever watches the daemon.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

/// How an attempt ended: an outcome, or why another one follows.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AttemptResult {
    pub result: &'static str,
}

/// Counters are atomic; clones of a metric share it.
#[derive(Debug)]
pub struct Stats {
    /// From handing a submission in to its commit, in seconds.
    pub submit_seconds: Histogram,
    /// From the instant a run could have started to its claim, in seconds.
    pub claim_seconds: Histogram,
    /// Requests that shared a transaction.
    pub group_size: Histogram,
    pub attempts_begun: Counter,
    pub attempts_ended: Family<AttemptResult, Counter>,
    /// Units of work committed.
    pub items: Counter,
    /// Files that were found damaged or gone.
    pub damaged_files: Counter,
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            // 0.5 ms to 16 s.
            submit_seconds: Histogram::new(exponential_buckets(0.0005, 2.0, 16)),
            // 1 ms to a quarter of an hour.
            claim_seconds: Histogram::new(exponential_buckets(0.001, 4.0, 11)),
            group_size: Histogram::new(exponential_buckets(1.0, 2.0, 11)),
            attempts_begun: Counter::default(),
            attempts_ended: Family::default(),
            items: Counter::default(),
            damaged_files: Counter::default(),
        }
    }
}

impl Stats {
    pub(super) fn attempt_ended(&self, result: &'static str) {
        self.attempts_ended.get_or_create(&AttemptResult { result }).inc();
    }
}
