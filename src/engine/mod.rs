//! The running part: one duty, one file.
//!
//! * [`scheduler`] turns due triggers into runs;
//! * [`dispatcher`] claims waiting runs within the free slots and starts an attempt for each;
//! * [`attempt`] carries out one: progress, stop, timeout, panic;
//! * [`completer`] writes what came of it;
//! * [`heartbeat`] keeps the leases and hears of stops;
//! * [`rescuer`] finds runs whose worker is gone;
//! * [`notifier`] empties the outbox, by [`letters`] and [`completion`].
//!
//! Each waits for a bell or for the clock; none of them polls, save a slow look now and then as a net.

mod attempt;
mod completer;
mod completion;
mod dispatcher;
mod heartbeat;
mod letters;
mod notifier;
mod policy;
mod rescuer;
mod running;
mod scheduler;

pub use completion::HttpCompletion;
pub use letters::JobLetters;
pub use notifier::{CallUrl, Letters, Notify, Undelivered, UrlAnswer};
pub use policy::{Backoff, EnginePolicy};

use std::sync::Arc;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::SharedClock;
use crate::executors::Registry;
use crate::store::{Store, StoreError};

use running::Running;

/// A look at the database without a bell: the net under the bells.
const NET: TimeDelta = TimeDelta::seconds(60);

/// What all duties share.
struct Shared {
    store: Store,
    clock: SharedClock,
    policy: EnginePolicy,
    registry: Arc<dyn Registry>,
    notify: Notify,
    /// Names this process in leases.
    owner: String,
    running: Running,
    /// No new runs.
    closing: CancellationToken,
    /// Everything else ends too.
    closed: CancellationToken,
}

/// What an engine is made of.
pub struct Parts {
    pub store: Store,
    pub clock: SharedClock,
    pub policy: EnginePolicy,
    pub registry: Arc<dyn Registry>,
    pub notify: Notify,
    /// Names this process; no two processes may ever have the same.
    pub owner: String,
}

/// A running engine.
pub struct Engine {
    shared: Arc<Shared>,
    duties: TaskTracker,
}

impl Engine {
    /// Puts back what an earlier process left behind, then starts all duties. The caller holds the lock of the data folder.
    pub async fn start(parts: Parts) -> Result<Self, StoreError> {
        let Parts { store, clock, policy, registry, notify, owner } = parts;
        let shared = Arc::new(Shared {
            store,
            clock,
            policy,
            registry,
            notify,
            owner,
            running: Running::default(),
            closing: CancellationToken::new(),
            closed: CancellationToken::new(),
        });
        rescuer::adopt(&shared).await?;
        scheduler::follow_zone(&shared).await?;
        let duties = TaskTracker::new();
        duties.spawn(scheduler::run(shared.clone()));
        duties.spawn(dispatcher::run(shared.clone(), duties.clone()));
        duties.spawn(heartbeat::run(shared.clone()));
        duties.spawn(rescuer::run(shared.clone()));
        duties.spawn(notifier::run(shared.clone()));
        Ok(Self { shared, duties })
    }

    /// Attempts that run just now.
    pub fn running(&self) -> usize {
        self.shared.running.len()
    }

    /// Claims no more, lets running items come to their checkpoint within the grace period, and puts the rest back.
    pub async fn shut_down(self) {
        let Self { shared, duties } = self;
        shared.closing.cancel();
        shared.running.leave_all(running::Leave::Shutdown);
        shared.running.wait_until_empty().await;
        shared.closed.cancel();
        duties.close();
        duties.wait().await;
    }
}
