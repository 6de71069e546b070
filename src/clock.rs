//! The only place that asks the operating system for the time.
//!
//! Everything that needs "now" is given a [`Clock`]; tests give it a [`ManualClock`] and move it by hand, so no test
//! waits for a wall clock.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

/// A source of the current time and of waits.
#[async_trait]
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The current instant, cut to milliseconds: what the database keeps.
    fn now(&self) -> DateTime<Utc>;
    /// Returns once `now() >= instant`. Follows the wall clock when it is set forwards or back.
    async fn sleep_until(&self, instant: DateTime<Utc>);
}

pub type SharedClock = Arc<dyn Clock>;

/// `now` plus `delta`, waited for.
pub async fn sleep(clock: &dyn Clock, delta: TimeDelta) {
    clock.sleep_until(clock.now() + delta).await;
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

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        system_now()
    }

    async fn sleep_until(&self, instant: DateTime<Utc>) {
        while let Ok(left) = (instant - self.now()).to_std() {
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(LONGEST_STEP)).await;
        }
    }
}

/// A clock that stands still until it is told to move.
#[derive(Debug)]
pub struct ManualClock {
    now: watch::Sender<DateTime<Utc>>,
}

impl ManualClock {
    pub fn at(start: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self { now: watch::Sender::new(to_millis(start)) })
    }

    /// Moves to `instant` and wakes every sleeper whose time has come.
    pub fn set(&self, instant: DateTime<Utc>) {
        self.now.send_replace(to_millis(instant));
    }

    pub fn advance(&self, delta: TimeDelta) {
        self.set(self.now() + delta);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.now.borrow()
    }

    async fn sleep_until(&self, instant: DateTime<Utc>) {
        let mut now = self.now.subscribe();
        // The sender lives in self, so the channel cannot close while this borrow exists.
        let _ = now.wait_for(|now| *now >= instant).await;
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
