//! What came of an attempt, to the database.

use chrono::TimeDelta;

use super::running::{Leash, Leave};
use super::{LOOK_FOR_ROOM, Shared};
use crate::clock;
use crate::executors::Failure;
use crate::model::log::Message;
use crate::store::jobs::attempt::{AttemptError, Release};
use crate::store::jobs::claim::Claimed;
use crate::store::jobs::finish::Ending;

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum Result {
    Done,
    Failed(Failure),
    Panicked(String),
}

/// What is to be written.
#[derive(Debug, Clone)]
enum Verdict {
    Finish(Ending),
    Release(Release),
    /// The run is not ours any more.
    Nothing,
}

/// The first wait, and the longest, between tries to write an end that the database would not take.
const FIRST_WAIT: TimeDelta = TimeDelta::seconds(1);
const LONGEST_WAIT: TimeDelta = TimeDelta::seconds(30);

/// Writes the end of an attempt. When the database refuses (disk full), it tries until it does not, or until the lease
/// is lost or the daemon ends: then the next process finds the run by its lease.
pub(super) async fn complete(shared: &Shared, claimed: &Claimed, leash: &Leash, result: Result) {
    let verdict = judge(shared, claimed, leash, result);
    let mut wait = FIRST_WAIT;
    loop {
        match write(shared, claimed, verdict.clone()).await {
            Ok(()) => return,
            Err(AttemptError::LeaseLost) => {
                tracing::warn!(run = %claimed.run_name, "the lease was lost: the end of this attempt was not written");
                return;
            }
            Err(AttemptError::Store(error)) => {
                tracing::error!(run = %claimed.run_name, %error, "the end of an attempt could not be written");
                tokio::select! {
                    () = clock::sleep(&*shared.clock, wait) => {}
                    () = shared.closing.cancelled() => return,
                }
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        }
    }
}

async fn write(shared: &Shared, claimed: &Claimed, verdict: Verdict) -> std::result::Result<(), AttemptError> {
    let now = shared.clock.now();
    match verdict {
        Verdict::Finish(ending) => {
            let outcome = ending.outcome;
            shared.store.finish_attempt(claimed.fence, ending, now).await?;
            tracing::info!(run = %claimed.run_name, id = %claimed.fence.instance, %outcome, "ends");
            Ok(())
        }
        Verdict::Release(release) => {
            let released = shared.store.release_attempt(claimed.fence, release, now).await?;
            tracing::info!(run = %claimed.run_name, id = %claimed.fence.instance, ?released, "is given back");
            Ok(())
        }
        Verdict::Nothing => Ok(()),
    }
}

fn judge(shared: &Shared, claimed: &Claimed, leash: &Leash, result: Result) -> Verdict {
    match result {
        Result::Done => Verdict::Finish(Ending::succeeded()),
        Result::Failed(Failure::Fatal(reason)) => Verdict::Finish(Ending::failed(reason)),
        Result::Failed(Failure::Transient(reason)) => match leash.reason() {
            // It was leaving anyway, and what failed may have failed because of that.
            Some(Leave::Stop | Leave::Shutdown) => left(shared, claimed, leash),
            Some(Leave::Timeout | Leave::LeaseLost) | None => retry(shared, claimed, reason),
        },
        Result::Failed(Failure::DiskFull) => match leash.reason() {
            Some(Leave::Stop | Leave::Shutdown) => left(shared, claimed, leash),
            Some(Leave::Timeout | Leave::LeaseLost) | None => {
                let wait = LOOK_FOR_ROOM.min(shared.policy.retry.max);
                Verdict::Release(Release::DiskFull { not_before: shared.clock.now() + wait })
            }
        },
        Result::Panicked(text) => {
            tracing::error!(run = %claimed.run_name, panic = %text, "an executor panicked");
            retry(shared, claimed, Message::new("reason-internal"))
        }
        Result::Failed(Failure::Interrupted) => left(shared, claimed, leash),
    }
}

/// It left off because it was told to.
fn left(shared: &Shared, claimed: &Claimed, leash: &Leash) -> Verdict {
    match leash.reason() {
        Some(Leave::Stop) => Verdict::Finish(Ending::stopped()),
        Some(Leave::Shutdown) => Verdict::Release(Release::Shutdown),
        Some(Leave::Timeout) => {
            let limit = shared.policy.job_timeout.unwrap_or_default().num_milliseconds();
            retry(shared, claimed, Message::new("reason-timeout").with("milliseconds", limit))
        }
        // Without a reason it was a write that found the lease gone.
        Some(Leave::LeaseLost) | None => Verdict::Nothing,
    }
}

/// Another attempt after a while, unless there were enough.
fn retry(shared: &Shared, claimed: &Claimed, reason: Message) -> Verdict {
    let failures = claimed.failures + 1;
    let max = shared.policy.max_attempts;
    if failures >= max {
        let message = Message::new("attempts-exhausted").with("attempts", failures).with("reason", reason);
        return Verdict::Finish(Ending::failed(message));
    }
    let not_before = shared.clock.now() + shared.policy.retry.after(failures);
    let message = Message::new("attempt-failed")
        .with("attempt", failures)
        .with("attempts", max)
        .with("reason", reason)
        .with("at", not_before.timestamp_millis());
    Verdict::Release(Release::Retry { reason: message, not_before })
}
