//! How long to wait before something is tried again.

use chrono::TimeDelta;

/// Waits between tries: doubled each time, up to a limit.
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
