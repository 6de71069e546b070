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

    /// All waits after the first so many failures.
    pub fn in_all(&self, failures: i64) -> TimeDelta {
        // After so many doublings each further wait is as long as the last.
        let growing = failures.clamp(0, 31);
        let all = (1..=growing).map(|failure| self.after(failure)).fold(TimeDelta::zero(), |sum, wait| sum + wait);
        let rest = i32::try_from(failures - growing).unwrap_or(i32::MAX).max(0);
        self.after(growing).checked_mul(rest).and_then(|rest| all.checked_add(&rest)).unwrap_or(TimeDelta::MAX)
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
        let all: Vec<i64> = (0..8).map(|failures| backoff.in_all(failures).num_seconds()).collect();
        assert_eq!(all, [0, 10, 30, 70, 150, 310, 610, 910]);
        assert_eq!(backoff.in_all(131), backoff.in_all(31) + backoff.max * 100);
        assert_eq!(backoff.in_all(i64::MAX).num_days(), (backoff.in_all(31) + backoff.max * i32::MAX).num_days());
    }
}
