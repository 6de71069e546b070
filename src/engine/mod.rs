//! The running part: one duty, one file.
//!
//! * [`scheduler`] turns due triggers into runs;
//! * [`dispatcher`] claims waiting runs within the free slots and starts an attempt for each;
//! * [`attempt`] carries out one: progress, stop, timeout, panic;
//! * [`completer`] writes what came of it;
//! * [`heartbeat`] keeps the leases and hears of stops;
//! * [`stopper`] stops what is left of jobs with very many runs;
//! * [`rescuer`] finds runs whose worker is gone;
//! * [`clock_watch`] sets right what a wrong clock has done;
//! * [`clients`] goes on without clients that post no more;
//! * [`janitor`] forgets what has been kept long enough;
//! * [`marker`] keeps the mark beside the blobs up with the database;
//! * [`notifier`] empties the outbox, by [`letters`] and [`completion`].
//!
//! Each waits for a bell or for the clock; none of them polls, save a slow look now and then as a net.

mod attempt;
mod clients;
mod clock_watch;
mod completer;
mod completion;
mod dispatcher;
mod heartbeat;
mod janitor;
mod letters;
mod marker;
mod notifier;
mod policy;
mod rescuer;
mod running;
mod scheduler;
mod stopper;
mod zone;

pub use crate::model::backoff::Backoff;
pub use completion::HttpCompletion;
pub use letters::JobLetters;
pub use notifier::{CallUrl, Letters, Notify, Undelivered, UrlAnswer};
pub use policy::{EnginePolicy, Retention};

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::{self, SharedClock};
use crate::executors::Registry;
use crate::service::mark::MarkKeeper;
use crate::store::{Store, StoreError};

use running::Running;

/// A look at the database without a bell: the net under the bells.
const NET: TimeDelta = TimeDelta::seconds(60);

/// The wait after an error of the database, or of a duty itself.
const AFTER_ERROR: TimeDelta = TimeDelta::seconds(5);

/// How long a run waits for room on the disk before it looks again.
const LOOK_FOR_ROOM: TimeDelta = TimeDelta::minutes(1);

/// What all duties share.
struct Shared {
    store: Store,
    clock: SharedClock,
    policy: EnginePolicy,
    registry: Arc<dyn Registry>,
    notify: Notify,
    mark: MarkKeeper,
    /// Names this process in leases.
    owner: String,
    /// Which file ended the process before this one is known.
    is_explained: bool,
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
    pub mark: MarkKeeper,
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
        Self::start_after(parts, false).await
    }

    /// The same, when which file ended the process before this one is known, and is not tried again: its runs are not to
    /// blame.
    pub async fn start_after(parts: Parts, is_explained: bool) -> Result<Self, StoreError> {
        let Parts { store, clock, policy, registry, notify, mark, owner } = parts;
        let shared = Arc::new(Shared {
            store,
            clock,
            policy,
            registry,
            notify,
            mark,
            owner,
            is_explained,
            running: Running::default(),
            closing: CancellationToken::new(),
            closed: CancellationToken::new(),
        });
        shared.store.follow_overlap(scheduler::one_at_a_time(&shared)).await?;
        rescuer::adopt(&shared).await?;
        zone::follow(&shared).await?;
        let looked_at = shared.clock.now();
        if let Err(error) = clock_watch::look(&shared, None).await {
            tracing::warn!(%error, "what a wrong clock may have done was not looked at; it is looked at again in an hour");
        }
        let duties = TaskTracker::new();
        let attempts = duties.clone();
        duties.spawn(keep("scheduler", shared.clone(), scheduler::run));
        duties.spawn(keep("clock watch", shared.clone(), move |shared| clock_watch::run(shared, looked_at)));
        duties.spawn(keep("dispatcher", shared.clone(), move |shared| dispatcher::run(shared, attempts.clone())));
        duties.spawn(keep("heartbeat", shared.clone(), heartbeat::run));
        duties.spawn(keep("stopper", shared.clone(), stopper::run));
        duties.spawn(keep("rescuer", shared.clone(), rescuer::run));
        duties.spawn(keep("clients", shared.clone(), clients::run));
        duties.spawn(keep("notifier", shared.clone(), notifier::run));
        duties.spawn(keep("janitor", shared.clone(), janitor::run));
        duties.spawn(keep("marker", shared.clone(), marker::run));
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

/// Does a duty until it ends. One that panics begins again after a while: a daemon that looks alive but fires, claims or
/// mails nothing any more would be worse than one that is gone.
async fn keep<F: Future<Output = ()>>(name: &'static str, shared: Arc<Shared>, duty: impl Fn(Arc<Shared>) -> F) {
    while AssertUnwindSafe(duty(shared.clone())).catch_unwind().await.is_err() {
        tracing::error!(duty = name, "a duty of the engine panicked; it begins again");
        tokio::select! {
            () = clock::sleep(&*shared.clock, AFTER_ERROR) => {}
            () = shared.closed.cancelled() => return,
        }
    }
}
