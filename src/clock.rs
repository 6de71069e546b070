//! The only place that asks the operating system for the time.
//!
//! Everything that needs "now" is given a [`Clock`]; tests give it a [`ManualClock`] and move it by hand, so no test
//! waits for a wall clock.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

/// A source of the current time and of waits.
#[async_trait]
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The current instant, cut to milliseconds: what the database keeps.
    fn now(&self) -> DateTime<Utc>;
    /// Returns once `now() >= until`, also when the clock is set forwards meanwhile. When it is set back, this returns at
    /// once: who waits looks again what there is to wait for, or would do so for as long as the clock was ahead.
    async fn wait(&self, wait: Wait);
    /// Returns when `delta` has passed, however far the clock is set back meanwhile. One that is set forwards ends it sooner.
    async fn sleep(&self, delta: TimeDelta);
    /// The current instant, and how long the process has run by then, however the clock was set meanwhile.
    fn now_and_uptime(&self) -> (DateTime<Utc>, TimeDelta);
    /// Returns when the process has run for `delta` more, however the clock is set meanwhile.
    async fn run_for(&self, delta: TimeDelta);
}

/// What to wait for, as it was found out when the clock showed `since`: it may have been set back before the wait begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    pub since: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

impl Wait {
    pub fn of(since: DateTime<Utc>, most: TimeDelta) -> Self {
        Self { since, until: since + most }
    }

    /// Until this instant, if that is sooner.
    pub fn or(self, sooner: Option<DateTime<Utc>>) -> Self {
        Self { until: sooner.map_or(self.until, |sooner| sooner.min(self.until)), ..self }
    }
}

pub type SharedClock = Arc<dyn Clock>;

/// See [`Clock::sleep`].
pub async fn sleep(clock: &dyn Clock, delta: TimeDelta) {
    clock.sleep(delta).await;
}

#[allow(clippy::disallowed_methods)]
fn system_now() -> DateTime<Utc> {
    to_millis(Utc::now())
}

fn to_millis(instant: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(instant.timestamp_millis()).unwrap_or(instant)
}

/// The machine's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl SystemClock {
    pub fn shared() -> SharedClock {
        Arc::new(SystemClock)
    }
}

/// A sleep is cut in steps no longer than this, so that a wall clock set forwards (NTP, suspend) is noticed.
const LONGEST_STEP: std::time::Duration = std::time::Duration::from_secs(30);

/// A clock that shows so much less than it should after a step was set back.
const SET_BACK: TimeDelta = TimeDelta::seconds(1);

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        system_now()
    }

    async fn wait(&self, wait: Wait) {
        let mut least = wait.since;
        loop {
            let now = self.now();
            if now < least - SET_BACK {
                return;
            }
            let Ok(step) = (wait.until - now).to_std().map(|left| left.min(LONGEST_STEP)) else { return };
            if step.is_zero() {
                return;
            }
            least = now + TimeDelta::from_std(step).unwrap_or_default();
            tokio::time::sleep(step).await;
        }
    }

    async fn sleep(&self, delta: TimeDelta) {
        let (begun, until) = (Stopwatch::start(), self.now() + delta);
        loop {
            let passed = TimeDelta::from_std(begun.elapsed()).unwrap_or(delta);
            let left = (until - self.now()).min(delta - passed);
            let Ok(step) = left.to_std().map(|left| left.min(LONGEST_STEP)) else { return };
            if step.is_zero() {
                return;
            }
            tokio::time::sleep(step).await;
        }
    }

    fn now_and_uptime(&self) -> (DateTime<Utc>, TimeDelta) {
        (self.now(), TimeDelta::from_std(begun().elapsed()).unwrap_or(TimeDelta::MAX))
    }

    async fn run_for(&self, delta: TimeDelta) {
        tokio::time::sleep(delta.to_std().unwrap_or_default()).await;
    }
}

/// When the process began, or was first asked.
fn begun() -> &'static Stopwatch {
    static BEGUN: OnceLock<Stopwatch> = OnceLock::new();
    BEGUN.get_or_init(Stopwatch::start)
}

/// A clock that stands still until it is told to move.
#[derive(Debug)]
pub struct ManualClock {
    shows: watch::Sender<Shown>,
}

/// What a clock shows, and for how long its process has run.
#[derive(Debug, Clone, Copy)]
struct Shown {
    now: DateTime<Utc>,
    uptime: TimeDelta,
}

impl ManualClock {
    pub fn at(start: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self { shows: watch::Sender::new(Shown { now: to_millis(start), uptime: TimeDelta::zero() }) })
    }

    /// Moves to `instant` and wakes every sleeper whose time has come. What lies between has passed, unless it is set back.
    pub fn set(&self, instant: DateTime<Utc>) {
        let Shown { now, uptime } = *self.shows.borrow();
        let passed = (to_millis(instant) - now).max(TimeDelta::zero());
        self.shows.send_replace(Shown { now: to_millis(instant), uptime: uptime + passed });
    }

    pub fn advance(&self, delta: TimeDelta) {
        self.set(self.now() + delta);
    }

    /// Shows `instant` without that any time has passed.
    pub fn leap(&self, instant: DateTime<Utc>) {
        let Shown { uptime, .. } = *self.shows.borrow();
        self.shows.send_replace(Shown { now: to_millis(instant), uptime });
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        self.shows.borrow().now
    }

    async fn wait(&self, wait: Wait) {
        let (mut shows, mut seen) = (self.shows.subscribe(), wait.since);
        loop {
            let shown = shows.borrow_and_update().now;
            if shown < seen || shown >= wait.until {
                return;
            }
            seen = shown;
            // The sender lives in self, so the channel cannot close while this borrow exists.
            if shows.changed().await.is_err() {
                return;
            }
        }
    }

    async fn sleep(&self, delta: TimeDelta) {
        let mut shows = self.shows.subscribe();
        let (mut seen, mut left) = (shows.borrow_and_update().now, delta);
        while left > TimeDelta::zero() && shows.changed().await.is_ok() {
            let shown = shows.borrow_and_update().now;
            left -= (shown - seen).max(TimeDelta::zero());
            seen = shown;
        }
    }

    fn now_and_uptime(&self) -> (DateTime<Utc>, TimeDelta) {
        let Shown { now, uptime } = *self.shows.borrow();
        (now, uptime)
    }

    async fn run_for(&self, delta: TimeDelta) {
        let mut shows = self.shows.subscribe();
        let until = shows.borrow_and_update().uptime + delta;
        while shows.borrow_and_update().uptime < until && shows.changed().await.is_ok() {}
    }
}

/// Measures how long something takes: for benchmarks and metrics, and how long a sender was waited for. It knows no time
/// of day.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    pub fn elapsed(&self) -> std::time::Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn who_waits_for_an_instant_looks_again_when_the_clock_is_set_back() {
        let start = Utc.with_ymd_and_hms(2026, 1, 5, 8, 0, 0).unwrap();
        let clock = ManualClock::at(start);
        let mut until = clock.wait(Wait::of(start, TimeDelta::hours(2))).boxed();
        let mut asleep = clock.sleep(TimeDelta::hours(2)).boxed();
        assert!(until.as_mut().now_or_never().is_none() && asleep.as_mut().now_or_never().is_none());
        clock.advance(TimeDelta::hours(1));
        assert!(until.as_mut().now_or_never().is_none() && asleep.as_mut().now_or_never().is_none());
        clock.set(start - TimeDelta::days(1000));
        assert!(until.as_mut().now_or_never().is_some());
        // A length of time is none of the clock's: an hour of it is left.
        assert!(asleep.as_mut().now_or_never().is_none());
        clock.advance(TimeDelta::minutes(59));
        assert!(asleep.as_mut().now_or_never().is_none());
        clock.advance(TimeDelta::minutes(1));
        assert!(asleep.as_mut().now_or_never().is_some());
    }

    #[test]
    fn a_clock_that_was_set_back_before_somebody_waits_is_looked_at_again() {
        let start = Utc.with_ymd_and_hms(2026, 1, 5, 8, 0, 0).unwrap();
        let (manual, system) = (ManualClock::at(start), SystemClock);
        for clock in [&*manual as &dyn Clock, &system] {
            let ahead = Wait::of(clock.now() + TimeDelta::hours(2), TimeDelta::minutes(1));
            assert!(clock.wait(ahead).now_or_never().is_some(), "{clock:?}");
        }
    }
}
